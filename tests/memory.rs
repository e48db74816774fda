//! How much memory a peer can make a connection hold, counted by the allocator.

mod support;

use std::alloc::System;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::iter;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::rt::{Read, ReadBufCursor, Write};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{
    App, Ask, BoxError, CountingWake, Exec, Late, Rec, Tasks, abort, begin, builder, bytes_of,
    data, end_stdin, get_values, params, record, serve, serve_with, stdin, text,
};
use tower_fastcgi::record::{Decoder, Pairs};
use tower_fastcgi::roles::FilterData;
use tower_fastcgi::{Incoming, Result, Role};
use tower_service::Service;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn the_decoder_holds_nothing_of_a_stream() {
    let _alone = alone();
    let wire = bytes_of(stdin(1, vec![0; 65_535]).padding(255));
    for chunk in [1, 7, 100, 10_000] {
        let (most, _) = held_by_decoder(&wire, chunk);
        assert!(most <= 8, "{most} bytes held in pieces of {chunk}");
    }
}

#[test]
fn the_decoder_holds_the_content_of_one_get_values_record_and_lets_it_go() {
    let _alone = alone();
    let wire = bytes_of(record(9, 0, vec![0; 65_535]).padding(255));
    for chunk in [100, 4096, 40_000, 65_000] {
        let (most, after) = held_by_decoder(&wire, chunk);
        assert!(most <= 65_536 + 8, "{most} bytes held in pieces of {chunk}");
        assert_eq!(after, 0, "all of it is let go");
    }
}

#[test]
fn announced_lengths_allocate_nothing() {
    let _alone = alone();
    let (most, _) = held_by_decoder(&[1, 9, 0, 0, 0xff, 0xff, 0xff, 0], 8);
    assert!(most <= 8, "{most} bytes held");
    let parse = || {
        let before = ALLOCATOR.stats().allocations;
        assert!(Pairs::new(&[0xff; 8]).next().unwrap().is_err());
        ALLOCATOR.stats().allocations - before
    };
    assert_eq!(usual_of(parse), 0);
}

#[test]
fn records_of_one_byte_do_not_hold_more_than_their_bytes() {
    let _alone = alone();
    let mut hose = Hose::new(vec![stdin(1, "x")]);
    hose.first = bytes_of(Ask::post("/", "").content_length(None).head());
    assert_bounded(hose, keeping(), 1 << 20);
}

#[test]
fn small_records_to_an_unread_body_do_not_hold_the_large_ones_of_a_sibling() {
    let _alone = alone();
    for small in [1, 100, 500, 1000, 2000, 4000, 8000, 16_000, 30_000] {
        let app = App::new(|request: Request<Incoming>| async move {
            if request.uri().path() == "/read" {
                support::read_all_and_forget(request.into_body()).await;
            } else {
                let _unread = request;
                pending::<()>().await;
            }
            text("never")
        });
        let pattern = vec![stdin(1, vec![0; small]), stdin(2, vec![0; 65_535 - small])];
        let mut hose = Hose::new(pattern);
        let asks = [Ask::post("/unread", ""), Ask::post("/read", "").id(2)];
        hose.first =
            asks.into_iter().flat_map(|ask| bytes_of(ask.content_length(None).head())).collect();
        assert_bounded(hose, app, 2 << 20);
    }
}

#[test]
fn unread_bodies_of_many_requests_share_one_budget() {
    let _alone = alone();
    let mut hose = Hose::new((1..=100).map(|id| stdin(id, vec![0; 5000])).collect());
    hose.first = (1..=100)
        .flat_map(|id| bytes_of(Ask::post("/", "").id(id).content_length(None).head()))
        .collect();
    assert_bounded(hose, keeping(), 2 << 20);
}

#[test]
fn small_records_of_a_file_do_not_hold_the_large_ones_of_its_body() {
    let _alone = alone();
    for small in [1, 100, 1000, 2000, 16_000, 30_000] {
        let app = App::new(|mut request: Request<Incoming>| async move {
            let _unread = FilterData::take(&mut request);
            support::read_all_and_forget(request.into_body()).await;
            text("never")
        });
        let pattern = vec![stdin(1, vec![0; 65_535 - small]), data(1, vec![0; small])];
        assert_filter_bounded(pattern, app);
    }
}

