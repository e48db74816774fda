use serde_json::{Map, Value, json};

use super::distribution::buckets;
use super::expected::Expected;
use super::load::Measured;
use super::plan::Plan;
use super::report::QUANTILES;
use super::tally::Tally;

/// What was measured, for programs. Times are in seconds.
pub(super) fn json(plan: &Plan, expected: &Expected, measured: &Measured) -> Value {
    let Measured { tally, elapsed, .. } = measured;
    let seconds = elapsed.as_secs_f64();
    json!({
        "address": plan.address.to_string(),
        "method": plan.request.method().as_str(),
        "target": plan.request.uri().to_string(),
        "connections": plan.connections,
        "multiplex": plan.multiplex,
        "keep": plan.is_kept,
        "status": expected.status.as_u16(),
        "body_bytes": expected.length,
        "closed_loop": true,
        "interrupted": measured.is_interrupted,
        "elapsed": seconds,
        "connections_made": measured.connections_made,
        "responses": tally.responses(),
        "responses_per_second": tally.responses() as f64 / seconds,
        "bytes": tally.bytes,
        "bytes_per_second": tally.bytes as f64 / seconds,
        "error_count": tally.error_count(),
        "errors": errors(tally),
        "latency": latency(tally),
        "histogram": histogram(tally),
    })
}

fn errors(tally: &Tally) -> Value {
    let error = |(kind, errors): (&super::trouble::Kind, &super::tally::Errors)| {
        (kind.name().to_owned(), json!({ "count": errors.count, "example": errors.example }))
    };
    Value::Object(tally.errors.iter().map(error).collect())
}

/// Null when there is none.
fn latency(tally: &Tally) -> Value {
    let latencies = &tally.latencies;
    if latencies.is_empty() {
        return Value::Null;
    }
    let mut latency = Map::new();
    let mut put = |name: &str, nanos: f64| latency.insert(name.to_owned(), (nanos / 1e9).into());
    put("mean", latencies.mean());
    put("stddev", latencies.stdev());
    put("min", latencies.min() as f64);
    put("max", latencies.max() as f64);
    for (name, quantile) in QUANTILES {
        let value = latencies.value_at_quantile(quantile).min(latencies.max());
        put(&format!("p{}", name.trim_end_matches('%')), value as f64);
    }
    Value::Object(latency)
}

fn histogram(tally: &Tally) -> Vec<Value> {
    let seconds = |nanos: u64| nanos as f64 / 1e9;
    let buckets = buckets(&tally.latencies, ROWS).into_iter();
    buckets
        .map(|it| json!({ "from": seconds(it.from), "to": seconds(it.to), "count": it.count }))
        .collect()
}

const ROWS: u32 = 50;
