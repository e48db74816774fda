use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::forwarded::{Forwarded, is_forwarded};
use super::request::Refusal;

/// Collects the client's header fields from the params named `HTTP_*`.
pub(super) struct Headers<'a> {
    /// Values are slices of it.
    raw: &'a Bytes,
    forwarded: Forwarded,
    map: &'a mut HeaderMap,
    host: Option<&'a [u8]>,
    cookie: Option<&'a [u8]>,
    /// All cookies, once there are several.
    cookies: Vec<u8>,
}

impl<'a> Headers<'a> {
    pub(super) fn new(raw: &'a Bytes, forwarded: Forwarded, map: &'a mut HeaderMap) -> Self {
        Self { raw, forwarded, map, host: None, cookie: None, cookies: Vec::new() }
    }

    /// Takes a param's name without its `HTTP_`, and its value.
    pub(super) fn add(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Refusal> {
        match Field::of(name)? {
            Field::Header(name) => self.append(name, self.raw, value),
            Field::Forwarded(name) if self.forwarded == Forwarded::Keep => {
                self.append(name, self.raw, value)
            }
            Field::Host => self.set_host(value),
            Field::Cookie => {
                self.add_cookie(value);
                Ok(())
            }
            Field::Forwarded(_) | Field::Dropped => Ok(()),
        }
    }

    /// Appends a value that is a part of `whole`. Values are bytes: latin-1 and UTF-8 pass unchanged, control characters do not pass.
    pub(super) fn append(
        &mut self,
        name: HeaderName,
        whole: &Bytes,
        part: &[u8],
    ) -> Result<(), Refusal> {
        // What `slice_ref` does, which no compiler inlines as it is not generic: it would cost twice as much.
        let start = part.as_ptr().addr() - whole.as_ptr().addr();
        let value = whole.slice(start..start + part.len());
        let Ok(value) = HeaderValue::from_maybe_shared(value) else {
            return Err(Refusal::bad_request("control characters in the value of a header"));
        };
        match self.map.try_append(name, value) {
            Ok(_) => Ok(()),
            Err(_) => Err(Refusal::TOO_MANY_HEADERS),
        }
    }

    /// The `Host` header, unless it is missing or empty.
    pub(super) fn host(&self) -> Option<&'a [u8]> {
        self.host.filter(|host| !host.is_empty())
    }

    /// `Host` is not among them: what goes there depends on more than the client's headers.
    pub(super) fn finish(&mut self) -> Result<(), Refusal> {
        if !self.cookies.is_empty() {
            let cookies = Bytes::from(std::mem::take(&mut self.cookies));
            return self.append(header::COOKIE, &cookies, &cookies);
        }
        match self.cookie {
            Some(cookie) => self.append(header::COOKIE, self.raw, cookie),
            None => Ok(()),
        }
    }

    /// A request with two of them is refused as RFC 9112 section 3.2 wants it; the same one twice may be a param of the web
    /// server's configuration next to the client's header.
    fn set_host(&mut self, value: &'a [u8]) -> Result<(), Refusal> {
        match self.host.replace(value) {
            Some(other) if other != value => {
                Err(Refusal::bad_request("two different Host headers"))
            }
            _ => Ok(()),
        }
    }

    /// nginx before 1.23 and HAProxy pass on the cookies of HTTP/2 clients in several headers; RFC 9113 section 8.2.3 tells
    /// how they become one.
    fn add_cookie(&mut self, value: &'a [u8]) {
        if value.is_empty() {
            return;
        }
        let Some(first) = self.cookie else {
            self.cookie = Some(value);
            return;
        };
        if self.cookies.is_empty() {
            self.cookies.extend_from_slice(first);
        }
        self.cookies.extend_from_slice(b"; ");
        self.cookies.extend_from_slice(value);
    }
}

/// What becomes of a header.
#[derive(Debug, PartialEq)]
enum Field {
    Header(HeaderName),
    /// Kept or removed as [`Forwarded`] says.
    Forwarded(HeaderName),
    Host,
    Cookie,
    Dropped,
}