#[test]
fn small_records_of_a_body_do_not_hold_the_large_ones_of_its_file() {
    let _alone = alone();
    for small in [1, 1000, 2000, 30_000] {
        let app = App::new(|mut request: Request<Incoming>| async move {
            let mut file = FilterData::take(&mut request).expect("a Filter's request");
            while poll_fn(|cx| Pin::new(&mut file).poll_frame(cx)).await.is_some() {}
            text("never")
        });
        let pattern = vec![stdin(1, vec![0; small]), data(1, vec![0; 65_535 - small])];
        assert_filter_bounded(pattern, app);
    }
}

#[test]
fn a_file_in_records_of_one_byte_that_nobody_reads_holds_no_more_than_its_bytes() {
    let _alone = alone();
    assert_filter_bounded(vec![data(1, "x")], keeping());
}

#[test]
fn params_without_an_end_hold_what_the_limits_say() {
    let _alone = alone();
    let content = vec![0; 2048];
    let rounds: Vec<Rec> = (0..64)
        .flat_map(|_| (1..=100).map(|id| params(id, &content)).collect::<Vec<_>>())
        .collect();
    let mut hose = Hose::new(vec![get_values(&[])]);
    hose.first = bytes_of((1..=100).map(begin).chain(rounds));
    hose.accepts = true;
    assert_bounded(hose, App::hello(), 100 * 128 * 1024 + (1 << 20));
}

#[test]
fn params_beyond_the_limits_are_not_held() {
    let _alone = alone();
    let mut hose = Hose::new((1..=100).map(|id| params(id, vec![0; 65_535])).collect());
    hose.first = [bytes_of((1..=100).map(begin)), hose.pattern.repeat(2)].concat();
    hose.accepts = true;
    assert_bounded(hose, App::hello(), 100 * 128 * 1024 + (1 << 20));
}

/// The params as they came, and the headers made of them.
#[test]
fn a_request_whose_handler_runs_holds_what_the_limits_of_params_say() {
    let _alone = alone();
    let requests = 20;
    for (headers, value) in [(480, 220), (480, 0), (20, 6000), (2, 60_000), (40, 1700)] {
        let ask = |id| {
            let ask = Ask::get("/").id(id).keep_conn();
            let value = vec![b'x'; value];
            (0..headers).fold(ask, |ask, n| ask.param(&format!("HTTP_X_{n}"), &value))
        };
        let mut hose = Hose::new(vec![get_values(&[])]);
        hose.first = bytes_of((1..=requests).flat_map(ask));
        hose.accepts = true;
        let per_request = 128 * 1024 + 512 * 256;
        println!("{headers} headers of {value} bytes");
        assert_bounded(hose, keeping(), requests as isize * per_request + (256 << 10));
    }
}

#[test]
fn begins_of_every_id_hold_what_a_hundred_do() {
    let _alone = alone();
    for accepts in [true, false] {
        let mut hose = Hose::new(vec![get_values(&[])]);
        hose.first = bytes_of((1..=u16::MAX).map(begin));
        hose.accepts = accepts;
        // One read of 64 KiB holds 4096 of them, each of which is refused with some 250 bytes.
        assert_bounded(hose, App::hello(), 1280 * 1024);
    }
}

#[test]
fn floods_of_a_peer_that_never_reads_are_bounded() {
    let _alone = alone();
    let malformed = [begin(1).keep_conn(), params(1, "\x7f"), support::end_params(1)];
    let oversized: Vec<Rec> = [begin(1).keep_conn()]
        .into_iter()
        .chain((0..3).map(|_| params(1, vec![0; 65_000])))
        .chain([support::end_params(1)])
        .collect();
    let floods: [(&str, Vec<Rec>); 8] = [
        ("values", vec![get_values(&["FCGI_MPXS_CONNS", "FCGI_MAX_REQS"])]),
        ("types", vec![record(99, 0, "")]),
        ("roles", vec![begin(1).role(9).keep_conn()]),
        ("aborts", vec![begin(1).keep_conn(), abort(1)]),
        ("malformed", malformed.to_vec()),
        ("oversized", oversized),
        ("unknown ids", vec![stdin(7, "x"), end_stdin(7), abort(7)]),
        ("empty params", vec![begin(1).keep_conn(), params(1, "\x00\x00"), abort(1)]),
    ];
    for (what, flood) in floods {
        println!("{what}");
        assert_bounded(Hose::new(flood), App::hello(), 1 << 20);
    }
}

