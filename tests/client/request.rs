//! What a request becomes on the wire.

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::{Empty, Full};
use tower_fastcgi::Role;
use tower_fastcgi::client::Environment;

use crate::link::{
    ABORT, BEGIN, DATA, Link, PARAMS, Received, STDIN, any, builder, end, get, params, post,
    post_feed, stdout,
};
use crate::support::feed;

/// The params of a request, in order.
fn sent(
    environment: Environment,
    request: Request<crate::link::AnyBody>,
) -> Vec<(String, Vec<u8>)> {
    let mut link = Link::with(builder().environment(environment));
    let _pending = link.request(request);
    params(&link.app.take_all())
}

#[track_caller]
fn assert_params(sent: &[(String, Vec<u8>)], expected: &[(&str, &str)]) {
    for &(name, value) in expected {
        let values: Vec<_> = sent.iter().filter(|(other, _)| other == name).collect();
        assert_eq!(values.len(), 1, "{name} in {sent:?}");
        assert_eq!(String::from_utf8_lossy(&values[0].1), value, "{name}");
    }
}

#[track_caller]
fn assert_absent(sent: &[(String, Vec<u8>)], names: &[&str]) {
    for name in names {
        assert!(!sent.iter().any(|(other, _)| other == name), "{name} in {sent:?}");
    }
}

#[test]
fn a_get_is_one_write() {
    let mut link = Link::new();
    let _pending = link.request(get("/a%20b?x=1"));
    assert_eq!(link.app.writes(), 1);
    let records = link.app.take_all();
    let kinds: Vec<_> = records.iter().map(|record| (record.kind, record.id)).collect();
    assert_eq!(kinds, [(BEGIN, 1), (PARAMS, 1), (PARAMS, 1), (STDIN, 1)]);
    assert_eq!(records[0].content, [0, 1, 1, 0, 0, 0, 0, 0]);
    assert!(records[2].content.is_empty() && records[3].content.is_empty());
    let sent = params(&records);
    assert_params(
        &sent,
        &[
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_URI", "/a%20b?x=1"),
            ("QUERY_STRING", "x=1"),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", "/a b"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
            ("REQUEST_SCHEME", "http"),
            ("REDIRECT_STATUS", "200"),
        ],
    );
    assert_absent(
        &sent,
        &["CONTENT_LENGTH", "CONTENT_TYPE", "HTTPS", "REMOTE_ADDR", "SCRIPT_FILENAME", "HTTP_HOST"],
    );
}

#[test]
fn what_the_web_server_says_is_in_params() {
    let mut environment = Environment::new();
    environment
        .document_root("/srv/www")
        .scripts(".php", "index.php")
        .remote_addr("[2001:db8::1]:50000".parse().unwrap())
        .server_addr("192.0.2.1:8443".parse().unwrap())
        .server_name("example.org")
        .https(true)
        .param("APP_ENV", "test");
    let mut own = Environment::new();
    own.remote_addr("192.0.2.7:0".parse().unwrap()).param("APP_ENV", "own");
    let mut request = get("/a.php/b%2Fc");
    request.extensions_mut().insert(own);
    let sent = sent(environment, request);
    assert_params(
        &sent,
        &[
            ("SCRIPT_FILENAME", "/srv/www/a.php"),
            ("SCRIPT_NAME", "/a.php"),
            ("PATH_INFO", "/b/c"),
            ("DOCUMENT_ROOT", "/srv/www"),
            ("DOCUMENT_URI", "/a.php/b/c"),
            ("REMOTE_ADDR", "192.0.2.7"),
            ("SERVER_ADDR", "192.0.2.1"),
            ("SERVER_PORT", "8443"),
            ("SERVER_NAME", "example.org"),
            ("HTTPS", "on"),
            ("REQUEST_SCHEME", "https"),
            ("APP_ENV", "own"),
        ],
    );
    assert_absent(&sent, &["REMOTE_PORT"]);
}

#[test]
fn headers_cannot_pass_for_anything_else() {
    let mut request = get("/");
    let headers = request.headers_mut();
    for name in [
        "x_user",
        "x.user",
        "x!user",
        "proxy",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "expect",
        "transfer-encoding",
        "proxy-authorization",
        "proxy-connection",
        "content_length",
        "named",
    ] {
        headers.insert(http::HeaderName::from_static(name), HeaderValue::from_static("evil"));
    }
    headers.insert("connection", HeaderValue::from_static("close, Named"));
    headers.insert("x-user", HeaderValue::from_static("honest"));
    headers.insert("https", HeaderValue::from_static("on"));
    headers.insert("remote-addr", HeaderValue::from_static("127.0.0.1"));
    let sent = sent(Environment::new(), request);
    assert_params(
        &sent,
        &[("HTTP_X_USER", "honest"), ("HTTP_HTTPS", "on"), ("HTTP_REMOTE_ADDR", "127.0.0.1")],
    );
    assert!(!sent.iter().any(|(_, value)| value == b"evil"), "{sent:?}");
    assert_absent(
        &sent,
        &["HTTP_PROXY", "HTTPS", "REMOTE_ADDR", "CONTENT_LENGTH", "HTTP_CONNECTION"],
    );
}

