//! The request's body: FCGI_STDIN against CONTENT_LENGTH, and what handlers do with it.

mod support;

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use support::{
    App, Ask, CountingWake, Latch, Record, Sink, begin, body_of, end_params, end_stdin, pairs,
    params, read_all, serve, stdin, text,
};
use tower_fastcgi::{Error, Incoming};

#[test]
fn the_handler_starts_at_the_end_of_params_though_no_stdin_comes() {
    let (mut server, mut client) = serve(App::hello());
    let ask = Ask::get("/").keep_conn();
    client.send(ask.head());
    server.run();
    assert_eq!(client.response(1).text(), "hello");
}

#[test]
fn the_handler_does_not_start_before_the_end_of_params() {
    let (seen, app) = keeping_requests();
    let (mut server, client) = serve(app);
    let mut head = Ask::get("/").head();
    let end = head.pop().unwrap();
    client.send(head);
    server.run();
    assert!(seen.take().is_empty());
    client.send(end);
    server.run();
    seen.take_one();
}

#[test]
fn params_may_straddle_records_at_any_byte() {
    let content = pairs(Ask::get("/path").params());
    for at in 1..content.len() {
        let (seen, app) = keeping_requests();
        let (mut server, client) = serve(app);
        client.send([
            begin(1),
            params(1, &content[..at]),
            params(1, &content[at..]).padding(3),
            end_params(1),
        ]);
        server.run();
        assert_eq!(seen.take_one().uri().path(), "/path", "cut at {at}");
    }
}

#[test]
fn a_param_may_be_larger_than_a_record() {
    let value: Vec<u8> = (0..70_000).map(|at| b'a' + (at % 26) as u8).collect();
    for record_size in [8192, 16_320, 65_535] {
        let (seen, app) = keeping_requests();
        let (mut server, client) = serve(app);
        let content = pairs(Ask::get("/").param("HTTP_X_LARGE", &value).params());
        client.send(begin(1));
        client.send(content.chunks(record_size).map(|part| params(1, part)));
        client.send(end_params(1));
        server.run();
        assert!(seen.take_one().headers()["x-large"] == value[..], "records of {record_size}");
    }
}

#[test]
fn the_end_of_stdin_ends_the_body() {
    for content_length in [Some(""), None, Some("-1")] {
        let (mut server, mut client) = serve(App::echo());
        client.send(Ask::post("/", "").content_length(content_length).keep_conn().head());
        client.send([stdin(1, "some "), stdin(1, "body")]);
        server.run();
        assert!(client.has_nothing(), "{content_length:?} is no length: the body goes on");
        client.send(end_stdin(1));
        server.run();
        assert_eq!(client.response(1).text(), "some body");
    }
}

#[test]
fn content_length_ends_the_body_though_stdin_has_no_end() {
    let (mut server, mut client) = serve(App::echo());
    client.send(Ask::post("/", "").content_length(Some("9")).keep_conn().head());
    client.send([stdin(1, "some "), stdin(1, "body")]);
    server.run();
    assert_eq!(client.response(1).text(), "some body");
}

#[test]
fn content_length_0_is_an_empty_body_though_stdin_never_comes() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "").content_length(Some("0")).head());
    server.run();
    let mut body = seen.take_one().into_body();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(matches!(poll_body(&mut body), Poll::Ready(None)));
}

#[test]
fn bytes_beyond_content_length_are_dropped() {
    for extra in [&[stdin(1, "XX")][..], &[stdin(1, "XX"), end_stdin(1)], &[]] {
        let (mut server, mut client) = serve(App::echo());
        client.send(Ask::post("/", "").content_length(Some("4")).keep_conn().head());
        client.send(stdin(1, "bodyXXXX"));
        client.send(extra.to_vec());
        server.run();
        assert_eq!(client.response(1).text(), "body");
        client.send(Ask::post("/", "next").keep_conn());
        server.run();
        assert_eq!(client.response(1).text(), "next");
    }
}

