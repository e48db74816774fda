//! Filters: FCGI_DATA as a second stream beside FCGI_STDIN, and what the two do to each other.

mod support;

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioTimer;
use support::{
    App, Ask, Exec, Rec, Record, Server, Sink, Tasks, body_of, builder, data, end_data, end_stdin,
    pairs, params, serve_with, stdin, text,
};
use tower_fastcgi::roles::FilterData;
use tower_fastcgi::server::Builder;
use tower_fastcgi::{Error, Incoming, Role};

#[test]
fn the_file_arrives_beside_the_body() {
    for exec in Exec::ALL {
        let (mut server, mut client) = serve_with(&filters(), exec, joining());
        for id in [1, 2] {
            let ask = filter("4").id(id).param("FCGI_DATA_LAST_MOD", "86400");
            client.send(ask.content_length(Some("3")).head());
            client.send([
                stdin(id, "one"),
                end_stdin(id),
                data(id, "tw"),
                data(id, "o!"),
                end_data(id),
            ]);
        }
        server.run();
        for id in [1, 2] {
            assert_eq!(client.response(id).text(), "one+two! (4, 1 days)", "{exec:?}");
        }
    }
}

#[test]
fn the_file_goes_back_as_it_comes() {
    let app = App::new(|mut request: Request<Incoming>| {
        ready(Response::new(FilterData::take(&mut request).expect("a Filter's request")))
    });
    let (mut server, mut client) = serve_with(&filters(), Exec::InPlace, app);
    client.send(filter("6").content_length(Some("0")).head());
    client.send([end_stdin(1), data(1, "abc")]);
    server.run();
    let Record::Stdout { content, .. } = client.recv().expect("the head") else { panic!() };
    assert!(String::from_utf8(content).unwrap().contains("content-length: 6\r\n"));
    assert_eq!(client.recv(), Some(Record::Stdout { id: 1, content: b"abc".into() }));
    client.send([data(1, "def"), end_data(1)]);
    server.run();
    assert_eq!(client.stdout(1), b"def");
}

/// What the specification says comes first may come last, or in between.
#[test]
fn the_streams_may_come_in_any_order() {
    let body = [stdin(1, "one"), end_stdin(1)];
    let file = [data(1, "two"), end_data(1)];
    let [b1, b2] = body.clone();
    let [f1, f2] = file.clone();
    let orders = [
        [&body[..], &file].concat(),
        [&file[..], &body].concat(),
        vec![b1.clone(), f1.clone(), b2.clone(), f2.clone()],
        vec![f1, b1, f2, b2],
    ];
    for order in orders {
        let (mut server, mut client) = serve_with(&filters(), Exec::InPlace, joining());
        client.send(filter("").content_length(None).head());
        client.send(order.clone());
        server.run();
        assert_eq!(client.response(1).text(), "one+two (?)", "{order:?}");
        client.send(filter("").content_length(None).head());
        client.send(order);
        server.run();
        assert_eq!(client.response(1).text(), "one+two (?)");
    }
}

#[test]
fn the_length_ends_the_file_and_what_is_beyond_is_dropped() {
    let (mut server, mut client) = serve_with(&filters(), Exec::InPlace, joining());
    client.send(filter("3").content_length(Some("0")).head());
    client.send(data(1, "twoXXX"));
    server.run();
    assert_eq!(client.response(1).text(), "+two (3)");
    client.send([data(1, "XXX"), end_data(1)]);
    client.send(filter("0").content_length(Some("0")).head());
    server.run();
    assert_eq!(client.response(1).text(), "+ (0)", "no end is waited for");
}

#[test]
fn a_file_shorter_than_its_length_fails_behind_what_came() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve_with(&filters(), Exec::InPlace, app);
    client.send(filter("10").content_length(Some("0")).head());
    client.send([data(1, "half"), end_data(1)]);
    server.run();
    let mut file = take(seen.take_one());
    assert_eq!(file.size_hint().exact(), Some(10));
    assert_eq!(take_frame(&mut file), "half");
    assert!(take_error(&mut file).is_incomplete());
    assert!(matches!(poll(&mut file), Poll::Ready(None)), "nothing after the error");
}

#[test]
fn a_length_that_is_no_number_is_a_bad_request() {
    for length in ["-1", "x", "1 ", "99999999999999999999999"] {
        let (mut server, mut client) = serve_with(&filters(), Exec::InPlace, joining());
        client.send(filter(length).content_length(Some("0")).head());
        server.run();
        assert_eq!(client.response(1).status, 400, "{length}");
        client.send([data(1, "late"), end_data(1)]);
        client.send(filter("0").content_length(Some("0")).head());
        server.run();
        assert_eq!(client.response(1).text(), "+ (0)");
    }
}