impl Field {
    fn of(name: &[u8]) -> Result<Self, Refusal> {
        match Self::usual(name) {
            Some(field) => Ok(field),
            None => Self::any(name),
        }
    }

    /// Answers as [`any`](Self::any) does, without an allocation for the name. By length first, then as a whole: a `match` on
    /// names reads them byte by byte.
    fn usual(name: &[u8]) -> Option<Self> {
        Some(match name.len() {
            3 if name == b"DNT" => Self::Header(header::DNT),
            3 if name == b"VIA" => Self::Header(header::VIA),
            4 if name == b"HOST" => Self::Host,
            5 if name == b"RANGE" => Self::Header(header::RANGE),
            6 if name == b"ACCEPT" => Self::Header(header::ACCEPT),
            6 if name == b"COOKIE" => Self::Cookie,
            6 if name == b"ORIGIN" => Self::Header(header::ORIGIN),
            6 if name == b"PRAGMA" => Self::Header(header::PRAGMA),
            7 if name == b"REFERER" => Self::Header(header::REFERER),
            7 if name == b"SEC_GPC" => Self::Header(SEC_GPC),
            7 if name == b"UPGRADE" => Self::Dropped,
            8 if name == b"IF_MATCH" => Self::Header(header::IF_MATCH),
            8 if name == b"IF_RANGE" => Self::Header(header::IF_RANGE),
            8 if name == b"PRIORITY" => Self::Header(PRIORITY),
            9 if name == b"SEC_CH_UA" => Self::Header(SEC_CH_UA),
            9 if name == b"X_REAL_IP" => Self::Forwarded(X_REAL_IP),
            9 if name == b"SAVE_DATA" => Self::Header(SAVE_DATA),
            10 if name == b"USER_AGENT" => Self::Header(header::USER_AGENT),
            10 if name == b"CONNECTION" => Self::Dropped,
            10 if name == b"TRACESTATE" => Self::Header(TRACESTATE),
            11 if name == b"TRACEPARENT" => Self::Header(TRACEPARENT),
            12 if name == b"CONTENT_TYPE" => Self::Dropped,
            12 if name == b"X_REQUEST_ID" => Self::Header(X_REQUEST_ID),
            13 if name == b"AUTHORIZATION" => Self::Header(header::AUTHORIZATION),
            13 if name == b"IF_NONE_MATCH" => Self::Header(header::IF_NONE_MATCH),
            13 if name == b"CACHE_CONTROL" => Self::Header(header::CACHE_CONTROL),
            13 if name == b"LAST_EVENT_ID" => Self::Header(LAST_EVENT_ID),
            14 if name == b"ACCEPT_CHARSET" => Self::Header(header::ACCEPT_CHARSET),
            14 if name == b"CONTENT_LENGTH" => Self::Dropped,
            14 if name == b"SEC_FETCH_SITE" => Self::Header(SEC_FETCH_SITE),
            14 if name == b"SEC_FETCH_MODE" => Self::Header(SEC_FETCH_MODE),
            14 if name == b"SEC_FETCH_DEST" => Self::Header(SEC_FETCH_DEST),
            14 if name == b"SEC_FETCH_USER" => Self::Header(SEC_FETCH_USER),
            15 if name == b"ACCEPT_ENCODING" => Self::Header(header::ACCEPT_ENCODING),
            15 if name == b"ACCEPT_LANGUAGE" => Self::Header(header::ACCEPT_LANGUAGE),
            15 if name == b"X_FORWARDED_FOR" => Self::Forwarded(X_FORWARDED_FOR),
            16 if name == b"X_REQUESTED_WITH" => Self::Header(X_REQUESTED_WITH),
            16 if name == b"CONTENT_ENCODING" => Self::Header(header::CONTENT_ENCODING),
            16 if name == b"X_FORWARDED_HOST" => Self::Forwarded(X_FORWARDED_HOST),
            16 if name == b"SEC_CH_UA_MOBILE" => Self::Header(SEC_CH_UA_MOBILE),
            17 if name == b"IF_MODIFIED_SINCE" => Self::Header(header::IF_MODIFIED_SINCE),
            17 if name == b"X_FORWARDED_PROTO" => Self::Forwarded(X_FORWARDED_PROTO),
            18 if name == b"SEC_CH_UA_PLATFORM" => Self::Header(SEC_CH_UA_PLATFORM),
            19 if name == b"IF_UNMODIFIED_SINCE" => Self::Header(header::IF_UNMODIFIED_SINCE),
            25 if name == b"UPGRADE_INSECURE_REQUESTS" => {
                Self::Header(header::UPGRADE_INSECURE_REQUESTS)
            }
            29 if name == b"ACCESS_CONTROL_REQUEST_METHOD" => {
                Self::Header(header::ACCESS_CONTROL_REQUEST_METHOD)
            }
            30 if name == b"ACCESS_CONTROL_REQUEST_HEADERS" => {
                Self::Header(header::ACCESS_CONTROL_REQUEST_HEADERS)
            }
            _ => return None,
        })
    }