#[test]
fn fewer_bytes_than_content_length_are_an_error_after_them() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "").content_length(Some("10")).head());
    client.send([stdin(1, "half"), end_stdin(1)]);
    server.run();
    let mut body = seen.take_one().into_body();
    assert_eq!(take_frame(&mut body), "half");
    let error = take_error(&mut body);
    assert!(error.is_incomplete(), "{error:?}");
    assert!(matches!(poll_body(&mut body), Poll::Ready(None)), "nothing after the error");
}

#[test]
fn a_body_too_short_is_an_answer_of_the_handlers_choice() {
    let (mut server, mut client) = serve(App::echo());
    client.send(Ask::post("/", "half").content_length(Some("10")).keep_conn());
    server.run();
    assert_eq!(client.response(1).status, 400);
    client.send(Ask::post("/", "next").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "next");
}

#[test]
fn a_content_length_that_is_no_number_is_a_bad_request() {
    for length in ["abc", "1x", "+5", "0x10", "5,5", "99999999999999999999999999"] {
        let (seen, app) = keeping_requests();
        let (mut server, mut client) = serve(app);
        client.send(Ask::post("/", "body").content_length(Some(length)).keep_conn());
        server.run();
        assert_eq!(client.response(1).status, 400, "CONTENT_LENGTH {length}");
        assert!(seen.take().is_empty());
        client.send(Ask::post("/", "next").keep_conn());
        server.run();
        seen.take_one();
    }
}

#[test]
fn a_known_length_is_the_size_hint_and_goes_down_as_the_body_is_read() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "").content_length(Some("10")).head());
    server.run();
    let mut body = seen.take_one().into_body();
    assert_eq!(body.size_hint().exact(), Some(10));
    assert!(!body.is_end_stream());
    client.send(stdin(1, "0123456"));
    server.run();
    assert_eq!(body.size_hint().exact(), Some(10), "what was not taken yet is still to come");
    assert_eq!(take_frame(&mut body), "0123456");
    assert_eq!(body.size_hint().exact(), Some(3));
    client.send(stdin(1, "789"));
    server.run();
    assert!(!body.is_end_stream());
    assert_eq!(take_frame(&mut body), "789");
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(matches!(poll_body(&mut body), Poll::Ready(None)));
}

#[test]
fn an_unknown_length_has_no_exact_size_hint() {
    for content_length in [Some(""), None, Some("-1")] {
        let (seen, _latch, app) = App::parked();
        let (mut server, client) = serve(app);
        client.send(Ask::post("/", "").content_length(content_length).head());
        server.run();
        let mut body = seen.take_one().into_body();
        assert_eq!((body.size_hint().lower(), body.size_hint().upper()), (0, None));
        assert!(!body.is_end_stream());
        assert!(poll_body(&mut body).is_pending());
        client.send(end_stdin(1));
        server.run();
        assert!(matches!(poll_body(&mut body), Poll::Ready(None)));
        assert!(body.is_end_stream());
    }
}

#[test]
fn no_frame_is_empty() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "").content_length(None).head());
    server.run();
    let mut body = seen.take_one().into_body();
    let wire = support::bytes_of([stdin(1, "abc").padding(2), stdin(1, "defg"), end_stdin(1)]);
    let mut taken = String::new();
    for byte in wire {
        client.send_bytes([byte]);
        server.run();
        if let Poll::Ready(Some(frame)) = poll_body(&mut body) {
            let data = frame.unwrap();
            assert!(!data.is_empty());
            taken.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
    assert_eq!(taken, "abcdefg");
    assert!(body.is_end_stream());
}

#[test]
fn a_body_that_comes_while_nobody_reads_is_kept() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "the body"));
    server.run();
    let mut body = seen.take_one().into_body();
    let mut taken = Vec::new();
    while let Poll::Ready(Some(frame)) = poll_body(&mut body) {
        taken.extend(frame.unwrap());
    }
    assert_eq!(taken, b"the body");
}