#[test]
fn an_abort_fails_both_streams() {
    for exec in Exec::ALL {
        let (seen, _latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&filters(), exec, app);
        client.send(filter("10").content_length(Some("10")).head());
        client.send([stdin(1, "part"), data(1, "part")]);
        server.run();
        let mut request = seen.take_one();
        let mut file = FilterData::take(&mut request).expect("a Filter's request");
        client.send(support::abort(1));
        server.run();
        assert_eq!(client.recv_all(), [Record::end(1)]);
        assert!(take_error(&mut file).is_aborted(), "{exec:?}");
        assert!(take_error(request.body_mut()).is_aborted(), "{exec:?}");
    }
}

#[test]
fn the_end_of_the_connection_fails_a_file_that_is_not_whole() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve_with(&filters(), Exec::InPlace, app);
    client.send(filter("10").content_length(Some("0")).head());
    client.send([end_stdin(1), data(1, "half")]);
    server.run();
    let mut file = take(seen.take_one());
    client.close();
    server.run();
    assert!(server.error().is_incomplete(), "{:?}", server.outcome());
    assert!(take_error(&mut file).is_incomplete());
}

#[test]
fn a_half_close_leaves_what_arrived() {
    let (seen, latch, app) = App::parked();
    let mut builder = filters();
    builder.half_close(true);
    let (mut server, mut client) = serve_with(&builder, Exec::InPlace, app);
    client.send(filter("").content_length(Some("0")).head());
    client.send([end_stdin(1), data(1, "half")]);
    client.close();
    server.run();
    let mut file = take(seen.take_one());
    assert_eq!(take_frame(&mut file), "half");
    assert!(take_error(&mut file).is_incomplete());
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "parked");
}

#[test]
fn a_file_that_is_not_taken_or_dropped_is_discarded() {
    let dropping: fn(Request<Incoming>) -> Option<FilterData> = |request| {
        drop(request);
        None
    };
    let taking: fn(Request<Incoming>) -> Option<FilterData> = |mut request| {
        drop(FilterData::take(&mut request));
        None
    };
    for act in [dropping, taking] {
        let latch = support::Latch::default();
        let app = App::new({
            let latch = latch.clone();
            move |request| {
                act(request);
                let wait = latch.clone().wait();
                async {
                    wait.await;
                    text("dropped")
                }
            }
        });
        let (mut server, mut client) = serve_with(&filters(), Exec::InPlace, app);
        client.send(filter("").content_length(None).head());
        client.send(body_of(1, &vec![0; 1 << 20]));
        client.send(file_of(1, &vec![0; 1 << 20]));
        server.run();
        assert_eq!(client.unread(), 0, "it is read and dropped");
        latch.open();
        server.run();
        assert_eq!(client.response(1).text(), "dropped");
    }
}

#[test]
fn only_the_first_gets_it() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve_with(&filters(), Exec::InPlace, app);
    client.send(filter("0").content_length(Some("0")).head());
    server.run();
    let mut request = seen.take_one();
    let mut copy = Request::new(());
    *copy.extensions_mut() = request.extensions().clone();
    assert!(FilterData::take(&mut copy).is_some());
    assert!(FilterData::take(&mut request).is_none());
}

#[test]
fn data_is_for_filters_alone() {
    for role in [1, 2] {
        let seen = Sink::default();
        let app = App::new({
            let seen = seen.clone();
            move |mut request: Request<Incoming>| {
                seen.put(FilterData::take(&mut request).is_some());
                let response = Response::builder().status(404).body(Full::new(Bytes::new()));
                ready(response.expect("a response"))
            }
        });
        let (mut server, mut client) = serve_with(&filters(), Exec::InPlace, app);
        let mut records = Ask::get("/").role(role).keep_conn().head();
        records.insert(1, data(1, "early"));
        client.send([data(1, "nobody's")]);
        client.send(records);
        client.send([data(1, "late"), end_data(1), end_stdin(1), data(1, "later")]);
        server.run();
        assert_eq!(client.response(1).status, 404);
        assert_eq!(seen.take(), [false]);
    }
}

#[test]
fn data_before_the_end_of_params_ends_the_connection() {
    for early in [data(1, "x"), end_data(1)] {
        let (mut server, client) = serve_with(&filters(), Exec::InPlace, joining());
        let content = pairs(Ask::get("/").params());
        client.send([filter("").begin(), params(1, content), early]);
        server.run();
        client.close();
        server.run();
        let error = server.error();
        assert!(error.is_protocol(), "{error:?}");
        assert!(error.to_string().starts_with("FCGI_DATA for request id 1 before"), "{error}");
    }
}

