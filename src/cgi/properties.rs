//! What holds for every input, however strange.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body::SizeHint;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::request::MappedRequest;
use super::*;
use crate::record::{MAX_STREAM_CONTENT, Role, put_pair};

fn options() -> impl Strategy<Value = RequestOptions> {
    let forwarded = prop_oneof![Just(Forwarded::Remove), Just(Forwarded::Keep)];
    let uri_source = prop_oneof![
        Just(UriSource::RequestUri),
        Just(UriSource::Mounted),
        Just(UriSource::PathInfo)
    ];
    (forwarded, uri_source, 0..40usize).prop_map(|(forwarded, uri_source, max_params)| {
        RequestOptions { forwarded, uri_source, max_params }
    })
}

/// Names that mean something, and others.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "REQUEST_METHOD",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "PATH_INFO",
        "QUERY_STRING",
        "SERVER_PROTOCOL",
        "SERVER_NAME",
        "SERVER_PORT",
        "HTTPS",
        "REMOTE_ADDR",
        "REMOTE_PORT",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "HTTP_HOST",
        "HTTP_COOKIE",
        "HTTP_X_FORWARDED_FOR",
        "HTTP_CONNECTION",
    ]);
    prop_oneof![
        4 => known.prop_map(|name| name.as_bytes().to_vec()),
        2 => "HTTP_[A-Za-z0-9_.-]{0,80}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..140),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"GET".to_vec()),
        "(/[ -~]{0,20}|https?://[ -~]{0,20}|[0-9]{1,21}|[0-9a-f.:\\[\\]]{1,20})"
            .prop_map(String::into_bytes),
        vec(any::<u8>(), 0..200),
    ]
}

fn wire(pairs: &[(Vec<u8>, Vec<u8>)]) -> Bytes {
    let mut wire = Vec::new();
    for (name, value) in pairs {
        put_pair(&mut wire, name, value);
    }
    wire.into()
}

