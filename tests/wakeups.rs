//! After every `Pending` exactly those events wake the connection that let it go on, and each is enough.

mod support;

use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{Either, Full};
use support::{
    App, Ask, BoxError, CountingWake, DropFlag, Exec, Feed, Latch, abort, begin, body_of, builder,
    end_stdin, feed, get_values, pipe, serve, serve_with, stdin, text,
};
use tower_fastcgi::Incoming;

#[test]
fn an_idle_connection_is_polled_once_and_then_sleeps() {
    let (mut server, _client) = serve(App::hello());
    server.run();
    assert_eq!((server.polls(), server.wakes()), (1, 0));
}

#[test]
fn new_bytes_wake() {
    let (mut server, mut client) = serve(App::hello());
    server.run();
    client.send(Ask::get("/").keep_conn());
    assert_eq!(server.wakes(), 1);
    server.run();
    assert_eq!(client.response(1).text(), "hello");
    assert!(!server.is_woken());
}

#[test]
fn a_small_request_takes_a_few_polls() {
    let (mut server, mut client) = serve(App::echo());
    server.run();
    let before = server.polls();
    client.send(Ask::post("/", "body").keep_conn());
    server.run();
    client.response(1);
    let polls = server.polls() - before;
    assert!(polls <= 3, "{polls} polls");
}

#[test]
fn a_handler_that_gets_ready_wakes() {
    for exec in Exec::ALL {
        let (_, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(Ask::get("/").keep_conn());
        client.send(Ask::get("/").id(2).keep_conn());
        server.run();
        latch.open();
        server.run();
        [1, 2].into_iter().for_each(|id| assert_eq!(client.response(id).text(), "parked"));
    }
}

#[test]
fn what_runs_in_place_waits_for_no_sibling_with_its_response() {
    let (feed, body) = feed();
    let (_latch, app) = App::fed_beside_parked("/fed", body, "waited");
    let (mut server, mut client) = serve_with(&builder(), Exec::InPlace, app);
    client.send(Ask::get("/fed").keep_conn());
    client.send(Ask::get("/parked").id(2).keep_conn());
    server.run();
    let before = server.polls();
    feed.send("now");
    feed.end();
    server.run();
    assert_eq!(client.response(1).text(), "now");
    assert_eq!(server.polls() - before, 1);
}

#[test]
fn a_service_that_gets_ready_wakes() {
    let state: Arc<Mutex<(bool, Option<Waker>)>> = Arc::default();
    let app = App::hello().poll_ready_with({
        let state = state.clone();
        move |cx| {
            let mut state = state.lock().unwrap();
            state.1 = Some(cx.waker().clone());
            if state.0 { Poll::Ready(Ok(())) } else { Poll::Pending }
        }
    });
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert!(client.has_nothing());
    let waker = {
        let mut state = state.lock().unwrap();
        state.0 = true;
        state.1.take().unwrap()
    };
    waker.wake();
    server.run();
    assert_eq!(client.response(1).text(), "hello");
}

#[test]
fn a_frame_that_gets_ready_wakes() {
    for exec in Exec::ALL {
        let (feeds, app) = feeds();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send([0, 1].into_iter().flat_map(|n| Ask::get(&format!("/{n}")).id(n + 1)));
        server.run();
        client.recv_all();
        for (n, feed) in feeds.iter().enumerate() {
            feed.send("frame");
            server.run();
            assert_eq!(client.stdout(n as u16 + 1), b"frame", "{exec:?}");
            assert!(!server.is_woken());
        }
    }
}

#[test]
fn a_body_and_a_handler_that_are_not_ready_are_not_polled_for_the_sake_of_others() {
    for exec in Exec::ALL {
        let (feeds, app) = feeds();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send([0, 1].into_iter().flat_map(|n| Ask::get(&format!("/{n}")).id(n + 1)));
        server.run();
        let before = feeds[0].polls();
        for _ in 0..100 {
            feeds[1].send("frame");
            server.run();
            client.send(get_values(&[]));
            server.run();
        }
        assert!(client.stdout(2).ends_with(&b"frame".repeat(100)));
        assert_eq!(feeds[0].polls(), before, "{exec:?}");
    }
}

#[test]
fn a_poll_that_nobody_asked_for_changes_nothing() {
    let (feeds, app) = feeds();
    let (mut server, mut client) = serve(app);
    client.send([0, 1].into_iter().flat_map(|n| Ask::get(&format!("/{n}")).id(n + 1)));
    server.run();
    client.recv_all();
    let before = feeds[0].polls();
    for _ in 0..10 {
        server.poll_unasked();
    }
    assert!(!server.is_woken(), "and it does not wake itself");
    assert!(client.has_nothing());
    assert_eq!(feeds[0].polls(), before);
}

#[test]
fn the_reader_of_a_body_is_woken_by_each_thing_that_can_happen_to_it() {
    type Event = fn(&support::Client);
    let events: [(&str, Event); 5] = [
        ("data", |client| client.send(stdin(1, "data"))),
        ("end", |client| client.send(end_stdin(1))),
        ("abort", |client| client.send(abort(1))),
        ("close", |client| client.close()),
        ("reset", |client| client.reset()),
    ];
    for (what, event) in events {
        let (seen, _latch, app) = App::parked();
        let (mut server, client) = serve(app);
        client.send(Ask::post("/", "").content_length(None).keep_conn().head());
        server.run();
        let mut body = seen.take_one().into_body();
        let wake = Arc::new(CountingWake::asleep());
        let waker = Waker::from(wake.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
        server.run();
        assert!(!wake.take());
        event(&client);
        server.run();
        assert!(wake.take(), "{what}");
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready(), "{what}");
    }
}

#[test]
fn the_last_waker_that_polled_a_body_is_the_one_that_is_woken() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    server.run();
    let mut body = seen.take_one().into_body();
    let wakes = [CountingWake::asleep(), CountingWake::asleep()].map(Arc::new);
    for wake in &wakes {
        let waker = Waker::from(wake.clone());
        let poll = Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
    }
    client.send(stdin(1, "data"));
    server.run();
    assert!(wakes[1].take());
}