#[test]
fn values_are_bytes_and_several_are_one_param() {
    let mut request = get("/");
    let headers = request.headers_mut();
    headers.append("x-a", HeaderValue::from_bytes(b"caf\xe9").unwrap());
    headers.append("x-b", HeaderValue::from_static("1"));
    headers.append("x-b", HeaderValue::from_static("2"));
    headers.append("x-b", HeaderValue::from_static("3"));
    headers.append("cookie", HeaderValue::from_static("a=1"));
    headers.append("cookie", HeaderValue::from_static("b=2"));
    let sent = sent(Environment::new(), request);
    assert!(sent.contains(&("HTTP_X_A".into(), b"caf\xe9".to_vec())));
    assert_params(&sent, &[("HTTP_X_B", "1, 2, 3"), ("HTTP_COOKIE", "a=1; b=2")]);
}

#[test]
fn a_param_set_by_hand_replaces_all_others_of_its_name() {
    let mut environment = Environment::new();
    environment
        .param("HTTP_X_USER", "web server")
        .param("SERVER_SOFTWARE", "mine")
        .param("TWICE", "1")
        .param("TWICE", "2")
        .param("HTTP_PROXY", "evil");
    let mut request = get("/");
    request.headers_mut().insert("x-user", HeaderValue::from_static("client"));
    let sent = sent(environment, request);
    assert_params(
        &sent,
        &[("HTTP_X_USER", "web server"), ("SERVER_SOFTWARE", "mine"), ("TWICE", "2")],
    );
    assert_absent(&sent, &["HTTP_PROXY"]);
}

#[test]
fn the_uri_names_the_host_before_the_header_does() {
    let mut request = get("http://user@example.org:8080/path");
    request.headers_mut().insert("host", HeaderValue::from_static("evil.example"));
    let sent_params = sent(Environment::new(), request);
    assert_params(
        &sent_params,
        &[
            ("HTTP_HOST", "example.org:8080"),
            ("SERVER_NAME", "example.org"),
            ("SERVER_PORT", "8080"),
            ("REQUEST_URI", "/path"),
        ],
    );
    let mut request = get("https://[2001:db8::1]/");
    request.headers_mut().clear();
    let sent_params = sent(Environment::new(), request);
    // The scheme of a URI is the client's word.
    assert_params(&sent_params, &[("SERVER_NAME", "[2001:db8::1]"), ("SERVER_PORT", "80")]);
    assert_absent(&sent_params, &["HTTPS"]);
}

#[test]
fn methods_and_targets_are_as_they_are() {
    for (method, target, uri) in [
        (Method::OPTIONS, "*", "*"),
        (Method::DELETE, "//a/../b?", "//a/../b?"),
        (Method::from_bytes(b"get").unwrap(), "/", "/"),
    ] {
        let mut request = get(target);
        *request.method_mut() = method.clone();
        let sent = sent(Environment::new(), request);
        assert_params(&sent, &[("REQUEST_METHOD", method.as_str()), ("REQUEST_URI", uri)]);
    }
}

#[test]
fn a_body_of_known_length_is_announced() {
    let mut link = Link::new();
    let mut request = post("/", "hello");
    request.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    let _pending = link.request(request);
    let records = link.app.take_all();
    let sent = params(&records);
    assert_params(&sent, &[("CONTENT_LENGTH", "5"), ("CONTENT_TYPE", "text/plain")]);
    assert_absent(&sent, &["HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"]);
    let stdin: Vec<_> = records.iter().filter(|record| record.kind == STDIN).collect();
    assert_eq!(stdin.len(), 2);
    assert_eq!(stdin[0].content, b"hello");
    assert!(stdin[1].content.is_empty());
}

#[test]
fn an_empty_post_says_so() {
    let sent = sent(Environment::new(), post("/", ""));
    assert_params(&sent, &[("CONTENT_LENGTH", "0")]);
}