/// What may be said about the answer to any params at all.
fn check_mapped(mapped: Result<MappedRequest, Refusal>, options: &RequestOptions) {
    let mapped = match mapped {
        Ok(mapped) => mapped,
        Err(refusal) => {
            assert!(matches!(refusal.status.as_u16(), 400 | 414 | 431), "{refusal:?}");
            return;
        }
    };
    let (parts, ()) = mapped.request.into_parts();
    let params = parts.extensions.get::<Params>().unwrap();
    assert!(params.iter().count() <= options.max_params);
    assert_eq!(params.remote_addr(), mapped.remote_addr);
    assert!(parts.uri.scheme().is_none());
    assert!(parts.uri.authority().is_none() || parts.method == Method::CONNECT);
    assert!(
        parts.uri.authority().is_some() || matches!(parts.uri.path().as_bytes(), b"*" | [b'/', ..])
    );
    for name in ["connection", "te", "upgrade", "transfer-encoding", "expect", "proxy"] {
        assert!(!parts.headers.contains_key(name), "{name}");
    }
    for name in ["host", "cookie", "content-length", "content-type"] {
        assert!(parts.headers.get_all(name).iter().count() <= 1, "{name}");
    }
    let length =
        parts.headers.get("content-length").map(|it| it.to_str().unwrap().parse().unwrap());
    assert_eq!(length, mapped.content_length);
    if options.forwarded == Forwarded::Remove {
        let names = parts.headers.keys().map(HeaderName::as_str);
        assert_eq!(names.filter(|name| name.starts_with("x-forwarded-")).count(), 0);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_refused(
        raw in vec(any::<u8>(), 0..300),
        options in options(),
    ) {
        check_mapped(map_request(raw.into(), Role::Responder, &options), &options);
    }

    #[test]
    fn any_params_are_a_request_or_refused(
        pairs in vec((name(), value()), 0..30),
        options in options(),
    ) {
        check_mapped(map_request(wire(&pairs), Role::Filter, &options), &options);
    }

    #[test]
    fn a_request_comes_through_unchanged(
        method in "[A-Z]{1,20}",
        path in "/[!$-;=@-_a-z~]{0,100}",
        query in option::of("[!$-;=?-~]{0,100}"),
        // None of these names is dropped, joined or removed.
        headers in vec(("y-[a-z0-9-]{0,70}", vec(0x20..=0x7eu8, 0..200)), 0..20),
        content_length in option::of(any::<u64>()),
    ) {
        let uri = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let mut pairs = vec![
            (b"REQUEST_URI".to_vec(), uri.clone().into_bytes()),
            (b"REQUEST_METHOD".to_vec(), method.clone().into_bytes()),
        ];
        let mut expected = HeaderMap::new();
        for (name, value) in &headers {
            let param = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
            pairs.push((param.into_bytes(), value.clone()));
            expected.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        if let Some(length) = content_length {
            pairs.push((b"CONTENT_LENGTH".to_vec(), length.to_string().into_bytes()));
            expected.append("content-length", length.into());
        }
        let options = RequestOptions {
            forwarded: Forwarded::Remove,
            uri_source: UriSource::RequestUri,
            max_params: pairs.len(),
        };
        let mapped = map_request(wire(&pairs), Role::Responder, &options).unwrap();
        prop_assert_eq!(mapped.request.method(), method.as_str());
        prop_assert_eq!(mapped.request.uri().to_string(), uri);
        prop_assert_eq!(mapped.content_length, content_length);
        prop_assert_eq!(mapped.request.headers(), &expected);
    }

    #[test]
    fn a_decoded_path_comes_back_when_it_is_decoded(path in vec(any::<u8>(), 0..100)) {
        let path = [b"/", &path[..]].concat();
        let pairs = [
            (b"PATH_INFO".to_vec(), path.clone()),
            (b"REQUEST_METHOD".to_vec(), b"GET".to_vec()),
        ];
        let options = RequestOptions {
            forwarded: Forwarded::Remove,
            uri_source: UriSource::PathInfo,
            max_params: 2,
        };
        let mapped = map_request(wire(&pairs), Role::Responder, &options).unwrap();
        prop_assert_eq!(mapped.request.uri().query(), None);
        prop_assert_eq!(decode(mapped.request.uri().path()), path);
    }

    #[test]
    fn a_mount_is_stripped_however_it_was_written(
        mount in "(/[!-.0-~]{1,10}){1,3}",
        info in option::of("/[!-~]{0,30}"),
        is_encoded in vec(any::<bool>(), 75),
    ) {
        let info = info.unwrap_or_default();
        let encode = |text: &str, is_encoded: &[bool]| -> String {
            let of = |(byte, &is_encoded): (u8, &bool)| match byte {
                b'/' | b'a'..=b'z' if byte == b'/' || !is_encoded => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            };
            text.bytes().zip(is_encoded).map(of).collect()
        };
        let below = encode(&info, &is_encoded[40..]);
        let uri = encode(&mount, &is_encoded) + &below + "?q";
        let pairs = [
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_URI", &uri),
            ("SCRIPT_NAME", &mount),
            ("PATH_INFO", &info),
        ];
        let pairs = pairs.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        let options = RequestOptions {
            forwarded: Forwarded::Remove,
            uri_source: UriSource::Mounted,
            max_params: 4,
        };
        let mapped = map_request(wire(&pairs), Role::Responder, &options).unwrap();
        let path = if below.is_empty() { "/" } else { &below };
        prop_assert_eq!(mapped.request.uri().to_string(), format!("{path}?q"));
        let prefix = mapped.request.extensions().get::<MountPrefix>().unwrap();
        prop_assert_eq!(decode(prefix.as_str()), mount.as_bytes());
    }

    #[test]
    fn params_are_those_that_the_client_did_not_send(pairs in vec((name(), value()), 0..20)) {
        let params: Params = pairs.iter().map(|(name, value)| (name, value)).collect();
        let is_own = |name: &[u8]| {
            !name.starts_with(b"HTTP_") && !matches!(name, b"CONTENT_TYPE" | b"CONTENT_LENGTH")
        };
        let expected: Vec<(&[u8], &[u8])> = pairs
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .filter(|(name, _)| is_own(name))
            .collect();
        prop_assert_eq!(params.iter().collect::<Vec<_>>(), expected.clone());
        for (name, _) in &expected {
            let Ok(text) = std::str::from_utf8(name) else { continue };
            let last = expected.iter().rfind(|(other, _)| other == name).unwrap().1;
            prop_assert_eq!(params.get(text), Some(last));
        }
    }

    #[test]
    fn any_response_has_a_sound_head(
        status in 200..=999u16,
        headers in vec((response_name(), response_value()), 0..20),
        is_head: bool,
        body in prop_oneof![Just(None), (0..1000u64).prop_map(Some)],
        is_end: bool,
        date: bool,
    ) {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            response.headers_mut().append(name, value);
        }
        let (parts, ()) = response.into_parts();
        let size = body.map_or_else(SizeHint::new, SizeHint::with_exact);
        let mut dst = Vec::new();
        let framing = put_head(&mut dst, is_head, &parts, size, is_end, date).unwrap();
        check_head(&dst, framing, &parts.headers, status);
    }
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    decoded
}

const FORBIDDEN: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "trailer",
    "trailers",
    "te",
];

