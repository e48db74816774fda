use std::fmt::Write;

use console::Term;

use super::distribution::buckets;
use super::expected::Expected;
use super::figures::{bytes, duration};
use super::load::Measured;
use super::plan::Plan;

/// What was measured, for people.
pub(super) fn text(plan: &Plan, expected: &Expected, measured: &Measured) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, plan, expected, measured);
    text
}

fn write_all(
    text: &mut String,
    plan: &Plan,
    expected: &Expected,
    measured: &Measured,
) -> std::fmt::Result {
    let (method, uri) = (plan.request.method(), plan.request.uri());
    writeln!(text, "{method} {uri} at {}: {}", plan.address, load(plan))?;
    writeln!(
        text,
        "answered with {}, {} of body\n",
        expected.status.as_u16(),
        bytes(expected.length as f64)
    )?;
    let Measured { tally, elapsed, .. } = measured;
    let (responses, seconds) = (tally.responses(), elapsed.as_secs_f64());
    let end = if measured.is_interrupted { ", interrupted" } else { "" };
    writeln!(text, "{responses} responses in {}{end}", duration(elapsed.as_nanos() as f64))?;
    writeln!(
        text,
        "{:.0} responses/s, {}/s of bodies, {} connections made",
        responses as f64 / seconds,
        bytes(tally.bytes as f64 / seconds),
        measured.connections_made
    )?;
    writeln!(text, "{} errors", tally.error_count())?;
    for (kind, errors) in &tally.errors {
        writeln!(text, "  {:>8} {}: {}", errors.count, kind.name(), errors.example)?;
    }
    if responses > 0 {
        latencies(text, measured)?;
    }
    writeln!(text, "\n{CLOSED_LOOP}")
}

fn load(plan: &Plan) -> String {
    let connections = match plan.connections {
        1 => "1 connection".to_owned(),
        several => format!("{several} connections"),
    };
    match (plan.is_kept, plan.multiplex) {
        (false, _) => format!("{connections} at a time, each for one request"),
        (true, 1) => format!("{connections}, kept"),
        (true, requests) => format!("{connections}, kept, with {requests} requests at a time"),
    }
}

fn latencies(text: &mut String, measured: &Measured) -> std::fmt::Result {
    let latencies = &measured.tally.latencies;
    writeln!(
        text,
        "\nlatency: mean {}, standard deviation {}, min {}, max {}",
        duration(latencies.mean()),
        duration(latencies.stdev()),
        duration(latencies.min() as f64),
        duration(latencies.max() as f64)
    )?;
    for (name, quantile) in QUANTILES {
        let value = latencies.value_at_quantile(quantile).min(latencies.max());
        writeln!(text, "  {name:>5}  {:>9}", duration(value as f64))?;
    }
    text.push('\n');
    let buckets = buckets(latencies, ROWS);
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1);
    let width = width().saturating_sub(LABELS).max(10);
    for bucket in buckets {
        let length = (bucket.count as f64 / most as f64 * width as f64).ceil() as usize;
        let (to, count) = (duration(bucket.to as f64), bucket.count);
        let row = format!("  < {to:>9} {count:>9} {}", mark().repeat(length));
        writeln!(text, "{}", row.trim_end())?;
    }
    Ok(())
}

/// The terminal's, or that of most.
fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let found = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    found.or(told).unwrap_or(80).min(200)
}

fn mark() -> &'static str {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    if locale.contains("utf-8") || locale.contains("utf8") { "█" } else { "#" }
}

/// The quantiles that are told.
pub(super) const QUANTILES: [(&str, f64); 6] =
    [("50%", 0.5), ("75%", 0.75), ("90%", 0.9), ("95%", 0.95), ("99%", 0.99), ("99.9%", 0.999)];
const ROWS: u32 = 12;
/// What stands before a bar takes this many columns.
const LABELS: usize = 24;
pub(super) const CLOSED_LOOP: &str = "\
This is a closed loop: the latencies leave out the waiting that clients of an overloaded server would see (coordinated omission).";