    fn any(name: &[u8]) -> Result<Self, Refusal> {
        let name = header_name(name)?;
        Ok(match name.as_str() {
            "host" => Self::Host,
            "cookie" => Self::Cookie,
            lower if DROPPED.contains(&lower) => Self::Dropped,
            lower if is_forwarded(lower) => Self::Forwarded(name),
            _ => Self::Header(name),
        })
    }
}

fn header_name(name: &[u8]) -> Result<HeaderName, Refusal> {
    if name.len() > usize::from(u16::MAX) {
        return Err(Refusal::TOO_LONG_NAME);
    }
    let mut short = [0; 64];
    let mut long = Vec::new();
    let dashed = match short.get_mut(..name.len()) {
        Some(short) => short,
        None => {
            long.resize(name.len(), 0);
            &mut long[..]
        }
    };
    for (to, &from) in dashed.iter_mut().zip(name) {
        *to = if from == b'_' { b'-' } else { from };
    }
    HeaderName::from_bytes(dashed)
        .map_err(|_| Refusal::bad_request("the name of a header is no HTTP token"))
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const PRIORITY: HeaderName = HeaderName::from_static("priority");
const SAVE_DATA: HeaderName = HeaderName::from_static("save-data");
const SEC_CH_UA: HeaderName = HeaderName::from_static("sec-ch-ua");
const SEC_CH_UA_MOBILE: HeaderName = HeaderName::from_static("sec-ch-ua-mobile");
const SEC_CH_UA_PLATFORM: HeaderName = HeaderName::from_static("sec-ch-ua-platform");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_USER: HeaderName = HeaderName::from_static("sec-fetch-user");
const SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// These end at the web server, which has decoded the body and answered `Expect`. `Content-Length` and `Content-Type` come
/// as params of their own; a client that writes `Content_Length` reaches these. `Proxy` would become the `HTTP_PROXY` of
/// child processes, and their HTTP clients believe it ("httpoxy").
const DROPPED: [&str; 13] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[cfg(test)]
mod tests {
    use super::super::forwarded::NAMES;
    use super::*;

    fn headers(forwarded: Forwarded, params: &[(&str, &str)]) -> Result<HeaderMap, Refusal> {
        let raw: Bytes = params.iter().flat_map(|(_, value)| value.bytes()).collect();
        let mut map = HeaderMap::new();
        let mut headers = Headers::new(&raw, forwarded, &mut map);
        let mut rest = &raw[..];
        for (name, value) in params {
            let (value, after) = rest.split_at(value.len());
            headers.add(name.as_bytes(), value)?;
            rest = after;
        }
        headers.finish()?;
        Ok(map)
    }

    #[track_caller]
    fn assert_headers(params: &[(&str, &str)], expected: &[(&str, &str)]) {
        let headers = headers(Forwarded::Remove, params).unwrap();
        let found: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_become_lower_case_with_dashes() {
        assert_headers(
            &[("ACCEPT", "*/*"), ("X_CUSTOM_Name", "a"), ("X.DOT", "b"), ("_X_", "c")],
            &[("accept", "*/*"), ("x-custom-name", "a"), ("x.dot", "b"), ("-x-", "c")],
        );
        let long = "X_".repeat(100);
        assert_headers(&[(&long, "a")], &[(&"x-".repeat(100), "a")]);
    }

    #[test]
    fn repeated_headers_are_all_kept_in_order() {
        assert_headers(
            &[("ACCEPT", "a"), ("X_A", "1"), ("ACCEPT", "b"), ("X_A", "1"), ("x-a", "3")],
            &[("accept", "a"), ("accept", "b"), ("x-a", "1"), ("x-a", "1"), ("x-a", "3")],
        );
    }

    #[test]
    fn cookies_are_joined() {
        assert_headers(&[("COOKIE", "a=1")], &[("cookie", "a=1")]);
        let three = [("COOKIE", "a=1"), ("ACCEPT", "*/*"), ("COOKIE", "b=2"), ("COOKIE", "c=3")];
        assert_headers(&three, &[("accept", "*/*"), ("cookie", "a=1; b=2; c=3")]);
        assert_headers(
            &[("COOKIE", ""), ("COOKIE", "a=1"), ("COOKIE", ""), ("cookie", "b=2")],
            &[("cookie", "a=1; b=2")],
        );
        assert_headers(&[("COOKIE", "")], &[]);
    }

    #[test]
    fn what_ends_at_the_web_server_is_dropped() {
        let names = "connection content-length content-type expect http2-settings keep-alive proxy proxy-authorization \
                     proxy-connection te trailer transfer-encoding upgrade";
        for name in names.split(' ') {
            assert_headers(&[(name, "1")], &[]);
            assert_headers(&[(&name.to_uppercase().replace('-', "_"), "1")], &[]);
        }
    }

    #[test]
    fn what_proxies_tell_is_removed_or_kept() {
        for &name in NAMES {
            let param = name.to_uppercase().replace('-', "_");
            for param in [&param, &param.to_lowercase(), name] {
                assert_headers(&[(param, "1")], &[]);
                let kept = headers(Forwarded::Keep, &[(param, "1")]).unwrap();
                assert_eq!(kept.get(name).unwrap(), "1", "{param}");
            }
        }
    }

    #[test]
    fn similar_names_are_not_forwarded() {
        for name in ["x-forward", "x-forwardedfor", "forwardedx", "x-real", "via", "x-request-id"] {
            assert_headers(&[(name, "1")], &[(name, "1")]);
        }
    }

    #[test]
    fn the_table_of_usual_names_answers_as_the_rules_do() {
        let mut usual = 0;
        for name in CANDIDATES {
            if let Some(field) = Field::usual(name.as_bytes()) {
                assert_eq!(Ok(field), Field::any(name.as_bytes()), "{name}");
                usual += 1;
            }
        }
        assert_eq!(usual, CANDIDATES.len(), "every candidate is in the table");
    }

    #[test]
    fn names_that_are_no_token_are_refused() {
        let long_and_bad = format!("{}:", "A".repeat(100));
        for name in ["", "A B", "A:", "Ä", "A\r\nB", "A\0", "A(", "\"A", &long_and_bad] {
            let refusal = headers(Forwarded::Keep, &[(name, "1")]).unwrap_err();
            assert_eq!(refusal.status, 400, "{name:?}");
        }
    }

    #[test]
    fn a_name_too_long_for_http_is_too_large() {
        let name = "A".repeat(65_535);
        assert!(headers(Forwarded::Keep, &[(&name, "1")]).is_ok());
        let refusal = headers(Forwarded::Keep, &[(&format!("{name}A"), "1")]).unwrap_err();
        assert_eq!(refusal.status, 431);
    }

    #[test]
    fn values_are_bytes_without_control_characters() {
        let raw = Bytes::from_static(b"\xe9 \xc3\xa9\t~");
        let mut map = HeaderMap::new();
        let mut headers = Headers::new(&raw, Forwarded::Keep, &mut map);
        headers.add(b"X_A", &raw).unwrap();
        headers.finish().unwrap();
        assert_eq!(map["x-a"].as_bytes(), &raw[..]);
        assert_eq!(map["x-a"].as_bytes().as_ptr(), raw.as_ptr(), "not copied");
        for byte in (0..0x20).chain([0x7f]).filter(|&byte| byte != b'\t') {
            for name in ["X_A", "COOKIE"] {
                let value = format!("a{}b", char::from(byte));
                let refused = super::tests::headers(Forwarded::Keep, &[(name, &value)]);
                assert_eq!(refused.unwrap_err().status, 400, "{name} {byte}");
            }
        }
    }

    #[test]
    fn two_different_hosts_are_refused() {
        let hosts = |hosts: &[&'static str]| {
            let raw: Bytes = hosts.concat().into();
            let mut map = HeaderMap::new();
            let mut headers = Headers::new(&raw, Forwarded::Keep, &mut map);
            let mut rest = &raw[..];
            for host in hosts {
                let (host, after) = rest.split_at(host.len());
                headers.add(b"HOST", host).map_err(|refusal| refusal.status.as_u16())?;
                rest = after;
            }
            Ok(headers.host().map(|host| String::from_utf8_lossy(host).into_owned()))
        };
        assert_eq!(hosts(&[]), Ok(None));
        assert_eq!(hosts(&[""]), Ok(None));
        assert_eq!(hosts(&["a", "a"]), Ok(Some("a".into())));
        assert_eq!(hosts(&["a", "b"]), Err(400));
        assert_eq!(hosts(&["a", ""]), Err(400));
        assert_eq!(hosts(&["a", "b", "a"]), Err(400));
    }

    #[test]
    fn more_headers_than_http_can_hold_are_too_large() {
        let raw = Bytes::from_static(b"1");
        let mut map = HeaderMap::new();
        let mut headers = Headers::new(&raw, Forwarded::Keep, &mut map);
        let refusal = (0..40_000)
            .find_map(|index| headers.add(format!("X_{index}").as_bytes(), &raw).err())
            .unwrap();
        assert_eq!(refusal.status, 431);
    }

    const CANDIDATES: [&str; 47] = [
        "DNT",
        "VIA",
        "HOST",
        "RANGE",
        "ACCEPT",
        "COOKIE",
        "ORIGIN",
        "PRAGMA",
        "REFERER",
        "SEC_GPC",
        "UPGRADE",
        "IF_MATCH",
        "IF_RANGE",
        "PRIORITY",
        "SEC_CH_UA",
        "X_REAL_IP",
        "SAVE_DATA",
        "USER_AGENT",
        "CONNECTION",
        "TRACESTATE",
        "TRACEPARENT",
        "CONTENT_TYPE",
        "X_REQUEST_ID",
        "AUTHORIZATION",
        "IF_NONE_MATCH",
        "CACHE_CONTROL",
        "LAST_EVENT_ID",
        "ACCEPT_CHARSET",
        "CONTENT_LENGTH",
        "SEC_FETCH_SITE",
        "SEC_FETCH_MODE",
        "SEC_FETCH_DEST",
        "SEC_FETCH_USER",
        "ACCEPT_ENCODING",
        "ACCEPT_LANGUAGE",
        "X_FORWARDED_FOR",
        "X_REQUESTED_WITH",
        "CONTENT_ENCODING",
        "X_FORWARDED_HOST",
        "SEC_CH_UA_MOBILE",
        "IF_MODIFIED_SINCE",
        "X_FORWARDED_PROTO",
        "SEC_CH_UA_PLATFORM",
        "IF_UNMODIFIED_SINCE",
        "UPGRADE_INSECURE_REQUESTS",
        "ACCESS_CONTROL_REQUEST_METHOD",
        "ACCESS_CONTROL_REQUEST_HEADERS",
    ];
}