#[test]
fn late_data_of_an_answered_id_is_ignored() {
    let (mut server, mut client) = serve_with(&filters(), Exec::InPlace, App::hello());
    for _ in 0..3 {
        client.send(filter("5").content_length(Some("0")).head());
        server.run();
        assert_eq!(client.response(1).text(), "hello");
        client.send([data(1, "late!"), end_data(1)]);
        server.run();
        assert!(client.has_nothing());
    }
}

/// The web server may still send until both streams have ended, and a close would meet that.
#[test]
fn without_keep_conn_a_file_that_has_not_ended_is_waited_for() {
    for (streams, is_closed) in [
        (vec![end_stdin(1), data(1, "x"), end_data(1)], true),
        (vec![data(1, "x"), end_data(1), end_stdin(1)], true),
        (vec![end_stdin(1), data(1, "x")], false),
        (vec![data(1, "x"), end_data(1)], false),
    ] {
        let (mut server, client) = serve_with(&filters(), Exec::InPlace, App::hello());
        let ask = Ask::get("/").role(3).content_length(Some("0")).param("FCGI_DATA_LENGTH", "1");
        client.send(ask.head().into_iter().chain(streams.clone()));
        server.run();
        assert!(client.write_half_is_shut());
        assert_eq!(client.is_closed(), is_closed, "{streams:?}");
    }
}

#[test]
fn a_file_is_held_back_until_somebody_reads_it() {
    let (seen, latch, app) = App::parked();
    let (mut server, mut client) = serve_with(&filters(), Exec::InPlace, app);
    client.send(filter("").content_length(Some("0")).head());
    client.send(file_of(1, &vec![7; 2 << 20]));
    server.run();
    assert!(client.bytes_read() <= 256 * 1024 + 2 * READ_BUFFER, "{}", client.bytes_read());
    let mut file = take(seen.take_one());
    let mut len = 0;
    while let Poll::Ready(Some(frame)) = poll(&mut file) {
        len += frame.expect("the file goes on").len();
        server.run();
    }
    assert_eq!(len, 2 << 20);
    assert!(matches!(poll(&mut file), Poll::Ready(None)));
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "parked");
}

/// They are within the limit together, so the file can be had before the body, or without it.
#[test]
fn the_file_may_be_read_first_if_both_fit_the_limit() {
    let app = App::new(|mut request: Request<Incoming>| async move {
        let file = FilterData::take(&mut request).expect("a Filter's request");
        let file = file.collect().await.expect("the file").to_bytes();
        let body = request.into_body().collect().await.expect("the body").to_bytes();
        Response::new(Full::new(Bytes::from(format!("{}+{}", file.len(), body.len()))))
    });
    let (mut server, mut client) = serve_with(&filters(), Exec::InPlace, app);
    client.send(filter("").content_length(None).head());
    client.send(body_of(1, &[0; 100 << 10]));
    client.send(end_stdin(1));
    client.send(file_of(1, &vec![0; 1 << 20]));
    server.run();
    assert_eq!(client.response(1).text(), "1048576+102400");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_keeps_the_file_out_fails_after_30_seconds() {
    for exec in Exec::ALL {
        let (seen, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&timed(), exec, app);
        client.send(filter("4").content_length(None).head());
        client.send(body_of(1, &vec![0; 1 << 20]));
        client.send([end_stdin(1), data(1, "file"), end_data(1)]);
        server.run();
        let mut request = seen.take_one();
        let mut file = FilterData::take(&mut request).expect("a Filter's request");
        assert!(poll(&mut file).is_pending());
        server.advance(Duration::from_millis(29_900)).await;
        assert!(poll(&mut file).is_pending(), "{exec:?}");
        server.advance(Duration::from_millis(200)).await;
        assert_eq!(take_frame(&mut file), "file", "{exec:?}");
        assert!(take_error(request.body_mut()).is_stalled(), "{exec:?}");
        latch.open();
        server.run();
        assert_eq!(client.response(1).text(), "parked");
    }
}

/// It came first, against the specification, and is what is in the way.
#[tokio::test(start_paused = true)]
async fn a_file_that_keeps_the_body_out_fails_too() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve_with(&timed(), Exec::InPlace, app);
    client.send(filter("").content_length(None).head());
    client.send(file_of(1, &vec![0; 1 << 20]));
    client.send([stdin(1, "body"), end_stdin(1)]);
    server.run();
    let mut request = seen.take_one();
    let mut file = FilterData::take(&mut request).expect("a Filter's request");
    assert!(poll(request.body_mut()).is_pending());
    server.advance(Duration::from_millis(30_100)).await;
    assert_eq!(take_frame(request.body_mut()), "body");
    assert!(take_error(&mut file).is_stalled());
}