#[test]
fn a_body_of_unknown_length_streams() {
    let mut link = Link::new();
    let (feed, body) = feed();
    let mut pending = link.request(post_feed("/", body));
    let records = link.app.take_all();
    assert_absent(&params(&records), &["CONTENT_LENGTH"]);
    assert!(!records.iter().any(|record| record.kind == STDIN));
    feed.send("first");
    feed.send("");
    feed.send("second");
    link.run();
    let records = link.app.take_all();
    let contents: Vec<_> =
        records.iter().map(|record| (record.kind, &record.content[..])).collect();
    assert_eq!(contents, [(STDIN, &b"first"[..]), (STDIN, b"second")]);
    feed.end();
    link.run();
    assert_eq!(link.app.take_all(), [Received { kind: STDIN, id: 1, content: Vec::new() }]);
    link.answer([stdout(1, "A: b\n\n"), end(1)]);
    pending.response();
}

#[test]
fn an_application_that_needs_the_length_gets_no_request_without() {
    let mut link = Link::with(builder().length_required(true));
    let (_feed, body) = feed();
    let mut failed = link.request(post_feed("/", body)).failure();
    assert!(failed.error().is_length_required() && failed.error().is_user());
    assert!(failed.take_message().is_some());
    assert!(link.app.take_all().is_empty());
    link.assert_works();
    let (_feed, body) = feed();
    let mut request = post_feed("/", body);
    request.headers_mut().insert("content-length", 5.into());
    let _pending = link.request(request);
    assert_params(&params(&link.app.take_all()), &[("CONTENT_LENGTH", "5")]);
}

#[test]
fn a_length_that_is_not_the_bodys_is_an_error() {
    for lengths in [&["4"][..], &["5", "4"], &["x"], &[""], &["-1"]] {
        let mut link = Link::new();
        let mut request = post("/", "hello");
        for length in lengths {
            request.headers_mut().append("content-length", HeaderValue::from_static(length));
        }
        let failed = link.request(request).failure();
        assert!(failed.error().is_user(), "{lengths:?}: {failed:?}");
        assert!(link.app.take_all().is_empty());
        link.assert_works();
    }
}

#[test]
fn a_body_that_is_not_as_long_as_it_said_is_aborted() {
    for (frames, is_ended) in
        [(&["123456"][..], false), (&["123", "456"], false), (&["1234"], true)]
    {
        let mut link = Link::new();
        let (feed, body) = feed();
        let mut request = post_feed("/", body);
        request.headers_mut().insert("content-length", 5.into());
        let mut pending = link.request(request);
        frames.iter().for_each(|&frame| feed.send(frame));
        if is_ended {
            feed.end();
        }
        link.run();
        let error = pending.error();
        assert!(error.is_user(), "{error:?}");
        let records = link.app.take_all();
        assert_eq!(records.last().unwrap().kind, ABORT);
        assert!(!records.iter().any(|record| record.kind == STDIN && record.content.is_empty()));
        assert!(feed.is_dropped());
    }
}

#[test]
fn a_body_that_fails_is_aborted() {
    let mut link = Link::new();
    let (feed, body) = feed();
    let mut pending = link.request(post_feed("/", body));
    feed.send("part");
    feed.fail();
    link.run();
    let error = pending.error();
    assert!(error.is_user());
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the body failed");
    assert_eq!(link.app.take_all().last().unwrap().kind, ABORT);
}

#[test]
fn no_pair_goes_on_in_another_record() {
    let mut request = get("/");
    for index in 0..40 {
        let name = http::HeaderName::try_from(format!("x-{index}")).unwrap();
        let value = HeaderValue::try_from("v".repeat(index * 100)).unwrap();
        request.headers_mut().insert(name, value);
    }
    request.headers_mut().insert("x-large", HeaderValue::try_from("v".repeat(60_000)).unwrap());
    let mut link = Link::with(builder().max_params_size(1_000_000));
    let _pending = link.request(request);
    let records = link.app.take_all();
    let contents = records.iter().filter(|record| record.kind == PARAMS).count();
    assert!(contents > 2, "{contents} records");
    // `params` fails on a pair that is not whole.
    assert_eq!(params(&records).iter().filter(|(name, _)| name.starts_with("HTTP_X_")).count(), 41);
}

#[test]
fn params_that_are_too_large_are_not_sent() {
    let mut link = Link::with(builder().max_params_size(1_000));
    let mut request = get("/");
    request.headers_mut().insert("x-a", HeaderValue::try_from("v".repeat(1_000)).unwrap());
    let failed = link.request(request).failure();
    assert!(failed.error().is_user() && failed.error().is_too_large());
    link.assert_works();

    let mut link = Link::with(builder().max_params_size(1_000_000));
    let mut request = get("/");
    request.headers_mut().insert("x-a", HeaderValue::try_from("v".repeat(65_528)).unwrap());
    let failed = link.request(request).failure();
    assert!(failed.error().is_user() && failed.error().is_too_large(), "{failed:?}");
    link.assert_works();
}