#[test]
fn the_last_waker_that_polled_the_connection_is_the_one_that_is_woken() {
    type Event = fn(&support::Client, &Latch, &Feed);
    let events: [(&str, Event); 4] = [
        ("bytes", |client, _, _| client.send(get_values(&[]))),
        ("handler", |_, latch, _| latch.open()),
        ("frame", |_, _, feed| feed.send("frame")),
        ("close", |client, _, _| client.close()),
    ];
    for (what, event) in events {
        let (latch, feed, app) = waiting_and_feeding();
        let (io, shared) = pipe();
        let client = support::Client::new(shared);
        let mut connection = builder().serve_connection(io, app);
        client.send([1, 2].into_iter().flat_map(|id| Ask::get(&format!("/{id}")).id(id)));
        let wakes = [CountingWake::asleep(), CountingWake::asleep()].map(Arc::new);
        for wake in &wakes {
            let waker = Waker::from(wake.clone());
            while {
                let poll =
                    Future::poll(Pin::new(&mut connection), &mut Context::from_waker(&waker));
                assert!(poll.is_pending());
                wake.take()
            } {}
        }
        event(&client, &latch, &feed);
        assert!(wakes[1].take(), "{what}");
    }
}

#[test]
fn a_frame_taken_from_a_full_body_lets_the_reading_go_on() {
    for exec in Exec::ALL {
        let (seen, _latch, app) = App::parked();
        let (mut server, client) = serve_with(&builder(), exec, app);
        client.send(begin(9));
        client.send(Ask::post("/", "").id(2).content_length(None).keep_conn().head());
        server.run();
        client.send(body_of(2, &vec![0; 1 << 20]));
        server.run();
        let mut body = seen.take_one().into_body();
        assert!(client.unread() > 0);
        let mut taken = 0;
        while let Some(len) = poll_len(&mut body) {
            taken += len;
            server.run();
        }
        assert_eq!(taken, 1 << 20, "{exec:?}");
    }
}