#[test]
fn refused_requests_of_a_peer_that_never_reads_are_bounded() {
    let _alone = alone();
    let mut hose = Hose::new((101..200).flat_map(|id| Ask::get("/").id(id).keep_conn()).collect());
    hose.first = bytes_of((1..=100).flat_map(|id| Ask::get("/").id(id).keep_conn()));
    let app = App::new(|_| pending::<Response<Full<Bytes>>>());
    assert_bounded(hose, app, 2 << 20);
}

#[test]
fn an_endless_response_to_a_peer_that_never_reads_is_bounded() {
    let _alone = alone();
    for exec in Exec::ALL {
        for requests in [1_u16, 100] {
            let app = App::new(|_| ready(Response::new(Endless(1024))));
            let mut hose = Hose::new(vec![get_values(&[])]);
            hose.first = bytes_of((1..=requests).flat_map(|id| Ask::get("/").id(id)));
            let tasks = Tasks::default();
            let spawning = builder().executor(tasks.clone());
            // Each task is some frames ahead, about one record.
            let most = isize::try_from(requests).unwrap() * 64 * 1024 + (1 << 20);
            match exec {
                Exec::InPlace => assert_bounded(hose, app, 1 << 20),
                Exec::Spawned => drive(spawning.serve_connection(hose, app), &tasks, most),
                Exec::Late => drive(spawning.serve_connection(hose, Late::new(app)), &tasks, most),
            }
        }
    }
}

/// The example of `docs/limits.md`.
#[test]
fn a_connection_holds_what_the_sum_of_its_options_says() {
    let _alone = alone();
    let mut builder = builder();
    builder
        .max_requests(1)
        .max_params_size(32 * 1024)
        .max_params(128)
        .max_body_buf_size(64 * 1024)
        .max_send_buf_size(64 * 1024);
    let largest = || {
        let ask = Ask::post("/", "").keep_conn().content_length(None);
        (0..100).fold(ask, |ask, n| ask.param(&format!("HTTP_X_{n}"), vec![b'x'; 300])).head()
    };
    let endless = || {
        App::new(|request: Request<Incoming>| async {
            // Unread for as long as there is a response.
            Response::new(Unread(request, Endless(64 * 1024)))
        })
    };
    let tasks = Tasks::default();
    for body in [1, 100, 40_000, 65_535] {
        let mut hose = Hose::new(vec![stdin(1, vec![0; body])]);
        hose.first = bytes_of(largest());
        drive(builder.serve_connection(hose, endless()), &tasks, 608 * 1024);
    }
    // One more than is allowed, again and again, and questions in pieces, to a peer that reads nothing.
    let more = Ask::get("/").id(2).keep_conn().into_iter().chain(get_values(&["FCGI_MAX_REQS"]));
    let mut hose = Hose::new(more.collect());
    hose.first = bytes_of(largest());
    drive(builder.serve_connection(hose, endless()), &tasks, 608 * 1024);
}

#[test]
fn an_idle_connection_holds_next_to_nothing_whatever_it_served() {
    let _alone = alone();
    let serve_much = || {
        let (mut server, mut client) = serve(App::echo());
        for body in [0, 100, 100_000, 4 << 20] {
            client.send(Ask::post("/", vec![b'x'; body]).keep_conn());
            server.run();
            assert_eq!(client.response(1).body.len(), body);
            client.forget();
        }
        (server, client)
    };
    let held = held_by(serve_much);
    assert!(held <= 16 * 1024, "{held} bytes held");
}

