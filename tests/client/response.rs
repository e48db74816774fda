//! What a response is made of.

use http::Request;
use http_body::Body;
use http_body_util::Empty;
use tower_fastcgi::client::Stderr;

use crate::link::{
    ABORT, Link, Pending, ReadBody, STDERR, STDOUT, any, builder, end, end_stdout, end_with, get,
    post_feed, stderr, stdout,
};
use crate::support::{Rec, bytes_of, feed, record};

fn asked() -> (Link, Pending) {
    let mut link = Link::new();
    let pending = link.request(get("/"));
    link.app.take_all();
    (link, pending)
}

#[test]
fn head_and_body_in_one_read() {
    let (mut link, mut pending) = asked();
    assert!(pending.is_pending());
    link.answer([
        stdout(1, "Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nnot here"),
        end_stdout(1),
        end(1),
    ]);
    assert!(pending.is_woken(), "it would wait for ever");
    let mut response = pending.response();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.read_all().unwrap(), b"not here");
    assert!(response.body().is_end_stream());
    link.assert_works();
}

#[test]
fn however_it_is_cut_it_is_the_same_response() {
    let records = [
        stdout(1, "Status: 201 Created\r\nContent-Le"),
        stderr(1, "a warning").padding(3),
        stdout(1, "ngth: 10\r\n\r\n01234").padding(7),
        stdout(1, "56789"),
        end_stdout(1).padding(255),
        end(1),
    ];
    let bytes = bytes_of(records);
    for chunk in [1, 2, 3, 7, 8, 9, 50, 1000] {
        let (mut link, mut pending) = asked();
        for part in bytes.chunks(chunk) {
            link.app.send_bytes(part);
            link.run();
        }
        let mut response = pending.response();
        assert_eq!(response.status(), 201);
        assert_eq!(response.body().size_hint().exact(), Some(10));
        assert_eq!(response.read_all().unwrap(), b"0123456789", "in reads of {chunk}");
        link.assert_works();
    }
}

#[test]
fn a_body_streams_before_it_ends() {
    let (mut link, mut pending) = asked();
    link.answer([stdout(1, "A: b\r\n\r\n")]);
    let mut response = pending.response();
    assert!(response.next().is_none());
    link.answer([stdout(1, "first")]);
    assert_eq!(response.next().unwrap().unwrap(), b"first");
    assert!(response.next().is_none());
    assert!(!link.send.is_ready());
    link.answer([end(1)]);
    assert_eq!(response.read_all().unwrap(), b"");
    assert!(link.send.is_ready());
}

#[test]
fn a_response_may_come_before_the_request_has_ended() {
    let mut link = Link::new();
    let (feed, body) = feed();
    let mut pending = link.request(post_feed("/", body));
    link.answer([stdout(1, "A: b\r\n\r\nearly")]);
    let mut response = pending.response();
    assert_eq!(response.next().unwrap().unwrap(), b"early");
    feed.send("late");
    link.run();
    assert_eq!(link.app.take_stdin(), b"late");
    feed.end();
    link.run();
    link.answer([end(1)]);
    assert_eq!(response.read_all().unwrap(), b"");
    link.app.take_all();
    link.assert_works();
}

#[test]
fn a_response_that_ends_before_the_request_ends_the_connection() {
    let mut link = Link::new();
    let (feed, body) = feed();
    let mut pending = link.request(post_feed("/", body));
    link.answer([stdout(1, "Status: 413\r\n\r\ntoo much"), end(1)]);
    let mut response = pending.response();
    assert_eq!(response.status(), 413);
    assert_eq!(response.read_all().unwrap(), b"too much");
    assert!(feed.is_dropped());
    assert!(link.send.is_closed());
    assert!(link.outcome().is_ok());
}