#[test]
fn a_full_body_that_is_dropped_lets_the_reading_go_on() {
    for exec in Exec::ALL {
        let (seen, _latch, app) = App::parked();
        let (mut server, client) = serve_with(&builder(), exec, app);
        client.send(begin(9));
        client.send(Ask::post("/", "").id(2).content_length(None).keep_conn().head());
        server.run();
        client.send(body_of(2, &vec![0; 1 << 20]));
        server.run();
        assert!(client.unread() > 0);
        drop(seen.take());
        server.run();
        assert_eq!(client.unread(), 0, "{exec:?}");
    }
}

#[test]
fn a_full_body_does_not_keep_the_connection_busy() {
    let (_seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    server.run();
    client.send(body_of(1, &vec![0; 1 << 20]));
    server.run();
    let (polls, wakes) = (server.polls(), server.wakes());
    client.send(stdin(1, "more"));
    server.run();
    assert!(server.polls() <= polls + 1 && server.wakes() <= wakes + 1);
}

#[test]
fn a_response_goes_on_while_the_reading_waits_for_a_full_body() {
    let (seen, latch, app) = App::parked();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").id(2).keep_conn());
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    server.run();
    client.send(body_of(1, &vec![0; 1 << 20]));
    server.run();
    let _bodies = seen.take();
    latch.open();
    server.run();
    assert_eq!(client.response(2).text(), "parked");
    assert_eq!(client.response(1).text(), "parked");
}

#[test]
fn an_answer_frees_the_reading_that_its_full_body_held_up() {
    let (seen, latch, app) = App::parked();
    let (mut server, mut client) = serve(app);
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    server.run();
    client.send(body_of(1, &vec![0; 1 << 20]));
    client.send(end_stdin(1));
    server.run();
    assert!(client.unread() > 0);
    drop(seen.take());
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "parked");
    assert_eq!(client.unread(), 0);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "parked");
}

#[test]
fn room_to_write_wakes() {
    let (mut server, mut client) = serve(App::hello());
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    server.run();
    let (polls, wakes) = (server.polls(), server.wakes());
    assert!(!server.is_woken());
    client.read_on();
    assert_eq!(server.wakes(), wakes + 1);
    server.run();
    assert_eq!(client.response(1).text(), "hello");
    assert!(server.polls() <= polls + 2);
}

#[test]
fn a_peer_that_does_not_read_does_not_keep_the_connection_busy() {
    for exec in Exec::ALL {
        let app = App::new(|_| ready(Response::new(Endless::default())));
        let (mut server, client) = serve_with(&builder(), exec, app);
        client.stop_reading();
        client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id)));
        server.run();
        let polls = server.polls();
        for _ in 0..10 {
            server.run();
        }
        assert_eq!(server.polls(), polls, "{exec:?}");
    }
}

#[test]
fn reading_goes_on_while_writing_is_blocked() {
    for exec in Exec::ALL {
        let flag = DropFlag::default();
        let app = App::new({
            let flag = flag.clone();
            move |_| {
                ready(Response::new(Endless { _guard: Some(flag.guard()), ..Endless::default() }))
            }
        });
        let (mut server, client) = serve_with(&builder(), exec, app);
        client.stop_reading();
        client.send(begin(9));
        client.send(Ask::get("/").id(2));
        server.run();
        client.send(abort(2));
        server.run();
        assert_eq!(client.unread(), 0, "{exec:?}");
        assert!(flag.is_dropped(), "{exec:?}");
    }
}

