use std::sync::PoisonError;

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::exchange::Exchange;
use super::options::Options;
use crate::failure::Failure;
use crate::wire::{bytes_as_json, pairs_as_json};

/// All there is to tell of a request, in one object.
pub(super) fn report(
    options: &Options,
    exchange: &Exchange<'_>,
    failure: Option<&Failure>,
) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("address", options.address.to_string().into());
    put("params", pairs_as_json(&exchange.transcript.params()));
    if let Some(head) = &exchange.head {
        put("status", head.status.as_u16().into());
        put("headers", headers(&head.headers));
    }
    if let Some(end) = exchange.transcript.end() {
        put("app_status", end.app_status.into());
        put("protocol_status", end.protocol_status.to_string().into());
    }
    put("timing", timing(exchange));
    let (sent, received) = exchange.progress.bytes();
    put("bytes", json!({ "sent": sent, "received": received }));
    if let Some(failure) = failure {
        put("error", error(failure));
    }
    let stderr = exchange.stderr.lock().unwrap_or_else(PoisonError::into_inner);
    members.extend([bytes_as_json("stderr", stderr.kept())]);
    members.extend(exchange.output.kept().map(|body| bytes_as_json("body", body)));
    members.into()
}

/// Each name has an array of its values, as curl's %{header_json} does.
fn headers(headers: &HeaderMap) -> Value {
    let values = |name| {
        let values = headers.get_all(name).into_iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    let members = headers.keys().map(|name| (name.to_string(), values(name)));
    Value::Object(members.collect())
}

/// In seconds from the start.
fn timing(exchange: &Exchange<'_>) -> Value {
    json!({
        "connected": exchange.connected.map(|it| it.as_secs_f64()),
        "answered": exchange.answered.map(|it| it.as_secs_f64()),
        "total": exchange.elapsed().as_secs_f64(),
    })
}

fn error(failure: &Failure) -> Value {
    json!({ "exit": failure.exit(), "message": failure.message(), "hint": failure.advice() })
}