#[test]
fn an_idle_connection_that_was_multiplexed_holds_little_more() {
    let _alone = alone();
    for exec in Exec::ALL {
        let serve_many = || {
            let (mut server, mut client) = serve_with(&builder(), exec, App::hello());
            for _ in 0..3 {
                client.send((1..=100).flat_map(|id| Ask::post("/", "body").id(id).keep_conn()));
                server.run();
                (1..=100).for_each(|id| assert_eq!(client.response(id).text(), "hello"));
                client.forget();
            }
            (server, client)
        };
        let held = held_by(serve_many);
        assert!(held <= 128 * 1024, "{held} bytes held, {exec:?}");
    }
}

/// Where an executor runs what is left of requests, the others need room for one future and not for one each.
#[test]
fn requests_that_are_answered_at_once_use_the_same_room() {
    const FUTURE: usize = size_of::<Answer>();
    let _alone = alone();
    let serve_many = || {
        let (mut server, mut client) = serve_with(&builder(), Exec::Spawned, Large);
        for _ in 0..3 {
            client.send((1..=100).flat_map(|id| Ask::get("/").id(id).keep_conn()));
            server.run();
            (1..=100).for_each(|id| assert_eq!(client.response(id).text(), "large"));
            client.forget();
        }
        (server, client)
    };
    let held = held_by(serve_many);
    let most = isize::try_from(128 * 1024 + 2 * FUTURE).unwrap();
    assert!(held <= most, "{held} bytes held, {most} allowed");
}

#[test]
fn a_request_holds_nothing_once_it_was_answered() {
    let _alone = alone();
    let (mut server, mut client) = serve(App::hello());
    let mut round = |id| {
        client.send(Ask::post("/", "body").id(id).keep_conn());
        server.run();
        assert_eq!(client.response(id).text(), "hello");
        client.forget();
    };
    (1..=100).for_each(&mut round);
    let mut ids = (101..=u16::MAX).step_by(7);
    let held = least(|| {
        let before = live();
        ids.by_ref().take(3000).for_each(&mut round);
        live() - before
    });
    assert!(held <= 1024, "{held} bytes more held after thousands of requests");
}

/// A transport that gives megabytes of records as fast as they are read, and takes what is written or nothing.
struct Hose {
    first: Vec<u8>,
    pattern: Vec<u8>,
    at: usize,
    accepts: bool,
}

impl Hose {
    fn new(pattern: Vec<Rec>) -> Self {
        Self { first: Vec::new(), pattern: bytes_of(pattern), at: 0, accepts: false }
    }

    fn next(&self) -> &[u8] {
        match self.first.get(self.at..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => &self.pattern[(self.at - self.first.len()) % self.pattern.len()..],
        }
    }
}