#[test]
fn a_body_that_waits_for_room_goes_on_when_there_is_some() {
    for exec in Exec::ALL {
        let total = 2 << 20;
        let app = App::new(move |_| ready(Response::new(Endless::of(total))));
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.stop_reading();
        client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
        server.run();
        // Record headers, heads and ends are well within a tenth.
        for _ in 0..2 * total * 11 / 10 / 100_000 {
            client.read_only(100_000);
            server.run();
        }
        for id in [1, 2] {
            assert_eq!(client.response(id).body.len(), total, "{exec:?}");
        }
    }
}

#[test]
fn a_large_download_takes_about_a_poll_per_write_and_not_more() {
    for exec in Exec::ALL {
        let total = 16 << 20;
        let app = App::new(move |_| ready(Response::new(Endless::of(total))));
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(begin(9).keep_conn());
        server.run();
        let before = server.polls();
        client.send(Ask::get("/").id(2).keep_conn());
        server.run();
        assert_eq!(client.response(2).body.len(), total);
        // Frames are 16 KiB, the high-water mark is 128 KiB.
        let (polls, writes) = (server.polls() - before, client.writes().len());
        assert!(polls <= 2 * total / (16 * 1024) + 10, "{exec:?}: {polls} polls");
        assert!(writes <= total / (16 * 1024) + 10, "{exec:?}: {writes} writes");
    }
}

#[test]
fn a_large_upload_takes_a_few_polls_per_read_and_not_more() {
    for exec in Exec::ALL {
        let (mut server, mut client) = serve_with(&builder(), exec, App::echo());
        let body: Vec<u8> = (0..8 << 20).map(|at: usize| (at % 253) as u8).collect();
        client.send(begin(9).keep_conn());
        server.run();
        let before = server.polls();
        client.send(Ask::post("/", &body).id(2).keep_conn());
        server.run();
        assert!(client.response(2).body == body);
        let polls = server.polls() - before;
        assert!(polls <= 4 * body.len() / (64 * 1024) + 20, "{exec:?}: {polls} polls");
    }
}

#[test]
fn a_frame_fed_by_another_request_of_the_same_connection_arrives() {
    // One request's handler feeds the other's body within the same poll, after or before the other had its turn.
    for (feeder, fed) in [(1, 2), (2, 1)] {
        let (feed, body) = feed();
        let body = Mutex::new(Some(body));
        let app = App::new({
            let feed = feed.clone();
            move |request: Request<Incoming>| {
                ready(Response::new(if request.uri().path() == "/fed" {
                    Either::Left(body.lock().unwrap().take().unwrap())
                } else {
                    feed.send("fed");
                    feed.end();
                    Either::Right(Full::new(Bytes::from("feeder")))
                }))
            }
        });
        let (mut server, mut client) = serve(app);
        for id in [1, 2] {
            let path = if id == fed { "/fed" } else { "/feeder" };
            client.send(Ask::get(path).id(id).keep_conn());
        }
        server.run();
        assert_eq!(client.response(fed).text(), "fed");
        assert_eq!(client.response(feeder).text(), "feeder");
    }
}

#[test]
fn a_handler_that_wakes_itself_is_polled_again_and_starves_nobody() {
    let polls = Arc::new(AtomicUsize::new(0));
    let app = App::new({
        let polls = polls.clone();
        move |request: Request<Incoming>| {
            let polls = polls.clone();
            async move {
                if request.uri().path() == "/busy" {
                    Yields { left: 100_000, polls }.await;
                }
                text("done")
            }
        }
    });
    for exec in Exec::ALL {
        let (mut server, mut client) = serve_with(&builder(), exec, app.clone());
        client.send(Ask::get("/busy").keep_conn());
        for _ in 0..3 {
            server.poll_connection();
        }
        client.send(Ask::get("/").id(2).keep_conn());
        for _ in 0..10 {
            server.poll_connection();
            server.tasks().poll_woken();
        }
        assert_eq!(client.response(2).text(), "done", "{exec:?}: it had its turn");
        assert!(client.has_nothing(), "{exec:?}: the busy one goes on");
        server.run();
        assert_eq!(client.response(1).text(), "done");
    }
    assert_eq!(polls.load(Ordering::SeqCst), Exec::ALL.len() * 100_001);
}

