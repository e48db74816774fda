//! How one response stands on the wire, whatever way the request came and the peer reads.

mod support;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{Full, channel::Channel};
use support::{
    App, Ask, BoxError, Event, Feed, Record, Server, Sink, Tasks, begin, builder, bytes_of, feed,
    serve, stdin, text,
};
use tower_fastcgi::Incoming;
use tower_service::Service;

#[test]
fn a_small_response_leaves_in_one_write() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/").keep_conn());
    server.run();
    let written = client.recv_bytes();
    assert_eq!(client.writes(), [written.len()]);
    assert!(written.ends_with(&END_OF_RESPONSE_1));
}

#[test]
fn a_small_response_is_head_body_end_of_stdout_and_end_request_without_padding() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/"));
    server.run();
    let records = client.recv_all();
    let [front @ .., last_stdout, end] = &records[..] else { panic!("{records:?}") };
    assert_eq!(*last_stdout, Record::Stdout { id: 1, content: Vec::new() });
    assert_eq!(*end, Record::end(1));
    let contents = front.iter().map(|record| match record {
        Record::Stdout { id: 1, content } if !content.is_empty() => &content[..],
        other => panic!("{other:?}"),
    });
    let stdout = contents.collect::<Vec<_>>().concat();
    let stdout = String::from_utf8(stdout).unwrap();
    let (head, body) = stdout.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<String> = head.split("\r\n").map(str::to_ascii_lowercase).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["content-length: 5", "content-type: application/octet-stream", "status: 200 ok"]
    );
    assert_eq!(body, "hello");
}

#[test]
fn the_end_of_a_response_is_these_24_bytes() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/").id(0x0203));
    server.run();
    let written = client.recv_bytes();
    let end = [1, 6, 2, 3, 0, 0, 0, 0, 1, 3, 2, 3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert!(written.ends_with(&end), "{written:?}");
}

#[test]
fn input_cut_at_any_byte_gives_the_same_bytes() {
    for ask in [Ask::get("/a?b=c"), Ask::post("/upload", b"the body of the request")] {
        let request = bytes_of(ask.keep_conn());
        let whole = answer_to(&[&request]);
        assert!(whole.ends_with(&END_OF_RESPONSE_1));
        for at in 1..request.len() {
            let (front, back) = request.split_at(at);
            assert_eq!(answer_to(&[front, back]), whole, "cut at {at}");
        }
    }
}

#[test]
fn requests_of_two_ids_cut_at_any_byte_are_both_answered() {
    let requests = [1, 2].map(|id| bytes_of(Ask::post("/", "body").id(id).keep_conn())).concat();
    for at in 1..requests.len() {
        let (front, back) = requests.split_at(at);
        let (mut server, mut client) = serve(App::echo());
        for chunk in [front, back] {
            client.send_bytes(chunk);
            server.run();
        }
        for id in [1, 2] {
            assert_eq!(client.response(id).text(), "body", "cut at {at}");
        }
        assert!(client.has_nothing());
    }
}

#[test]
fn input_cut_into_pieces_of_any_size_gives_the_same_bytes() {
    let requests =
        bytes_of(Ask::post("/1", b"body").keep_conn().into_iter().map(|record| record.padding(5)));
    let whole = answer_to(&[&requests]);
    for len in 1..40 {
        let chunks: Vec<&[u8]> = requests.chunks(len).collect();
        assert_eq!(answer_to(&chunks), whole, "cut every {len} bytes");
    }
}

#[test]
fn padding_of_any_length_gives_the_same_bytes() {
    let ask = || Ask::post("/1", b"body").keep_conn();
    let plain = answer_to(&[&bytes_of(ask())]);
    for padding in 0..=255 {
        let padded = bytes_of(ask().into_iter().map(|record| record.padding(padding)));
        assert_eq!(answer_to(&[&padded]), plain, "padding of {padding}");
    }
}