impl Read for Hose {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let hose = self.get_mut();
        if hose.at >= hose.first.len() + FLOOD {
            return Poll::Pending;
        }
        while buf.remaining() > 0 {
            let len = hose.next().len().min(buf.remaining());
            buf.put_slice(&hose.next()[..len]);
            hose.at += len;
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Hose {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.accepts { Poll::Ready(Ok(buf.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What the decoder holds at most while it decodes the pieces, and what it holds after them.
fn held_by_decoder(wire: &[u8], chunk: usize) -> (isize, isize) {
    usual_of(|| {
        let before = live();
        let mut decoder = Decoder::new();
        let mut most = 0;
        for part in wire.chunks(chunk) {
            let mut input = part;
            while let Some(_fragment) = decoder.decode(&mut input).unwrap() {}
            most = most.max(live() - before);
        }
        (most, live() - before)
    })
}

#[test]
fn a_read_that_finds_nothing_allocates_nothing() {
    let _alone = alone();
    let (mut server, _client) = serve(App::hello());
    server.run();
    let mut allocations = (0..9).map(|_| {
        let before = ALLOCATOR.stats().allocations;
        server.poll_unasked();
        ALLOCATOR.stats().allocations - before
    });
    assert!(allocations.any(|allocations| allocations == 0));
}

/// A turn in place may take too long on a busy machine; some requests become tasks then.
#[test]
fn requests_of_one_read_that_need_no_task_cost_no_allocation_more_where_there_are_tasks() {
    let _alone = alone();
    let in_place = (0..100).map(|_| allocations_of_a_read(Exec::InPlace)).min().unwrap();
    let has_been_seen = (0..1000).any(|_| allocations_of_a_read(Exec::Spawned) <= in_place);
    assert!(has_been_seen, "more than {in_place} each time");
}

/// So many are made for the second of two equal reads, on a multiplexed connection.
fn allocations_of_a_read(exec: Exec) -> usize {
    let (mut server, mut client) =
        serve_with(&builder(), exec, App::new(|_| ready(text("at once"))));
    client.send(begin(9).keep_conn());
    let asks = bytes_of((1..=4).flat_map(|id| Ask::get("/").id(id).keep_conn()));
    client.send_bytes(&asks);
    server.run();
    client.forget();
    client.send_bytes(&asks);
    let before = ALLOCATOR.stats().allocations;
    server.run();
    ALLOCATOR.stats().allocations - before
}

/// The median of some measurements: what the test harness's own threads allocate and free meanwhile is not in it.
fn usual_of<T: Ord>(measure: impl Fn() -> T) -> T {
    let mut measured: Vec<T> = (0..9).map(|_| measure()).collect();
    measured.sort();
    measured.swap_remove(4)
}

fn assert_bounded(hose: Hose, app: App, most: isize) {
    drive(builder().serve_connection(hose, app), &Tasks::default(), most);
}

/// As [`assert_bounded`], of a Filter's request whose streams never end.
fn assert_filter_bounded(pattern: Vec<Rec>, app: App) {
    let mut hose = Hose::new(pattern);
    hose.first = bytes_of(Ask::post("/", "").role(3).content_length(None).head());
    let mut builder = builder();
    builder.roles([Role::Filter]);
    drive(builder.serve_connection(hose, app), &Tasks::default(), 1 << 20);
}

/// Polls as long as something is woken, and looks at the memory after each poll.
fn drive(connection: impl Future<Output = Result<()>>, tasks: &Tasks, most: isize) {
    let before = live();
    let mut connection = Box::pin(connection);
    let wake = Arc::new(CountingWake::woken());
    let waker = Waker::from(wake.clone());
    let mut peak = 0;
    loop {
        let is_woken = wake.take();
        if is_woken {
            let poll = connection.as_mut().poll(&mut Context::from_waker(&waker));
            peak = peak.max(live() - before);
            assert!(poll.is_pending(), "{poll:?}");
        }
        if !(is_woken | tasks.poll_woken()) {
            break;
        }
        peak = peak.max(live() - before);
    }
    assert!(peak <= most, "{peak} bytes held, {most} allowed");
}

/// Keeps every request and its body, unread.
fn keeping() -> App {
    App::new(|request: Request<Incoming>| async {
        let _unread = request;
        pending::<Response<Full<Bytes>>>().await
    })
}

/// A service whose futures are large.
#[derive(Clone)]
struct Large;

impl Service<Request<Incoming>> for Large {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Answer {
        Answer { room: [0; 16 * 1024] }
    }
}

struct Answer {
    #[expect(dead_code, reason = "it only takes room")]
    room: [u8; 16 * 1024],
}

impl Future for Answer {
    type Output = std::result::Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(text("large")))
    }
}

/// Yields frames of that many bytes.
struct Endless(usize);

impl Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; self.0])))))
    }
}

/// Keeps the request for as long as the body lives.
struct Unread(#[expect(dead_code, reason = "it is only kept")] Request<Incoming>, Endless);

impl Body for Unread {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.1).poll_frame(cx)
    }
}

fn live() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// What is held for as long as what `make` returns is there.
fn held_by<T>(make: impl Fn() -> T) -> isize {
    // What a thread keeps once is not that.
    drop(make());
    least(|| {
        let before = live();
        let _made = make();
        live() - before
    })
}

/// What a measurement takes without what the test harness happens to do beside it, such as starting the next test's thread.
fn least(measure: impl FnMut() -> isize) -> isize {
    iter::repeat_with(measure).take(3).min().expect("three measurements")
}

/// Only one test counts at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const FLOOD: usize = 8 << 20;