#[test]
fn one_poll_is_a_bounded_amount_of_work() {
    let app = App::new(|_| ready(Response::new(Endless::default())));
    let (mut server, client) = serve(app);
    client.send(Ask::get("/"));
    for _ in 0..10 {
        assert!(server.poll_connection(), "an endless body keeps it woken");
    }
    let written: usize = client.writes().iter().sum();
    assert!(written < 10 * (4 << 20), "{written} bytes in 10 polls");
    client.close();
    server.poll_connection();
    server.poll_connection();
    assert!(!server.is_running(), "and the close is seen between");
}

#[test]
fn a_flood_of_requests_in_one_read_does_not_hold_a_response_back() {
    let (mut server, mut client) = serve(App::hello());
    client.send((1..=100).flat_map(|id| Ask::get("/").id(id).keep_conn()));
    server.run();
    (1..=100).for_each(|id| assert_eq!(client.response(id).text(), "hello"));
}

#[test]
fn a_handler_dropped_when_the_peer_closes_may_wake_what_it_likes() {
    // The drop wakes the connection's own wakers from within its poll.
    let (feed, body) = feed();
    let body = Mutex::new(Some(body));
    let app = App::new({
        let feed = feed.clone();
        move |request: Request<Incoming>| {
            let fed = request.uri().path() == "/fed";
            let body = fed.then(|| body.lock().unwrap().take().unwrap());
            let feeder = FeedsOnDrop(feed.clone());
            async move {
                match body {
                    Some(body) => Response::new(Either::Left(body)),
                    None => {
                        let _feeder = feeder;
                        pending::<()>().await;
                        Response::new(Either::Right(Full::<Bytes>::default()))
                    }
                }
            }
        }
    });
    let (mut server, client) = serve(app);
    client.send(Ask::get("/feeder").keep_conn());
    client.send(Ask::get("/fed").id(2).keep_conn());
    server.run();
    client.close();
    server.run();
    assert!(server.error().is_canceled());
}

fn feeds() -> ([Feed; 2], App) {
    let (feeds, bodies): (Vec<_>, Vec<_>) = [feed(), feed()].into_iter().unzip();
    let bodies: Vec<_> = bodies.into_iter().map(|body| Mutex::new(Some(body))).collect();
    let app = App::new(move |request: Request<Incoming>| {
        let at: usize = request.uri().path()[1..].parse().unwrap();
        ready(Response::new(bodies[at].lock().unwrap().take().unwrap()))
    });
    (feeds.try_into().unwrap(), app)
}

/// "/1" waits for the latch, "/2" streams the feed.
fn waiting_and_feeding() -> (Latch, Feed, App) {
    let (feed, body) = feed();
    let (latch, app) = App::fed_beside_parked("/2", body, "waited");
    (latch, feed, app)
}

/// Frames of 16 KiB, for ever or as long as some are left.
#[derive(Default)]
struct Endless {
    left: Option<usize>,
    _guard: Option<support::DropGuard>,
}

impl Endless {
    fn of(total: usize) -> Self {
        Self { left: Some(total), _guard: None }
    }
}

impl Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(left) = &mut self.left {
            if *left == 0 {
                return Poll::Ready(None);
            }
            *left -= 16 * 1024;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 16 * 1024])))))
    }
}

struct Yields {
    left: usize,
    polls: Arc<AtomicUsize>,
}

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

struct FeedsOnDrop(Feed);

impl Drop for FeedsOnDrop {
    fn drop(&mut self) {
        self.0.send("from a drop");
    }
}

fn poll_len(body: &mut Incoming) -> Option<usize> {
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(frame)) => Some(frame.unwrap().into_data().unwrap().len()),
        Poll::Ready(None) | Poll::Pending => None,
    }
}