/// Whoever begins to wait when the connection is at rest already is helped at the next look.
#[tokio::test(start_paused = true)]
async fn a_wait_that_begins_late_ends_all_the_same() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve_with(&timed(), Exec::InPlace, app);
    client.send(filter("4").content_length(None).head());
    client.send(body_of(1, &vec![0; 1 << 20]));
    client.send([end_stdin(1), data(1, "file"), end_data(1)]);
    server.advance(Duration::from_secs(100)).await;
    let mut request = seen.take_one();
    let mut file = FilterData::take(&mut request).expect("a Filter's request");
    assert!(poll(&mut file).is_pending(), "nobody waited, so nothing has failed");
    server.advance(Duration::from_millis(30_100)).await;
    assert_eq!(take_frame(&mut file), "file");
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_is_slow_but_waits_for_nothing_may_be_slow() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve_with(&timed(), Exec::InPlace, app);
    client.send(filter("").content_length(Some("0")).head());
    client.send(file_of(1, &vec![0; 1 << 20]));
    server.advance(Duration::from_secs(300)).await;
    let mut file = take(seen.take_one());
    let mut len = 0;
    while let Poll::Ready(Some(frame)) = poll(&mut file) {
        len += frame.expect("the file goes on").len();
        server.run();
    }
    assert_eq!(len, 1 << 20);
}

#[test]
fn a_handler_of_axum_extracts_it() {
    async fn handler(file: FilterData, body: String) -> String {
        let length = file.length();
        let file = file.collect().await.expect("the file").to_bytes();
        format!("{body}+{} ({length:?})", String::from_utf8_lossy(&file))
    }
    let mut builder = filters();
    builder.roles([Role::Responder, Role::Filter]);
    let app = Router::new().route("/", post(handler));
    let (mut server, mut client) = Server::new(&builder, Tasks::default(), app);
    client.send(filter("3").content_length(Some("3")).head());
    client.send([stdin(1, "one"), end_stdin(1), data(1, "two"), end_data(1)]);
    server.run();
    assert_eq!(client.response(1).text(), "one+two (Some(3))");
    client.send(Ask::post("/", "one").keep_conn());
    server.run();
    assert_eq!(client.response(1).status, 500);
}

/// Answers with the body and the file, read in this order, and what is known of the file.
fn joining() -> App {
    App::new(|mut request: Request<Incoming>| async move {
        assert_eq!(request.extensions().get(), Some(&Role::Filter));
        let file = FilterData::take(&mut request).expect("a Filter's request");
        let age = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let days = file.last_modified().map(|time| age(time).as_secs() / 86_400);
        let days = days.map_or_else(String::new, |days| format!(", {days} days"));
        let length = file.length().map_or("?".into(), |length| length.to_string());
        let body = request.into_body().collect().await.expect("the body").to_bytes();
        let file = file.collect().await.expect("the file").to_bytes();
        let text = [&body[..], b"+", &file, format!(" ({length}{days})").as_bytes()].concat();
        Response::new(Full::new(Bytes::from(text)))
    })
}

/// A request of role Filter, with that FCGI_DATA_LENGTH.
fn filter(length: &str) -> Ask {
    Ask::post("/", "").role(3).keep_conn().param("FCGI_DATA_LENGTH", length)
}

fn filters() -> Builder {
    let mut builder = builder();
    builder.roles([Role::Responder, Role::Authorizer, Role::Filter]);
    builder
}

fn timed() -> Builder {
    let mut builder = filters();
    builder.timer(TokioTimer::new());
    builder
}

/// FCGI_DATA with its end.
fn file_of(id: u16, file: &[u8]) -> Vec<Rec> {
    let records = file.chunks(32 * 1024).map(|chunk| data(id, chunk));
    records.chain([end_data(id)]).collect()
}

fn take(mut request: Request<Incoming>) -> FilterData {
    FilterData::take(&mut request).expect("a Filter's request")
}

fn poll(
    body: &mut (impl Body<Data = Bytes, Error = Error> + Unpin),
) -> Poll<Option<Result<Bytes, Error>>> {
    let frame = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
    frame.map_ok(|frame| frame.into_data().expect("FastCGI has no trailers"))
}

fn take_frame(body: &mut (impl Body<Data = Bytes, Error = Error> + Unpin)) -> Bytes {
    match poll(body) {
        Poll::Ready(Some(Ok(data))) => data,
        other => panic!("no frame but {other:?}"),
    }
}

fn take_error(body: &mut (impl Body<Data = Bytes, Error = Error> + Unpin)) -> Error {
    match poll(body) {
        Poll::Ready(Some(Err(error))) => error,
        other => panic!("no error but {other:?}"),
    }
}

const READ_BUFFER: usize = 64 * 1024;