#[test]
fn head_and_statuses_without_a_body_have_none() {
    for status in ["204 No Content", "304 Not Modified"] {
        let (mut link, mut pending) = asked();
        let head = format!("Status: {status}\r\nETag: a\r\n\r\nignored");
        link.answer([stdout(1, head), end(1)]);
        let mut response = pending.response();
        assert!(response.body().is_end_stream());
        assert_eq!(response.read_all().unwrap(), b"");
        link.assert_works();
    }
    let mut link = Link::new();
    let mut pending = link.request(Request::head("/").body(any(Empty::new())).unwrap());
    link.app.take_all();
    link.answer([stdout(1, "Content-Length: 1000\r\n\r\nignored"), end(1)]);
    let response = pending.response();
    assert_eq!(response.headers()["content-length"], "1000");
    assert!(response.body().is_end_stream());
    link.assert_works();
}

#[test]
fn a_head_that_is_none_is_an_error() {
    for (head, is_too_large) in [
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), false),
        ("\r\nbody".to_owned(), false),
        ("Status: abc\r\n\r\n".to_owned(), false),
        ("Status: 100 Continue\r\n\r\n".to_owned(), false),
        ("Content-Length: x\r\n\r\n".to_owned(), false),
        (format!("A: {}\r\n\r\n", "b".repeat(65_400)), true),
        (format!("{}\r\n", "A: b\r\n".repeat(200)), true),
    ] {
        let mut link = Link::with(builder().max_head_size(60_000));
        let mut pending = link.request(get("/"));
        link.app.take_all();
        link.answer([stdout(1, &head)]);
        let error = pending.error();
        assert!(error.is_protocol(), "{error:?}");
        assert_eq!(error.is_too_large(), is_too_large, "{error:?}");
        assert_eq!(link.app.take_all()[0].kind, ABORT);
        assert!(link.send.is_closed());
        link.answer([end(1)]);
        assert!(!link.is_running());
    }
}

#[test]
fn an_end_before_the_head_is_an_error() {
    for (records, is_incomplete) in [
        (vec![end(1)], false),
        (vec![end_stdout(1), end(1)], false),
        (vec![stdout(1, "Status: 200\r\n"), end(1)], true),
    ] {
        let (mut link, mut pending) = asked();
        link.answer(records);
        let error = pending.error();
        assert_eq!((error.is_protocol(), error.is_incomplete()), (!is_incomplete, is_incomplete));
        link.assert_works();
    }
}

#[test]
fn a_body_shorter_than_its_length_is_an_error() {
    let (mut link, mut pending) = asked();
    link.answer([stdout(1, "Content-Length: 10\r\n\r\n012345678"), end(1)]);
    let mut response = pending.response();
    assert_eq!(response.next().unwrap().unwrap(), b"012345678");
    assert!(response.next().unwrap().unwrap_err().is_incomplete());
}

#[test]
fn a_body_longer_than_its_length_is_an_error() {
    for parts in [&["0123456789x"][..], &["0123456789", "x"], &["01234", "5678", "9x"]] {
        let (mut link, mut pending) = asked();
        link.answer([stdout(1, "Content-Length: 10\r\n\r\n")]);
        let mut response = pending.response();
        let mut received = Vec::new();
        for part in parts {
            link.answer([stdout(1, part)]);
            while let Some(Ok(data)) = response.next() {
                received.extend(data);
            }
        }
        assert_eq!(received, b"0123456789");
        // Taken above, the error is not told twice: the body has ended.
        assert!(link.send.is_closed());
        assert_eq!(link.app.take_all()[0].kind, ABORT);
    }
    let (mut link, mut pending) = asked();
    link.answer([stdout(1, "Content-Length: 2\r\n\r\n012"), end(1)]);
    let mut response = pending.response();
    assert_eq!(response.next().unwrap().unwrap(), b"01");
    assert!(response.next().unwrap().unwrap_err().is_protocol());
}

