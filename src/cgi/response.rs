use http::StatusCode;
use http::header::HeaderMap;
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
    put_status(dst, *status);
    let status_end = dst.len();
    let service = put_headers(dst, headers);
    let body_size = if body_is_end { Some(0) } else { body_size.exact() };
    let (framing, content_length) =
        framing(request_is_head, *status, service.length.known(), body_size);
    if let Some(content_length) = content_length {
        put_content_length(dst, content_length);
    }
    if !service.content_type && !matches!(framing, Framing::Omitted | Framing::Known(0)) {
        dst.extend_from_slice(b"content-type: application/octet-stream\r\n");
    }
    if date && !service.date {
        put_date(dst);
    }
    // HAProxy 2.6 makes every response with a Location a 302 unless Status comes later; all others take any order.
    if service.location && *status != StatusCode::FOUND {
        dst.drain(start..status_end);
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
    service_length: Option<u64>,
    body_size: Option<u64>,
) -> (Framing, Option<u64>) {
    if status == StatusCode::NO_CONTENT {
        return (Framing::Omitted, None);
    }
    if status == StatusCode::NOT_MODIFIED {
        // axum sets 0 on every empty response. Here it would be the page's own length, which a cache believes.
        return (Framing::Omitted, service_length.filter(|&length| length > 0));
    }
    if request_is_head {
        return (Framing::Omitted, service_length);
    }
    let length = service_length.or(body_size);
    (length.map_or(Framing::Unknown, Framing::Known), length)
}

/// What the service has set of the headers that need more than to be written.
#[derive(Default)]
struct Service {
    content_type: bool,
    date: bool,
    length: Length,
    location: bool,
}

/// The `Content-Length` that the service set.
#[derive(Clone, Copy, Default)]
enum Length {
    #[default]
    Unset,
    Set(u64),
    /// It is no number, or several disagree.
    Invalid,
}

impl Length {
    fn add(&mut self, value: &[u8]) {
        *self = match (*self, decimal::parse(value)) {
            (Self::Unset, Some(length)) => Self::Set(length),
            (Self::Set(other), Some(length)) if other == length => Self::Set(length),
            _ => Self::Invalid,
        };
    }

    fn known(self) -> Option<u64> {
        match self {
            Self::Set(length) => Some(length),
            Self::Unset | Self::Invalid => None,
        }
    }
}

/// A line for each value, so that `Set-Cookie` is repeated.
fn put_headers(dst: &mut Vec<u8>, headers: &HeaderMap) -> Service {
    let mut service = Service::default();
    for (name, value) in headers {
        let name = name.as_str();
        match name.len() {
            4 if name == "date" => service.date = true,
            8 if name == "location" => service.location = true,
            12 if name == "content-type" => service.content_type = true,
            14 if name == "content-length" => {
                service.length.add(value.as_bytes());
                continue;
            }
            _ if is_dropped(name) => continue,
            _ => {}
        }
        put_line(dst, name.as_bytes(), value.as_bytes());
    }
    service
}