#[test]
fn writes_cut_short_at_any_byte_give_the_same_bytes() {
    let request = bytes_of(Ask::post("/", vec![b'b'; 3000]).keep_conn());
    let whole = answer_to(&[&request]);
    for cap in (1..64).chain([500, 2999, 3000, 3001]) {
        for vectored in [true, false] {
            let (mut server, mut client) = serve(App::echo());
            client.cap_writes(cap);
            if !vectored {
                client.without_vectored_writes();
            }
            client.send_bytes(&request);
            server.run();
            assert_eq!(client.recv_bytes(), whole, "at most {cap} bytes a write");
        }
    }
}

#[test]
fn a_peer_that_reads_a_few_bytes_at_a_time_gets_the_same_bytes() {
    let request = bytes_of(Ask::post("/", vec![b'b'; 3000]).keep_conn());
    let whole = answer_to(&[&request]);
    for room in [1, 7, 8, 9, 100, 1000] {
        let (mut server, mut client) = serve(App::echo());
        client.stop_reading();
        client.send_bytes(&request);
        server.run();
        let mut written = Vec::new();
        for _ in 0..whole.len().div_ceil(room) {
            client.read_only(room);
            server.run();
            written.extend(client.recv_bytes());
        }
        assert_eq!(written, whole, "{room} bytes at a time");
    }
}

#[test]
fn without_vectored_writes_a_small_response_still_leaves_in_one_write() {
    let (mut server, mut client) = serve(App::hello());
    client.without_vectored_writes();
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.writes().len(), 1);
    assert_eq!(client.response(1).text(), "hello");
}

#[test]
fn a_body_of_two_frames_that_are_ready_leaves_in_one_write() {
    let (feed, app) = feeding();
    feed.send("one");
    feed.send("two");
    feed.end();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.writes().len(), 1);
    assert_eq!(client.response(1).text(), "onetwo");
}

#[test]
fn each_frame_of_a_slow_body_leaves_at_once() {
    let (feed, app) = feeding();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    let head = client.stdout(1);
    assert!(head.ends_with(b"\r\n\r\n"), "the head does not wait for the body");
    for frame in ["one", "two", "three"] {
        client.forget_events();
        feed.send(frame);
        server.run();
        assert_eq!(client.stdout(1), frame.as_bytes());
        assert_eq!(client.writes().len(), 1);
    }
    client.forget_events();
    feed.end();
    server.run();
    assert_eq!(client.writes(), [24]);
    assert_eq!(client.recv_bytes(), END_OF_RESPONSE_1);
}

#[test]
fn an_empty_frame_writes_nothing() {
    let (feed, app) = feeding();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.recv_all();
    client.forget_events();
    feed.send("");
    server.run();
    assert!(client.writes().is_empty());
    feed.send("a");
    feed.send("");
    feed.send("b");
    feed.send("");
    feed.end();
    server.run();
    let stdout = |content: &[u8]| Record::Stdout { id: 1, content: content.to_vec() };
    let records = client.recv_all();
    let (content, end): (Vec<_>, Vec<_>) = records.into_iter().partition(
        |record| matches!(record, Record::Stdout { content, .. } if !content.is_empty()),
    );
    assert_eq!(end, [stdout(b""), Record::end(1)]);
    assert!(content == [stdout(b"a"), stdout(b"b")] || content == [stdout(b"ab")], "{content:?}");
}

#[test]
fn a_body_of_empty_frames_alone_is_an_empty_body() {
    let (feed, app) = feeding();
    for _ in 0..3 {
        feed.send("");
    }
    feed.end();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    let records = client.recv_all();
    let empty = records
        .iter()
        .filter(|record| matches!(record, Record::Stdout { content, .. } if content.is_empty()));
    assert_eq!(empty.count(), 1);
    assert_eq!(records.last(), Some(&Record::end(1)));
}

