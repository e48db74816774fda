use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use proptest::collection::vec;
use proptest::prelude::*;

use super::environ::Environ;
use super::head::{HeadLimits, HeadReader};
use super::{Environment, Forwarded, RequestOptions, UriSource, map_request};
use crate::error::BadHead;
use crate::record::{MAX_STREAM_CONTENT, Pairs, Role};

const LIMITS: HeadLimits = HeadLimits { size: 200, headers: 8 };

type Read = Result<Option<(u16, HeaderMap, Option<u64>, Vec<u8>)>, BadHead>;

/// The head in `bytes`, which come in pieces of `chunk`, and what follows it.
fn read(bytes: &[u8], chunk: usize) -> Read {
    let mut reader = HeadReader::default();
    for (index, part) in bytes.chunks(chunk).enumerate() {
        let mut content = part;
        if let Some(head) = reader.read(&mut content, LIMITS)? {
            let rest_at = index * chunk + part.len() - content.len();
            let status = head.parts.status.as_u16();
            return Ok(Some((
                status,
                head.parts.headers,
                head.content_length,
                bytes[rest_at..].into(),
            )));
        }
    }
    Ok(None)
}

/// Bytes of which more are a head than of any.
fn head_like() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b": ".to_vec()),
        Just(b"Status: 200 OK\r\n".to_vec()),
        Just(b"status:404\n".to_vec()),
        Just(b"Location: /a\r\n".to_vec()),
        Just(b"Content-Length: 5\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        "[A-Za-z-]{1,10}: [ -~]{0,20}\r\n".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..20),
    ];
    vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Names that tell what they become apart.
fn plain_name() -> impl Strategy<Value = String> {
    "y-[a-z0-9-]{0,40}"
}

fn any_name() -> impl Strategy<Value = String> {
    let special = [
        "proxy",
        "te",
        "connection",
        "content-length",
        "content-type",
        "host",
        "expect",
        "cookie",
        "transfer-encoding",
        "x_user",
        "x.user",
        "x-user",
        "upgrade",
    ];
    prop_oneof![
        prop::sample::select(special.to_vec()).prop_map(str::to_owned),
        "[a-z0-9!#$%&'*+.^_`|~-]{1,20}"
    ]
}

fn environ(request: &Request<()>, environment: &Environment) -> Option<Environ> {
    Environ::new(request, None, environment, None, 1_000_000).ok()
}

fn pairs(environ: &Environ) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for record in environ.records() {
        assert!(record.len() <= MAX_STREAM_CONTENT);
        for pair in Pairs::new(record) {
            let (name, value) = pair.expect("no pair goes on in another record");
            all.push((name.to_vec(), value.to_vec()));
        }
    }
    all
}

proptest! {
    #[test]
    fn a_head_is_the_same_however_it_is_cut(bytes in head_like(), chunk in 1..40usize) {
        let whole = read(&bytes, bytes.len().max(1));
        prop_assert_eq!(read(&bytes, chunk), whole.clone());
        if let Ok(Some((status, headers, length, _))) = whole {
            prop_assert!((200..=999).contains(&status));
            for name in ["status", "connection", "transfer-encoding", "te", "upgrade"] {
                prop_assert!(!headers.contains_key(name));
            }
            let told = headers.get("content-length").map(|value| value.to_str().unwrap().parse().unwrap());
            prop_assert_eq!(told, length);
        }
    }

    #[test]
    fn params_are_whole_pairs_of_sound_names_each_once(
        headers in vec((any_name(), vec(0x20..=0x7eu8, 0..2000)), 0..60),
        extra in vec(("(HTTP_)?[A-Z_]{1,8}", ".{0,20}"), 0..5),
        path in "/[!$-;=@-_a-z~%]{0,50}",
    ) {
        let Ok(mut request) = Request::get(path).body(()) else { return Ok(()) };
        for (name, value) in &headers {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        let mut environment = Environment::new();
        for (name, value) in &extra {
            environment.param(name, value);
        }
        let Some(environ) = environ(&request, &environment) else { return Ok(()) };
        let pairs = pairs(&environ);
        let mut names: Vec<_> = pairs.iter().map(|(name, _)| name.clone()).collect();
        for name in &names {
            let is_sound = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
            prop_assert!(name.iter().all(is_sound), "{}", name.escape_ascii());
            prop_assert_ne!(&name[..], b"HTTP_PROXY");
        }
        names.sort();
        let count = names.len();
        names.dedup();
        prop_assert_eq!(names.len(), count, "no name comes twice");
        for (name, value) in extra.iter().filter(|(name, _)| name != "HTTP_PROXY") {
            let last = extra.iter().rfind(|(other, _)| other == name).unwrap();
            if last.1 == *value {
                prop_assert!(pairs.contains(&(name.clone().into_bytes(), value.clone().into_bytes())));
            }
        }
    }

    #[test]
    fn what_the_server_reads_is_what_the_client_was_given(
        method in "[A-Z]{1,20}",
        path in "/[!$-;=@-_a-z~]{0,100}",
        query in proptest::option::of("[!$-;=?-~]{0,100}"),
        headers in vec((plain_name(), vec(0x21..=0xffu8, 1..200)), 0..20),
    ) {
        let uri = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.uri_mut() = uri.parse().unwrap();
        for (name, value) in &headers {
            let Ok(value) = HeaderValue::from_bytes(value) else { continue };
            request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        request.headers_mut().insert("host", HeaderValue::from_static("example.org"));
        let environ = environ(&request, &Environment::new()).unwrap();
        let wire: Vec<u8> = environ.records().flatten().copied().collect();
        let options = RequestOptions {
            forwarded: Forwarded::Remove,
            uri_source: UriSource::RequestUri,
            max_params: 512,
        };
        let mapped = map_request(wire.into(), Role::Responder, &options).unwrap();
        prop_assert_eq!(mapped.request.method(), request.method());
        prop_assert_eq!(mapped.request.uri(), request.uri());
        prop_assert_eq!(mapped.request.headers(), request.headers());
    }
}