#[test]
fn an_unread_body_stops_the_reading() {
    let (mut link, mut pending) = asked();
    link.answer([stdout(1, "A: b\r\n\r\n")]);
    let mut response = pending.response();
    for _ in 0..100 {
        link.app.send([stdout(1, [5; 32 * 1024])]);
    }
    link.run();
    let unread = link.app.unread();
    assert!(unread > 80 * 32 * 1024, "{unread} bytes are left to the application");
    let mut received = 0;
    while let Some(data) = response.next() {
        received += data.unwrap().len();
        link.run();
    }
    assert_eq!(received, 100 * 32 * 1024);
    link.answer([end(1)]);
    assert_eq!(response.read_all().unwrap(), b"");
}

#[test]
fn the_error_stream_is_delivered() {
    let (to, captured) = Stderr::capture(20);
    let mut link = Link::new();
    let mut request = get("/");
    request.extensions_mut().insert(to);
    let mut pending = link.request(request);
    link.app.take_all();
    link.answer([stderr(1, "before the head\n"), stdout(1, "A: b\r\n\r\n"), stderr(1, "after")]);
    assert_eq!(captured.bytes(), b"before the head\nafte");
    assert!(captured.is_truncated());
    link.answer([record(STDERR, 1, []), record(STDOUT, 1, []), end(1)]);
    assert_eq!(pending.response().read_all().unwrap(), b"");
    link.assert_works();
}

#[test]
fn a_refusal_gives_an_untouched_request_back() {
    for (status, name) in [
        (1, "FCGI_CANT_MPX_CONN"),
        (2, "FCGI_OVERLOADED"),
        (3, "FCGI_UNKNOWN_ROLE"),
        (9, "protocol status 9"),
    ] {
        let (mut link, mut pending) = asked();
        link.answer([end_with(1, status)]);
        let mut failed = pending.failure();
        assert_eq!(failed.error().refusal().unwrap().to_string(), name);
        assert_eq!(failed.take_message().unwrap().uri(), "/");
        link.assert_works();
    }
    let mut link = Link::new();
    let (feed, body) = feed();
    let mut pending = link.request(post_feed("/", body));
    feed.send("touched");
    link.run();
    link.answer([end_with(1, 2)]);
    let error = pending.error();
    assert!(error.refusal().is_some());
}

#[test]
fn what_only_a_web_server_sends_is_an_error() {
    for (kind, content) in
        [(1, &[0, 1, 0, 0, 0, 0, 0, 0][..]), (2, &[]), (4, b"x"), (5, b"x"), (8, b"x")]
    {
        let (mut link, mut pending) = asked();
        link.answer([record(kind, 1, content)]);
        assert!(pending.error().is_protocol());
        assert!(link.outcome().as_ref().unwrap_err().is_protocol());
    }
}

#[test]
fn bytes_that_are_no_records_are_an_error_that_names_http() {
    let (mut link, mut pending) = asked();
    link.app.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    link.run();
    let error = pending.error();
    assert!(error.is_protocol());
    assert!(error.to_string().contains("HTTP server"), "{error}");
    let (mut link, mut pending) = asked();
    link.app.send_bytes(&[0; 8]);
    link.run();
    assert!(pending.error().is_protocol());
}

#[test]
fn unknown_records_are_nothing() {
    let (mut link, mut pending) = asked();
    let unknown: [Rec; 3] =
        [record(99, 1, b"x"), record(99, 0, b"x"), record(11, 0, [99, 0, 0, 0, 0, 0, 0, 0])];
    link.answer(unknown);
    link.answer([stdout(1, "A: b\r\n\r\n"), end(1)]);
    pending.response();
    link.assert_works();
}

#[test]
fn a_record_of_no_request_ends_the_connection_before_the_next() {
    for stray in [stdout(1, "poison"), stderr(1, "x"), end(1), end_stdout(1), stdout(2, "x")] {
        let (mut link, mut pending) = asked();
        link.answer([stdout(1, "A: b\r\n\r\nwhole"), end(1), stray]);
        assert_eq!(pending.response().read_all().unwrap(), b"whole");
        assert!(link.send.is_closed());
        assert!(!link.is_running());
        let failed = link.request(get("/next")).failure();
        assert!(failed.error().is_closed() && failed.message().is_some());
    }
}