#[test]
fn a_body_the_handler_drops_is_discarded_and_the_response_goes_on() {
    let latch = Latch::default();
    let app = App::new({
        let latch = latch.clone();
        move |request: Request<Incoming>| {
            drop(request);
            let wait = latch.clone().wait();
            async {
                wait.await;
                text("late")
            }
        }
    });
    let (mut server, mut client) = serve(app);
    client.send(Ask::post("/", "").content_length(Some("2097152")).keep_conn().head());
    for _ in 0..64 {
        client.send(stdin(1, vec![0; 32 * 1024]));
        server.run();
        assert_eq!(client.unread(), 0, "what nobody wants is no reason to wait");
    }
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "late");
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "late");
}

#[test]
fn a_body_dropped_when_half_read_is_discarded_and_the_response_goes_on() {
    let app = App::new(|request: Request<Incoming>| async {
        let mut body = request.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        Response::new(Full::new(first))
    });
    let (mut server, mut client) = serve(app);
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    client.send(stdin(1, "first"));
    server.run();
    assert_eq!(client.response(1).text(), "first");
    client.send(body_of(1, &vec![b'x'; 1 << 20]));
    client.send(end_stdin(1));
    client.send(Ask::post("/", "second").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "second");
}

#[test]
fn the_body_goes_back_as_it_comes() {
    let (mut server, mut client) = serve(App::stream_echo());
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    server.run();
    assert!(client.stdout(1).ends_with(b"\r\n\r\n"));
    for part in ["one", "two", "three"] {
        client.send(stdin(1, part));
        server.run();
        assert_eq!(client.stdout(1), part.as_bytes());
    }
    client.send(end_stdin(1));
    server.run();
    let end = [Record::Stdout { id: 1, content: Vec::new() }, Record::end(1)];
    assert_eq!(client.recv_all(), end);
}

#[test]
fn a_body_may_be_read_to_its_end_in_another_task_after_the_answer() {
    let (seen, app) = keeping_requests();
    let (mut server, mut client) = serve(app);
    client.send(Ask::post("/", "all of it").keep_conn());
    server.run();
    client.response(1);
    let mut body = seen.take_one().into_body();
    assert_eq!(take_frame(&mut body), "all of it");
    assert!(matches!(poll_body(&mut body), Poll::Ready(None)));
}

#[test]
fn late_records_of_an_answered_id_are_ignored() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::post("/", "").content_length(Some("100")).keep_conn().head());
    server.run();
    client.response(1);
    client.send([stdin(1, "late"), end_stdin(1), end_stdin(1), stdin(1, "later")]);
    client.send([params(1, b"\x01\x01AB"), end_params(1), support::abort(1)]);
    server.run();
    assert!(client.has_nothing());
    assert!(server.is_running());
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "hello");
}

#[test]
fn an_id_begins_again_though_its_old_body_never_ended() {
    let app = App::new(|request: Request<Incoming>| async {
        match request.uri().path() {
            "/early" => Response::new(Full::new(Bytes::from("early"))),
            _ => Response::new(Full::new(read_all(request.into_body()).await.unwrap().into())),
        }
    });
    let (mut server, mut client) = serve(app);
    client.send(Ask::post("/early", "").content_length(Some("1000")).keep_conn().head());
    client.send(stdin(1, "a part of the old body"));
    server.run();
    assert_eq!(client.response(1).text(), "early");
    client.send(Ask::post("/", "the new body").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "the new body");
}

#[test]
fn the_old_body_fails_when_its_request_was_answered_before_its_end() {
    let (seen, app) = keeping_requests();
    let (mut server, mut client) = serve(app);
    for content_length in [Some("1000"), None] {
        let ask = Ask::post("/", "").content_length(content_length).keep_conn();
        client.send(ask.head());
        client.send(stdin(1, "part"));
        server.run();
        client.response(1);
        let mut body = seen.take_one().into_body();
        let error = loop {
            match poll_body(&mut body) {
                Poll::Ready(Some(Ok(data))) => assert_eq!(data, "part"),
                Poll::Ready(Some(Err(error))) => break error,
                other => panic!("{other:?}: a cut body may not look whole, nor be waited for"),
            }
        };
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn the_waiting_reader_of_an_old_body_is_woken_with_an_error() {
    let (seen, latch, app) = App::parked();
    let (mut server, mut client) = serve(app);
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    server.run();
    let mut body = seen.take_one().into_body();
    let wake = Arc::new(CountingWake::asleep());
    let waker = Waker::from(wake.clone());
    assert!(Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker)).is_pending());
    latch.open();
    server.run();
    client.response(1);
    assert!(wake.take(), "it would wait for ever");
    take_error(&mut body);
}