fn response_name() -> impl Strategy<Value = HeaderName> {
    let special = [
        &FORBIDDEN[..],
        &["status", "location", "content-length", "content-type", "date", "set-cookie"],
    ];
    prop_oneof![
        prop::sample::select(special.concat()).prop_map(str::to_owned),
        "[a-z][a-z0-9_.-]{0,40}"
    ]
    .prop_map(|name| name.parse().unwrap())
}

fn response_value() -> impl Strategy<Value = HeaderValue> {
    prop_oneof![
        (0..1000u64).prop_map(HeaderValue::from),
        vec(prop_oneof![Just(b'\t'), 0x20..=0x7eu8, 0x80..=0xffu8], 0..100)
            .prop_map(|value| HeaderValue::from_bytes(&value).unwrap()),
    ]
}

/// Reads the head as a strict web server would, and compares it with what the service gave.
fn check_head(head: &[u8], framing: Framing, service: &HeaderMap, status: u16) {
    assert!(head.len() <= MAX_STREAM_CONTENT);
    let lines = parse_lines(head);
    let values = |name: &str| -> Vec<&[u8]> {
        lines.iter().filter(|(other, _)| other == name).map(|&(_, value)| value).collect()
    };
    for name in FORBIDDEN {
        assert!(values(name).is_empty(), "{name}");
    }
    let [status_line] = values("status")[..] else { panic!("one Status") };
    assert!(status_line.starts_with(format!("{status} ").as_bytes()));
    let is_last = status != 302 && service.contains_key("location");
    let position = lines.iter().position(|(name, _)| name == "status").unwrap();
    assert_eq!(position, if is_last { lines.len() - 1 } else { 0 });

    let length = match values("content-length")[..] {
        [] => None,
        [length] => Some(std::str::from_utf8(length).unwrap().parse().unwrap()),
        _ => panic!("at most one Content-Length"),
    };
    match framing {
        Framing::Known(known) => assert_eq!(length, Some(known)),
        Framing::Unknown => assert_eq!(length, None),
        Framing::Omitted => assert!(status != 204 || length.is_none()),
    }
    let has_body = !matches!(framing, Framing::Omitted | Framing::Known(0));
    assert!(!has_body || !values("content-type").is_empty());

    let names: BTreeSet<_> = service.keys().map(HeaderName::as_str).collect();
    for name in names {
        if FORBIDDEN.contains(&name) || matches!(name, "status" | "content-length") {
            continue;
        }
        let expected: Vec<_> = service.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(values(name), expected, "{name}");
    }
}

/// Lines of `name: value` that end in CRLF, and an empty one at the end.
fn parse_lines(head: &[u8]) -> Vec<(String, &[u8])> {
    let head = head.strip_suffix(b"\r\n").expect("an empty line at the end");
    let mut lines = Vec::new();
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").expect("lines end in CRLF");
        assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0')));
        let colon = line.windows(2).position(|pair| pair == b": ").expect("a colon and a space");
        let name = std::str::from_utf8(&line[..colon]).unwrap().to_ascii_lowercase();
        assert!(!name.is_empty() && !name.contains([' ', ':']), "{name:?}");
        lines.push((name, &line[colon + 2..]));
    }
    lines
}