/// These are the web server's to set. nginx and Apache pass `Transfer-Encoding` on and then frame the body once more.
fn is_dropped(name: &str) -> bool {
    match name.len() {
        2 => name == "te",
        6 => name == "status",
        7 => matches!(name, "trailer" | "upgrade"),
        8 => name == "trailers",
        10 => matches!(name, "connection" | "keep-alive"),
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
    if status == StatusCode::OK {
        return dst.extend_from_slice(b"Status: 200 OK\r\n");
    }
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

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Response};

    use super::*;

    fn response(status: u16, headers: &[(&'static str, &str)]) -> Parts {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            response.headers_mut().append(*name, value.parse().unwrap());
        }
        response.into_parts().0
    }

    fn head_of(
        request_is_head: bool,
        response: &Parts,
        body_size: SizeHint,
        body_is_end: bool,
    ) -> (String, Framing) {
        let mut dst = b"before".to_vec();
        let framing =
            put_head(&mut dst, request_is_head, response, body_size, body_is_end, false).unwrap();
        let head = String::from_utf8(dst).unwrap();
        (head.strip_prefix("before").unwrap().to_owned(), framing)
    }

    #[track_caller]
    fn assert_head(response: &Parts, body_size: u64, expected: &str, framing: Framing) {
        let head = head_of(false, response, SizeHint::with_exact(body_size), false);
        assert_eq!(head, (expected.to_owned(), framing));
    }

    const TYPE: (&str, &str) = ("content-type", "text/plain");

    #[test]
    fn a_small_answer() {
        assert_head(
            &response(200, &[TYPE, ("x-a", "b")]),
            13,
            "Status: 200 OK\r\ncontent-type: text/plain\r\nx-a: b\r\ncontent-length: 13\r\n\r\n",
            Framing::Known(13),
        );
    }

    #[test]
    fn a_status_without_a_reason_keeps_its_space() {
        let head = "Status: 299 \r\ncontent-length: 0\r\n\r\n";
        assert_head(&response(299, &[]), 0, head, Framing::Known(0));
        let head = "Status: 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        assert_head(&response(404, &[]), 0, head, Framing::Known(0));
    }

    #[test]
    fn status_comes_after_location_unless_it_is_302() {
        for status in [200, 201, 301, 303, 307, 308] {
            let response = response(status, &[("location", "/a"), ("x-a", "b")]);
            let (head, _) = head_of(false, &response, SizeHint::new(), false);
            let lines: Vec<_> = head.lines().collect();
            let position = |start: &str| lines.iter().position(|line| line.starts_with(start));
            assert_eq!(position("Status: "), Some(lines.len() - 2), "{head}");
            assert_eq!(position("location: "), Some(0), "{head}");
        }
        let found = response(302, &[("location", "/a")]);
        let head = "Status: 302 Found\r\nlocation: /a\r\ncontent-length: 0\r\n\r\n";
        assert_head(&found, 0, head, Framing::Known(0));
    }

    #[test]
    fn what_is_the_web_servers_is_dropped() {
        let dropped = response(
            200,
            &[
                ("status", "500"),
                ("connection", "close"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "close"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "h2c"),
                ("trailer", "x"),
                ("trailers", "x"),
                ("te", "trailers"),
                ("variable-user", "alice"),
                TYPE,
            ],
        );
        assert_head(
            &dropped,
            1,
            "Status: 200 OK\r\nvariable-user: alice\r\ncontent-type: text/plain\r\ncontent-length: 1\r\n\r\n",
            Framing::Known(1),
        );
    }

    #[test]
    fn similar_names_are_not_dropped() {
        for name in ["tea", "statue", "upgrades", "trailerx", "connections", "x-connection"] {
            assert!(!is_dropped(name), "{name}");
        }
    }

    #[test]
    fn repeated_headers_have_a_line_each() {
        let cookies = response(200, &[("set-cookie", "a=1"), ("set-cookie", "b=2"), ("vary", "x")]);
        assert_head(
            &cookies,
            0,
            "Status: 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nvary: x\r\ncontent-length: 0\r\n\r\n",
            Framing::Known(0),
        );
    }

    #[test]
    fn values_are_bytes() {
        let mut latin1 = response(200, &[TYPE]);
        latin1.headers.insert("x-a", HeaderValue::from_bytes(b"caf\xe9\t\xff").unwrap());
        let mut dst = Vec::new();
        put_head(&mut dst, false, &latin1, SizeHint::new(), false, false).unwrap();
        assert!(dst.windows(14).any(|window| window == b"x-a: caf\xe9\t\xff\r\n\r"));
    }

    #[test]
    fn a_service_set_length_wins_over_the_bodys() {
        let set = response(200, &[TYPE, ("content-length", "5")]);
        let head = "Status: 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\n";
        assert_head(&set, 13, head, Framing::Known(5));
        let (_, framing) = head_of(false, &set, SizeHint::new(), false);
        assert_eq!(framing, Framing::Known(5));
        let twice = response(200, &[TYPE, ("content-length", "5"), ("content-length", "05")]);
        assert_head(&twice, 13, head, Framing::Known(5));
    }

    #[test]
    fn a_length_that_is_none_gives_way_to_the_bodys() {
        for lengths in [&["x"][..], &[""], &["-1"], &["5", "6"], &["5", "x"], &["5, 5"]] {
            let lengths: Vec<_> =
                lengths.iter().map(|length| ("content-length", *length)).collect();
            let response = response(200, &[&[TYPE], &lengths[..]].concat());
            let head = "Status: 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\n";
            assert_head(&response, 13, head, Framing::Known(13));
            let (head, framing) = head_of(false, &response, SizeHint::new(), false);
            assert_eq!(head, "Status: 200 OK\r\ncontent-type: text/plain\r\n\r\n");
            assert_eq!(framing, Framing::Unknown);
        }
    }

    #[test]
    fn a_body_at_its_end_is_empty() {
        let (head, framing) = head_of(false, &response(200, &[]), SizeHint::new(), true);
        assert_eq!(head, "Status: 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(framing, Framing::Known(0));
    }

    #[test]
    fn a_body_without_a_type_is_octets() {
        let octets =
            "Status: 200 OK\r\ncontent-length: 1\r\ncontent-type: application/octet-stream\r\n\r\n";
        assert_head(&response(200, &[]), 1, octets, Framing::Known(1));
        let mut at_least = SizeHint::new();
        at_least.set_lower(1);
        for size in [SizeHint::new(), at_least] {
            let (head, framing) = head_of(false, &response(200, &[]), size, false);
            assert_eq!(head, "Status: 200 OK\r\ncontent-type: application/octet-stream\r\n\r\n");
            assert_eq!(framing, Framing::Unknown);
        }
    }

    #[test]
    fn no_content_has_no_length() {
        for size in [0, 5] {
            let response = response(204, &[("content-length", "5")]);
            assert_head(&response, size, "Status: 204 No Content\r\n\r\n", Framing::Omitted);
        }
    }

    #[test]
    fn head_and_not_modified_derive_nothing() {
        let not_modified = response(304, &[("etag", "\"a\"")]);
        let head = "Status: 304 Not Modified\r\netag: \"a\"\r\n\r\n";
        assert_head(&not_modified, 5, head, Framing::Omitted);
        let set = response(304, &[("content-length", "9")]);
        let head = "Status: 304 Not Modified\r\ncontent-length: 9\r\n\r\n";
        assert_head(&set, 5, head, Framing::Omitted);
        let zero = response(304, &[("content-length", "0")]);
        assert_head(&zero, 0, "Status: 304 Not Modified\r\n\r\n", Framing::Omitted);

        let of_head = |headers: &[(&'static str, &str)]| {
            head_of(true, &response(200, headers), SizeHint::with_exact(5), true)
        };
        assert_eq!(of_head(&[]), ("Status: 200 OK\r\n\r\n".to_owned(), Framing::Omitted));
        let set = "Status: 200 OK\r\ncontent-length: 9\r\n\r\n".to_owned();
        assert_eq!(of_head(&[("content-length", "9")]), (set, Framing::Omitted));
        let invalid = of_head(&[("content-length", "x")]);
        assert_eq!(invalid, ("Status: 200 OK\r\n\r\n".to_owned(), Framing::Omitted));
    }

    #[test]
    fn a_date_unless_the_service_set_one() {
        let date_lines = |response: &Parts, date| {
            let mut dst = Vec::new();
            put_head(&mut dst, false, response, SizeHint::new(), false, date).unwrap();
            let head = String::from_utf8(dst).unwrap();
            head.lines().filter_map(|line| line.strip_prefix("date: ").map(str::to_owned)).collect()
        };
        let dates: Vec<_> = date_lines(&response(200, &[]), true);
        assert_eq!(dates.len(), 1);
        assert!(httpdate::parse_http_date(&dates[0]).is_ok());
        assert_eq!(date_lines(&response(200, &[]), false), [""; 0]);
        assert_eq!(date_lines(&response(200, &[("date", "then")]), true), ["then"]);
    }

    #[test]
    fn interim_responses_are_errors() {
        for status in [100, 101, 103, 199] {
            let mut dst = b"before".to_vec();
            let response = response(status, &[]);
            let result = put_head(&mut dst, false, &response, SizeHint::new(), true, true);
            assert_eq!(result, Err(HeadError::Informational(response.status)));
            assert_eq!(dst, b"before");
        }
    }

    #[test]
    fn a_head_fits_one_record_or_is_an_error() {
        let overhead = "Status: 200 OK\r\nx-a: \r\ncontent-length: 0\r\n\r\n".len();
        let longest = "a".repeat(MAX_STREAM_CONTENT - overhead);
        let (head, _) = head_of(false, &response(200, &[("x-a", &longest)]), SizeHint::new(), true);
        assert_eq!(head.len(), MAX_STREAM_CONTENT);

        let response = response(200, &[("x-a", &format!("{longest}a"))]);
        let mut dst = b"before".to_vec();
        let result = put_head(&mut dst, false, &response, SizeHint::new(), true, false);
        assert_eq!(result, Err(HeadError::TooLong(MAX_STREAM_CONTENT + 1)));
        assert_eq!(dst, b"before");
    }

    #[test]
    fn a_refusal_is_a_whole_answer() {
        let head = "Status: 431 Request Header Fields Too Large\r\n\
                    content-type: text/plain; charset=utf-8\r\n\
                    content-length: 16\r\n\r\n";
        for (is_head, body) in [(false, "too many params\n"), (true, "")] {
            let mut dst = b"before".to_vec();
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            put_refusal(&mut dst, is_head, status, "too many params", false);
            assert_eq!(String::from_utf8(dst).unwrap(), format!("before{head}{body}"));
        }
        let mut dst = Vec::new();
        put_refusal(&mut dst, false, StatusCode::BAD_REQUEST, "no", true);
        let text = String::from_utf8(dst).unwrap();
        assert!(text.contains("\r\ndate: ") && text.ends_with(" GMT\r\n\r\nno\n"), "{text}");
    }
}