#[test]
fn the_reader_of_an_old_body_cannot_disturb_the_new_request() {
    let (seen, latch, app) = App::parked();
    let (mut server, mut client) = serve(app);
    client.send(Ask::post("/old", "").content_length(Some("1000000")).keep_conn().head());
    client.send(body_of(1, &[b'o'; 200_000]));
    server.run();
    let mut old = seen.take_one().into_body();
    client.send(support::abort(1));
    server.run();
    client.recv_all();
    client.send(Ask::post("/new", vec![b'n'; 200_000]).keep_conn());
    server.run();
    let mut new = seen.take_one().into_body();
    let mut taken = 0;
    loop {
        // Whatever is done to the old one meanwhile.
        let _ = poll_body(&mut old);
        match poll_body(&mut new) {
            Poll::Ready(Some(Ok(data))) => {
                assert!(data.iter().all(|&byte| byte == b'n'));
                taken += data.len();
            }
            Poll::Ready(None) => break,
            other => panic!("{other:?} after {taken} bytes"),
        }
        server.run();
    }
    assert_eq!(taken, 200_000);
    drop((old, new));
    latch.open();
    server.run();
    client.response(1);
    client.send(Ask::post("/third", vec![b't'; 250_000]).keep_conn());
    server.run();
    assert_eq!(client.unread(), 0, "the old bodies count no more");
}

#[test]
fn the_bytes_of_an_old_body_that_is_never_dropped_do_not_stop_the_connection() {
    let (seen, app) = keeping_requests();
    let (mut server, mut client) = serve(app);
    for _ in 0..8 {
        client.send(Ask::post("/", vec![0; 200_000]).content_length(Some("1000000")).keep_conn());
        server.run();
        client.try_response(1).expect("an answer, whatever became of the body");
    }
    assert_eq!(seen.take().len(), 8);
}

#[test]
fn the_bytes_of_an_old_body_that_came_whole_do_not_stop_the_connection_either() {
    let seen = Sink::default();
    let app = App::new({
        let seen = seen.clone();
        move |request: Request<Incoming>| {
            let latch = Latch::default();
            seen.put((request, latch.clone()));
            async {
                latch.wait().await;
                text("kept")
            }
        }
    });
    let (mut server, mut client) = serve(app);
    let mut kept = Vec::new();
    for _ in 0..8 {
        client.send(Ask::post("/", vec![0; 200_000]).keep_conn());
        server.run();
        assert_eq!(client.unread(), 0);
        let (request, latch) = seen.take_one();
        latch.open();
        server.run();
        assert_eq!(client.response(1).text(), "kept");
        kept.push(request.into_body());
    }
    for mut body in kept {
        let mut taken = 0;
        while let Poll::Ready(Some(data)) = poll_body(&mut body) {
            taken += data.unwrap().len();
        }
        assert_eq!(taken, 200_000);
    }
}

/// Answers at once and keeps the request, with its body unread.
fn keeping_requests() -> (Sink<Request<Incoming>>, App) {
    let seen = Sink::default();
    let app = App::new({
        let seen = seen.clone();
        move |request| {
            seen.put(request);
            ready(text("kept"))
        }
    });
    (seen, app)
}

fn poll_body(body: &mut Incoming) -> Poll<Option<Result<Bytes, Error>>> {
    let frame = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
    frame.map_ok(|frame| frame.into_data().expect("FastCGI has no trailers"))
}

fn take_frame(body: &mut Incoming) -> Bytes {
    match poll_body(body) {
        Poll::Ready(Some(Ok(data))) => data,
        other => panic!("no frame but {other:?}"),
    }
}

fn take_error(body: &mut Incoming) -> Error {
    match poll_body(body) {
        Poll::Ready(Some(Err(error))) => error,
        other => panic!("no error but {other:?}"),
    }
}