#[test]
fn trailers_are_dropped_and_the_response_ends_well() {
    let app = App::new(|_| async {
        let (mut sender, body) = Channel::<Bytes, BoxError>::new(4);
        sender.try_send(Frame::data(Bytes::from("data"))).unwrap();
        sender.try_send(Frame::trailers(HeaderMap::new())).unwrap();
        Response::new(body)
    });
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "data");
    assert!(client.has_nothing());
}

#[test]
fn a_frame_of_any_size_arrives_whole_in_records_of_at_most_65528_bytes() {
    for len in [65_527, 65_528, 65_529, 65_535, 65_536, 65_537, 200 * 1024, 3 << 20] {
        let data: Bytes = (0..len).map(|at: usize| (at % 251) as u8).collect();
        let body = data.clone();
        let app = App::new(move |_| ready(Response::new(Full::new(body.clone()))));
        let (mut server, mut client) = serve(app);
        client.send(Ask::get("/").keep_conn());
        server.run();
        // The records' size is checked where they are read.
        let response = client.response(1);
        assert!(response.body == data, "{} of {len} bytes", response.body.len());
        assert_eq!(response.header("content-length"), Some(len.to_string()));
    }
}

#[test]
fn a_body_whose_data_is_not_contiguous_arrives_whole() {
    for (front, back) in [(1, 1), (0, 5), (5, 0), (40_000, 40_000), (100, 200_000), (70_000, 3)] {
        let (mut server, mut client) =
            Server::new(&builder(), Tasks::default(), Chained { front, back });
        client.send(Ask::get("/").keep_conn());
        server.run();
        let response = client.response(1);
        let expected = [vec![b'f'; front], vec![b'b'; back]].concat();
        assert!(response.body == expected, "{front} and {back}: {}", response.body.len());
    }
}

#[test]
fn a_head_request_is_answered_without_a_body() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/").method("HEAD").keep_conn());
    server.run();
    let response = client.response(1);
    assert_eq!((response.status, response.body), (200, Vec::new()));
}

#[test]
fn nothing_follows_end_request_on_a_kept_connection_and_the_next_request_is_served() {
    let (mut server, mut client) = serve(App::echo());
    for body in ["one", "two", "three"] {
        client.send(Ask::post("/", body).keep_conn());
        server.run();
        let written = client.recv_bytes();
        assert!(written.ends_with(&END_OF_RESPONSE_1));
        assert!(written.windows(body.len()).any(|window| window == body.as_bytes()));
        assert!(!client.write_half_is_shut());
    }
    client.close();
    server.run();
    server.assert_ended_well();
    assert!(client.has_nothing());
}

#[test]
fn without_keep_conn_the_write_half_is_shut_right_after_end_request_and_before_more_is_read() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/"));
    server.run();
    let written = client.recv_bytes();
    assert!(written.ends_with(&END_OF_RESPONSE_1));
    let events = client.events();
    let shutdown = events.iter().position(|&event| event == Event::Shutdown).unwrap();
    let last_write = events.iter().position(|&event| event == Event::Write(written.len())).unwrap();
    let between = &events[last_write + 1..shutdown];
    assert!(between.iter().all(|&event| event == Event::Flush), "{between:?}");
    server.assert_ended_well();
    assert_eq!(events[shutdown + 1..], [Event::Drop], "nothing is left to be read");
}

#[test]
fn without_keep_conn_it_waits_for_the_peer_to_close_while_that_may_still_write() {
    let begun = [bytes_of(Ask::get("/")), vec![1]].concat();
    let kept = [bytes_of(Ask::get("/").keep_conn()), bytes_of(Ask::get("/").id(2))].concat();
    let cases = [
        bytes_of(Ask::get("/").head()),
        bytes_of(Ask::post("/", "12345").content_length(Some("5")).head()),
        bytes_of(begin(1).role(3)),
        begun,
        kept,
    ];
    for bytes in cases {
        let (mut server, client) = serve(App::hello());
        client.send_bytes(bytes);
        server.run();
        assert!(client.write_half_is_shut());
        assert!(server.is_running(), "it waits for the peer to close");
    }
}