#[test]
fn what_cannot_be_said_in_params_is_refused() {
    let mut scripts = Environment::new();
    scripts.document_root("/srv").scripts(".php", "index.php");
    let mut hosts = get("/");
    hosts.headers_mut().append("host", HeaderValue::from_static("a"));
    hosts.headers_mut().append("host", HeaderValue::from_static("b"));
    for (environment, request) in [
        (Environment::new(), get("/a%00b")),
        (scripts.clone(), get("/%2e%2e/etc/a.php")),
        (scripts, get("/a/../../b.php")),
        (Environment::new(), hosts),
    ] {
        let mut link = Link::with(builder().environment(environment));
        let failed = link.request(request).failure();
        assert!(failed.error().is_user(), "{failed:?}");
        assert!(link.app.take_all().is_empty());
    }
}

#[test]
fn roles_have_their_own_streams() {
    let kinds_of = |role| {
        let mut environment = Environment::new();
        environment.role(role);
        let mut request = Request::post("/").body(any(Full::new(Bytes::from("body")))).unwrap();
        request.extensions_mut().insert(environment);
        let mut link = Link::new();
        let _pending = link.request(request);
        let records = link.app.take_all();
        let kinds: Vec<_> = records.iter().map(|record| record.kind).collect();
        (records[0].content[1], kinds)
    };
    assert_eq!(kinds_of(Role::Responder), (1, vec![BEGIN, PARAMS, PARAMS, STDIN, STDIN]));
    assert_eq!(kinds_of(Role::Authorizer), (2, vec![BEGIN, PARAMS, PARAMS]));
    assert_eq!(kinds_of(Role::Filter), (3, vec![BEGIN, PARAMS, PARAMS, STDIN, STDIN, DATA]));
}

#[test]
fn a_filter_gets_its_file_behind_the_body() {
    let file = Bytes::from("f".repeat(70_000));
    let mut environment = Environment::new();
    environment.role(Role::Filter).filter_data(file.clone());
    let mut link = Link::with(builder().environment(environment));
    let _pending = link.request(post("/", "body"));
    let records = link.app.take_all();
    let kinds: Vec<_> = records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [BEGIN, PARAMS, PARAMS, STDIN, STDIN, DATA, DATA, DATA]);
    let data: Vec<u8> =
        records.iter().filter(|it| it.kind == DATA).flat_map(|it| it.content.clone()).collect();
    assert_eq!(data, file);
    assert_params(&params(&records), &[("FCGI_DATA_LENGTH", "70000")]);
}

#[test]
fn without_keep_conn_the_connection_takes_one_request() {
    let mut link = Link::with(builder().keep_conn(false));
    let mut pending = link.request(get("/"));
    assert_eq!(link.app.take_all()[0].content, [0, 1, 0, 0, 0, 0, 0, 0]);
    assert!(link.send.is_closed());
    link.answer([stdout(1, "A: b\n\n"), end(1)]);
    pending.response();
    assert!(link.outcome().is_ok());
}

#[test]
fn a_large_body_is_sent_as_the_application_reads() {
    let mut link = Link::new();
    link.app.read_only(100_000);
    let body = Bytes::from(vec![7; 4_000_000]);
    let _pending = link.request(post("/", body.clone()));
    let mut received = Vec::new();
    for _ in 0..100 {
        link.app.read_only(100_000);
        link.run();
        received.extend(link.app.take_stdin());
    }
    assert_eq!(received, body);
}

#[test]
fn a_body_is_not_polled_while_the_application_does_not_read() {
    let mut link = Link::new();
    link.app.read_only(0);
    let (feed, body) = feed();
    let _pending = link.request(post_feed("/", body));
    for _ in 0..100 {
        feed.send(vec![1; 64 * 1024]);
    }
    link.run();
    assert!(feed.waiting() >= 97, "{} frames wait", feed.waiting());
    link.app.read_only(usize::MAX);
    link.run();
    assert_eq!(feed.waiting(), 0);
    assert_eq!(link.app.take_stdin().len(), 100 * 64 * 1024);
}

#[test]
fn an_empty_body_of_unknown_length_has_no_parts() {
    let mut link = Link::new();
    let (feed, body) = feed();
    feed.end();
    let _pending = link.request(post_feed("/", body));
    let records = link.app.take_all();
    assert_eq!(records.iter().filter(|record| record.kind == STDIN).count(), 1);
    let empty = Request::put("/").body(any(Empty::new())).unwrap();
    drop(empty);
}
