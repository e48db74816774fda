use http::StatusCode;
use http::header::{self, HeaderMap};
use http::response::Parts;
use http_body::SizeHint;

use super::{date, decimal};
use crate::record::MAX_STREAM_CONTENT;

/// What follows a response's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Nothing: HEAD, 204, 304. The body is not polled.
    Omitted,
    /// As many bytes as `Content-Length` tells.
    Known(u64),
    /// What the body has.
    Unknown,
}

/// Why a response cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// 1xx is no final answer, but most web servers pass it on as one.
    Informational(StatusCode),
    /// The head has this many bytes and fits no single record. HAProxy 2.6 crashes on a head that comes in two reads.
    TooLong(usize),
}

/// Appends a response's head in CGI form (RFC 3875 section 6.3) with the empty line that ends it, or nothing on an error.
///
/// `body_is_end` is the body's `is_end_stream`. With `date`, a `Date` is written unless the service set one.
pub(crate) fn put_head(
    dst: &mut Vec<u8>,
    request_is_head: bool,
    response: &Parts,
    body_size: SizeHint,
    body_is_end: bool,
    date: bool,
) -> Result<Framing, HeadError> {
    let Parts { status, headers, .. } = response;
    if status.is_informational() {
        return Err(HeadError::Informational(*status));
    }
    let start = dst.len();
    let body_size = if body_is_end { Some(0) } else { body_size.exact() };
    let (framing, content_length) = framing(request_is_head, *status, headers, body_size);
    // HAProxy 2.6 makes every response with a Location a 302 unless Status comes later; all others take any order.
    let status_is_last = *status != StatusCode::FOUND && headers.contains_key(header::LOCATION);
    if !status_is_last {
        put_status(dst, *status);
    }
    let written = put_headers(dst, headers);
    if let Some(content_length) = content_length {
        put_content_length(dst, content_length);
    }
    if !written.content_type && !matches!(framing, Framing::Omitted | Framing::Known(0)) {
        dst.extend_from_slice(b"content-type: application/octet-stream\r\n");
    }
    if date && !written.date {
        put_date(dst);
    }
    if status_is_last {
        put_status(dst, *status);
    }
    dst.extend_from_slice(b"\r\n");
    fit_one_record(dst, start)?;
    Ok(framing)
}

/// Appends a whole small answer that comes from no service: the head and, unless the request is HEAD, the reason as text.
pub(crate) fn put_refusal(
    dst: &mut Vec<u8>,
    request_is_head: bool,
    status: StatusCode,
    reason: &str,
    date: bool,
) {
    put_status(dst, status);
    dst.extend_from_slice(b"content-type: text/plain; charset=utf-8\r\n");
    put_content_length(dst, reason.len() as u64 + 1);
    if date {
        put_date(dst);
    }
    dst.extend_from_slice(b"\r\n");
    if !request_is_head {
        dst.extend_from_slice(reason.as_bytes());
        dst.push(b'\n');
    }
}

/// The framing and what goes into `Content-Length`.
fn framing(
    request_is_head: bool,
    status: StatusCode,
    headers: &HeaderMap,
    body_size: Option<u64>,
) -> (Framing, Option<u64>) {
    if status == StatusCode::NO_CONTENT {
        return (Framing::Omitted, None);
    }
    let set = service_length(headers);
    if request_is_head || status == StatusCode::NOT_MODIFIED {
        return (Framing::Omitted, set);
    }
    let length = set.or(body_size);
    (length.map_or(Framing::Unknown, Framing::Known), length)
}

/// The `Content-Length` that the service set; `None` if that is no number, or if several disagree.
fn service_length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = decimal::parse(lengths.next()?.as_bytes())?;
    lengths.all(|length| decimal::parse(length.as_bytes()) == Some(first)).then_some(first)
}

/// Which of the headers that are written unasked the service has set.
#[derive(Default)]
struct Written {
    content_type: bool,
    date: bool,
}

/// A line for each value, so that `Set-Cookie` is repeated.
fn put_headers(dst: &mut Vec<u8>, headers: &HeaderMap) -> Written {
    let mut written = Written::default();
    for (name, value) in headers {
        let name = name.as_str();
        match name {
            _ if is_dropped(name) => continue,
            "content-type" => written.content_type = true,
            "date" => written.date = true,
            _ => {}
        }
        put_line(dst, name.as_bytes(), value.as_bytes());
    }
    written
}

/// `Content-Length` is written apart; the others are the web server's to set. nginx and Apache pass `Transfer-Encoding` on
/// and then frame the body once more.
fn is_dropped(name: &str) -> bool {
    match name.len() {
        2 => name == "te",
        6 => name == "status",
        7 => matches!(name, "trailer" | "upgrade"),
        8 => name == "trailers",
        10 => matches!(name, "connection" | "keep-alive"),
        14 => name == "content-length",
        16 => name == "proxy-connection",
        17 => name == "transfer-encoding",
        _ => false,
    }
}

fn put_line(dst: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    dst.reserve(name.len() + value.len() + 4);
    dst.extend_from_slice(name);
    dst.extend_from_slice(b": ");
    dst.extend_from_slice(value);
    dst.extend_from_slice(b"\r\n");
}

/// The space stays when there is no reason phrase, as in HTTP's own status line (RFC 9112 section 4).
fn put_status(dst: &mut Vec<u8>, status: StatusCode) {
    dst.extend_from_slice(b"Status: ");
    dst.extend_from_slice(status.as_str().as_bytes());
    dst.push(b' ');
    dst.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    dst.extend_from_slice(b"\r\n");
}

fn put_content_length(dst: &mut Vec<u8>, length: u64) {
    dst.extend_from_slice(b"content-length: ");
    decimal::put(dst, length);
    dst.extend_from_slice(b"\r\n");
}

fn put_date(dst: &mut Vec<u8>) {
    dst.extend_from_slice(b"date: ");
    date::put_now(dst);
    dst.extend_from_slice(b"\r\n");
}

fn fit_one_record(dst: &mut Vec<u8>, start: usize) -> Result<(), HeadError> {
    let size = dst.len() - start;
    if size > MAX_STREAM_CONTENT {
        dst.truncate(start);
        return Err(HeadError::TooLong(size));
    }
    Ok(())
}