#[test]
fn the_peers_close_after_the_drain_is_the_end() {
    let (mut server, client) = serve(App::hello());
    client.send(Ask::get("/"));
    server.run();
    client.close();
    server.run();
    server.assert_ended_well();
    assert!(client.is_closed());
}

#[test]
fn without_keep_conn_an_early_answer_does_not_wait_for_the_body_and_takes_all_of_it() {
    let (mut server, mut client) = serve(App::new(|_| async {
        Response::builder().status(413).body(Full::<Bytes>::default()).unwrap()
    }));
    client.send(Ask::post("/", "").content_length(Some("20971520")).head());
    server.run();
    assert_eq!(client.response(1).status, 413);
    assert!(client.write_half_is_shut());
    for _ in 0..20 * 16 {
        client.send(stdin(1, vec![b'x'; 65_535]));
        server.run();
        assert_eq!(client.unread(), 0);
    }
    assert!(server.is_running());
    client.close();
    server.run();
    server.assert_ended_well();
    assert!(client.has_nothing());
}

#[test]
fn after_an_answer_without_keep_conn_nothing_that_still_comes_is_served() {
    let seen = Sink::default();
    let app = App::new({
        let seen = seen.clone();
        move |request| {
            seen.put(request.uri().path().to_owned());
            ready(text("hello"))
        }
    });
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/first"));
    server.run();
    client.response(1);
    client.send(Ask::get("/second"));
    client.send(support::get_values(&["FCGI_MPXS_CONNS"]));
    client.send_bytes(b"GET / HTTP/1.1\r\n\r\n");
    server.run();
    assert_eq!(seen.take(), ["/first"]);
    assert!(client.has_nothing());
    client.close();
    server.run();
    server.assert_ended_well();
}

#[test]
fn a_shutdown_that_takes_its_time_is_waited_for() {
    let (mut server, client) = serve(App::hello());
    client.hold_shutdown(true);
    client.send(Ask::get("/"));
    server.run();
    assert!(server.is_running());
    client.hold_shutdown(false);
    server.run();
    assert!(client.write_half_is_shut());
    client.close();
    server.run();
    server.assert_ended_well();
}

#[test]
fn the_response_of_a_peer_that_does_not_read_waits_and_then_ends_the_connection_as_ever() {
    let (mut server, mut client) = serve(App::hello());
    client.stop_reading();
    client.send(Ask::get("/"));
    server.run();
    assert!(!client.write_half_is_shut());
    client.read_on();
    server.run();
    assert_eq!(client.response(1).text(), "hello");
    assert!(client.write_half_is_shut());
}

/// What the echo writes when the chunks come one by one, with all woken polls between them.
fn answer_to(chunks: &[&[u8]]) -> Vec<u8> {
    let (mut server, mut client) = serve(App::echo());
    for chunk in chunks {
        client.send_bytes(chunk);
        server.run();
    }
    assert!(server.is_running());
    client.recv_bytes()
}

/// An app that answers with the frames the test feeds it.
fn feeding() -> (Feed, App) {
    let (feed, body) = feed();
    let body = std::sync::Mutex::new(Some(body));
    let app = App::new(move |_| ready(Response::new(body.lock().unwrap().take().unwrap())));
    (feed, app)
}

/// A service whose body's one frame is two buffers.
#[derive(Clone)]
struct Chained {
    front: usize,
    back: usize,
}

impl Service<Request<Incoming>> for Chained {
    type Response = Response<Full<bytes::buf::Chain<Bytes, Bytes>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        let front = Bytes::from(vec![b'f'; self.front]);
        let back = Bytes::from(vec![b'b'; self.back]);
        ready(Ok(Response::new(Full::new(front.chain(back)))))
    }
}

/// The end of STDOUT and FCGI_END_REQUEST, for id 1.
const END_OF_RESPONSE_1: [u8; 24] =
    [1, 6, 0, 1, 0, 0, 0, 0, 1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
