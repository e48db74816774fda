//! Requests of a multiplexed connection that their first turn, in place, does not answer: what is left of them goes to an executor.

mod support;

use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use support::{
    App, Ask, BoxError, Client, DropFlag, Exec, Record, Server, Sink, Tasks, abort, begin, builder,
    feed, pipe, read_all, serve_with, stdin, text,
};
use tower_fastcgi::Incoming;
use tower_fastcgi::server::{Builder, Stderr};

const ON_EXECUTORS: [Exec; 2] = [Exec::Spawned, Exec::Late];

#[test]
fn a_handler_is_woken_by_the_waker_of_its_last_poll() {
    let (wakers, is_open) = (Sink::default(), Arc::new(AtomicBool::new(false)));
    let app = App::new({
        let (wakers, is_open) = (wakers.clone(), is_open.clone());
        move |_| {
            let (wakers, is_open) = (wakers.clone(), is_open.clone());
            poll_fn(move |cx| {
                wakers.put(cx.waker().clone());
                if is_open.load(Ordering::SeqCst) {
                    return Poll::Ready(text("woken"));
                }
                Poll::Pending
            })
        }
    });
    let (mut server, mut client) = multiplexed(Exec::Spawned, app);
    client.send(Ask::get("/").id(2).keep_conn());
    server.run();
    let [first, last]: [Waker; 2] = wakers.take().try_into().expect("polled here and there");
    assert!(!first.will_wake(&last));

    first.wake();
    server.run();
    assert!(client.has_nothing());
    assert_eq!(wakers.take().len(), 0, "the waker of the first turn is not the task's");

    is_open.store(true, Ordering::SeqCst);
    last.wake();
    server.run();
    assert_eq!(client.response(2).text(), "woken");
    assert_eq!(wakers.take().len(), 1);
}

#[test]
fn a_handler_that_wakes_itself_at_once_is_polled_by_the_executor() {
    for exec in ON_EXECUTORS {
        let (mut server, mut client) = multiplexed(exec, App::new(|_| Steps::new(3)));
        client.send(Ask::get("/").id(2).keep_conn());
        while server.poll_connection() {}
        assert_eq!(server.tasks().live(), 1, "{exec:?}");
        assert!(client.has_nothing());
        server.run();
        assert_eq!(client.response(2).text(), "done", "{exec:?}");
    }
}

#[test]
fn a_service_that_is_not_ready_at_first_is_woken_where_it_was_asked_last() {
    let (wakers, is_ready) = (Sink::default(), Arc::new(AtomicBool::new(false)));
    let app = App::hello().poll_ready_with({
        let (wakers, is_ready) = (wakers.clone(), is_ready.clone());
        move |cx| {
            wakers.put(cx.waker().clone());
            if is_ready.load(Ordering::SeqCst) { Poll::Ready(Ok(())) } else { Poll::Pending }
        }
    });
    let (mut server, mut client) = multiplexed(Exec::Spawned, app);
    client.send(Ask::get("/").id(2).keep_conn());
    server.run();
    let [_, last]: [Waker; 2] = wakers.take().try_into().expect("asked here and there");
    is_ready.store(true, Ordering::SeqCst);
    last.wake();
    server.run();
    assert_eq!(client.response(2).text(), "hello");
}

#[test]
fn an_abort_in_the_same_read_leaves_the_handler_uncalled_and_the_id_to_the_next_request() {
    for exec in Exec::ALL {
        let (seen, latch, app) = App::parked();
        latch.open();
        let (mut server, mut client) = multiplexed(exec, app);
        let aborted = Ask::get("/aborted").id(2).keep_conn().into_iter().chain(abort(2));
        client.send(aborted.chain(Ask::get("/next").id(2).keep_conn()));
        server.run();
        assert_eq!(seen.take_one().uri().path(), "/next", "{exec:?}");
        assert_eq!(client.response(2).status, 503);
        assert_eq!(client.response(2).text(), "parked");
        assert_eq!(server.tasks().live(), 0);
    }
}

#[test]
fn what_ends_a_request_before_or_after_its_tasks_first_poll_drops_it_unpolled() {
    type Event = fn(&mut Server, &Client);
    let events: [(&str, Event); 4] = [
        ("abort", |_, client| client.send(abort(2))),
        ("close", |_, client| client.close()),
        ("reset", |_, client| client.reset()),
        ("drop", |server, _| server.drop_connection()),
    ];
    for (what, event) in events {
        for is_polled in [false, true] {
            let (polls, flag) = (Arc::new(AtomicUsize::new(0)), DropFlag::default());
            let app = App::new({
                let (polls, flag) = (polls.clone(), flag.clone());
                move |_| {
                    let (polls, guard) = (polls.clone(), flag.guard());
                    poll_fn(move |_| {
                        let _guard = &guard;
                        polls.fetch_add(1, Ordering::SeqCst);
                        Poll::<Response<Full<Bytes>>>::Pending
                    })
                }
            });
            let (mut server, mut client) = multiplexed(Exec::Spawned, app);
            client.send(Ask::get("/").id(2).keep_conn());
            while server.poll_connection() {}
            assert_eq!(server.tasks().live(), 1);
            if is_polled {
                server.run();
            }
            event(&mut server, &client);
            while server.poll_connection() {}
            if what == "abort" {
                assert_eq!(client.response(2).status, 503);
            }
            assert!(!flag.is_dropped(), "it is the task's");
            server.run();
            assert!(flag.is_dropped(), "{what} {is_polled}");
            assert_eq!(server.tasks().live(), 0);
            assert_eq!(polls.load(Ordering::SeqCst), 1 + usize::from(is_polled));
            assert!(client.has_nothing());
        }
    }
}

#[test]
fn a_panic_in_any_poll_of_a_handler_is_a_500_and_harms_no_sibling() {
    for exec in Exec::ALL {
        for polls in 0..4 {
            let app = App::new(move |request: Request<Incoming>| {
                let mut steps = Steps::new(polls);
                poll_fn(move |cx| {
                    let poll = Pin::new(&mut steps).poll(cx);
                    assert!(poll.is_pending() || request.uri().path() == "/fine", "it panics");
                    poll
                })
            });
            let (mut server, mut client) = multiplexed(exec, app);
            client.send(Ask::get("/fine").id(1).keep_conn());
            client.send(Ask::get("/panics").id(2).keep_conn());
            client.send(Ask::get("/fine").id(3).keep_conn());
            server.run();
            let statuses = [1, 2, 3].map(|id| client.response(id).status);
            assert_eq!(statuses, [200, 500, 200], "{exec:?} {polls}");
            assert_eq!(server.tasks().live(), 0);
        }
    }
}

#[test]
fn a_panic_when_a_handler_is_dropped_harms_nobody() {
    for exec in Exec::ALL {
        let app = App::new(|request: Request<Incoming>| {
            let spiteful = (request.uri().path() != "/fine").then(|| PanicsOnDrop);
            async move {
                if spiteful.is_some() {
                    pending::<()>().await;
                }
                text("fine")
            }
        });
        let (mut server, mut client) = multiplexed(exec, app);
        for is_polled in [false, true] {
            client.send(Ask::get("/").id(2).keep_conn());
            while server.poll_connection() {}
            if is_polled {
                server.run();
            }
            client.send(abort(2));
            server.run();
            assert_eq!(client.response(2).status, 503, "{exec:?}");
            client.send(Ask::get("/fine").id(2).keep_conn());
            server.run();
            assert_eq!(client.response(2).text(), "fine", "{exec:?}");
        }
    }
}

#[test]
fn a_panic_when_an_error_that_nobody_heard_of_is_dropped_harms_nobody() {
    type Event = fn(&mut Server, &mut Client);
    let events: [(&str, Event); 2] = [
        ("abort", |server, client| {
            client.send(abort(2));
            server.run();
            assert_eq!(client.response(2).status, 503);
            assert!(server.is_running());
        }),
        ("close", |server, client| {
            client.close();
            server.run();
            assert!(server.error().is_incomplete());
        }),
    ];
    for (what, event) in events {
        println!("{what}");
        let app = App::fallible(|_| async {
            Err::<Response<Full<Bytes>>, BoxError>(Box::new(Spiteful(PanicsOnDrop)))
        });
        let (mut server, mut client) = multiplexed(Exec::Late, app);
        client.send(Ask::get("/").id(2).keep_conn());
        while server.poll_connection() {}
        assert!(server.tasks().poll_woken());
        event(&mut server, &mut client);
        assert_eq!(server.tasks().live(), 0);
    }
}

#[test]
fn an_executor_that_drops_a_task_at_once_costs_that_request_only() {
    let (feed, body) = feed();
    let body = Mutex::new(Some(body));
    let app = App::new(move |request: Request<Incoming>| {
        let path = request.uri().path().to_owned();
        let fed = (path == "/fed").then(|| body.lock().unwrap().take().unwrap());
        async move {
            if path == "/later" {
                Steps::new(1).await;
            }
            match fed {
                Some(fed) => Response::new(http_body_util::Either::Left(fed)),
                None => text("at once").map(http_body_util::Either::Right),
            }
        }
    });
    let (mut server, mut client) = on(Odd::Drops, app);
    client.send(Ask::get("/later").id(2).keep_conn());
    client.send(Ask::get("/").id(3).keep_conn());
    server.run();
    assert_eq!(client.response(2).status, 500);
    assert_eq!(client.response(3).text(), "at once");

    feed.send("part");
    client.send(Ask::get("/fed").id(2).keep_conn());
    server.run();
    assert!(feed.is_dropped());
    assert!(client.stdout(2).ends_with(b"part"));
    assert!(client.has_nothing(), "the end waits for the sibling");
    client.send(abort(9));
    server.run();
    assert_eq!(client.recv_all(), [Record::end(9), Record::Cut]);
}

#[test]
fn an_executor_that_runs_a_task_at_once_is_one_too() {
    for polls in 0..3 {
        let (mut server, mut client) = on(Odd::Runs, App::new(move |_| Steps::new(polls)));
        client.send((1..=8).flat_map(|id| Ask::get("/").id(id).keep_conn()));
        server.run();
        (1..=8).for_each(|id| assert_eq!(client.response(id).text(), "done"));
    }
}

#[test]
fn an_executor_that_panics_costs_the_requests_that_need_it() {
    let app = App::new(|request: Request<Incoming>| {
        Steps::new(usize::from(request.uri().path() == "/later"))
    });
    let (mut server, mut client) = on(Odd::Panics, app);
    client.send(Ask::get("/later").id(2).keep_conn());
    client.send(Ask::get("/later").id(3).keep_conn());
    server.run();
    [2, 3].into_iter().for_each(|id| assert_eq!(client.response(id).status, 500));
    assert!(server.is_running());
}

/// What each body comes to: the bytes of it that are sent, and whether the response ends.
#[test]
fn a_response_is_the_same_wherever_its_parts_are_made() {
    use Part::{Data, Fails, Panics, Trailers};
    let bodies: [(&[Part], Option<u64>, &str, bool); 15] = [
        (&[], None, "", true),
        (&[], Some(0), "", true),
        (&[Data("one")], None, "one", true),
        (&[Data("one")], Some(3), "one", true),
        (&[Data("one"), Data("two"), Data("three")], None, "onetwothree", true),
        (&[Data("one"), Data("two"), Data("three")], Some(11), "onetwothree", true),
        (&[Data("one"), Data("two"), Data("three")], Some(5), "onetw", true),
        (&[Data("one"), Data("two")], Some(7), "onetwo", true),
        (&[Data(""), Data("one"), Data(""), Trailers], None, "one", true),
        (&[Trailers], None, "", true),
        (&[Fails], None, "", false),
        (&[Fails], Some(3), "", true),
        (&[Data("one"), Fails], None, "one", false),
        (&[Data("one"), Data("two"), Panics], None, "onetwo", false),
        (&[Data("one"), Panics], Some(6), "one", true),
    ];
    for (parts, length, expected, is_ended) in bodies {
        for (exec, pends) in Exec::ALL.into_iter().flat_map(|exec| [(exec, false), (exec, true)]) {
            let body = move || Parts {
                parts: parts.iter().copied().collect(),
                length,
                pends,
                has_pended: false,
            };
            let (mut server, mut client) =
                multiplexed(exec, App::new(move |_| async move { Response::new(body()) }));
            client.send(Ask::get("/").id(2).keep_conn());
            server.run();
            let stdout = client.stdout(2);
            let head = stdout.windows(4).position(|part| part == b"\r\n\r\n").expect("a head");
            let what = format!("{exec:?} {parts:?} {length:?} {pends}");
            assert_eq!(String::from_utf8_lossy(&stdout[head + 4..]), expected, "{what}");
            client.send(abort(9));
            server.run();
            let rest = match is_ended {
                true => vec![Record::end(2), Record::end(9)],
                false => vec![Record::end(9), Record::Cut],
            };
            assert_eq!(client.recv_all(), rest, "{what}");
            assert_eq!(server.tasks().live(), 0);
        }
    }
}

#[test]
fn the_rest_of_a_frame_comes_before_the_frames_that_are_made_elsewhere() {
    let frames = ["a", "b", "c"].map(|letter| letter.repeat(200_000));
    let expected = frames.concat().into_bytes();
    for exec in Exec::ALL {
        for send_buf in [1, 128 * 1024] {
            let frames = frames.clone();
            let app = App::new(move |_| {
                let frames =
                    frames.clone().map(|frame| Ok::<_, BoxError>(Frame::data(frame.into())));
                let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
                async { Response::<http_body_util::StreamBody<_>>::new(body) }
            });
            let mut builder = builder();
            builder.max_send_buf_size(send_buf);
            let (mut server, mut client) = multiplexed_by(&builder, exec, app);
            client.stop_reading();
            client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
            for _ in 0..150 {
                client.read_only(10_000);
                server.run();
            }
            for id in [1, 2] {
                assert!(client.response(id).body == expected, "{exec:?} {send_buf} {id}");
            }
        }
    }
}

#[test]
fn a_response_that_is_made_needs_no_task_for_what_is_not_written_yet() {
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    let app = App::new({
        let body = body.clone();
        move |_| {
            let body = body.clone();
            async { Response::new(Full::new(body)) }
        }
    });
    let (mut server, mut client) = multiplexed(Exec::Spawned, app);
    client.stop_reading();
    client.send(Ask::get("/").id(2).keep_conn());
    while server.poll_connection() {}
    assert_eq!(server.tasks().live(), 0);
    client.read_on();
    server.run();
    assert!(client.response(2).body == body);
}

#[test]
fn requests_begin_elsewhere_while_nothing_more_may_be_queued_here() {
    for exec in Exec::ALL {
        let called = Sink::default();
        let app = App::new({
            let called = called.clone();
            move |_| {
                called.put(());
                async { text("answer") }
            }
        });
        let mut builder = builder();
        builder.max_send_buf_size(1);
        let (mut server, mut client) = multiplexed_by(&builder, exec, app);
        client.stop_reading();
        client.send((1..=8).flat_map(|id| Ask::get("/").id(id).keep_conn()));
        server.run();
        let expected = if exec == Exec::InPlace { 1 } else { 8 };
        assert_eq!(called.take().len(), expected, "{exec:?}");
        assert_eq!(server.tasks().live(), 0);
        client.read_on();
        server.run();
        (1..=8).for_each(|id| assert_eq!(client.response(id).text(), "answer", "{exec:?}"));
    }
}

#[test]
fn a_body_reaches_its_handler_before_and_after_it_has_moved() {
    for exec in Exec::ALL {
        for at_hand_over in [0, 1, 2, 3] {
            let (mut server, mut client) = multiplexed(exec, App::echo());
            client.send(Ask::post("/", "").id(2).content_length(Some("9")).keep_conn().head());
            for (at, part) in ["one", "two", "six"].into_iter().enumerate() {
                match at < at_hand_over {
                    true => while server.poll_connection() {},
                    false => server.run(),
                }
                client.send(stdin(2, part));
            }
            server.run();
            assert_eq!(client.response(2).text(), "onetwosix", "{exec:?} {at_hand_over}");
        }
    }
}

#[test]
fn lines_for_the_error_log_keep_their_order_and_come_before_its_end() {
    for exec in Exec::ALL {
        let app = App::new(|request: Request<Incoming>| async move {
            let stderr = request.extensions().get::<Stderr>().expect("it is on").clone();
            stderr.write_line("first");
            Steps::new(1).await;
            Stderr::current().expect("it is on").write_line("second");
            Steps::new(1).await;
            stderr.write_line("third");
            text("done")
        });
        let mut builder = builder();
        builder.stderr(100);
        let (mut server, mut client) = multiplexed_by(&builder, exec, app);
        client.send(Ask::get("/").id(2).keep_conn());
        server.run();
        let records = client.recv_all();
        let lines: Vec<&[u8]> = records
            .iter()
            .filter_map(|record| match record {
                Record::Stderr { content, .. } => Some(&content[..]),
                _ => None,
            })
            .collect();
        let expected: [&[u8]; 4] = [b"first\n", b"second\n", b"third\n", b""];
        assert_eq!(lines, expected, "{exec:?}");
        assert_eq!(records.last(), Some(&Record::end(2)));
        assert!(Stderr::current().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_wakes_a_handler_between_its_first_polls_is_lost() {
    let app = App::new(|request: Request<Incoming>| async move {
        let (tell, told) = tokio::sync::oneshot::channel();
        // Runs on another worker, before, while and after the handler moves.
        tokio::spawn(async move {
            for _ in 0..request.uri().path().len() % 4 {
                tokio::task::yield_now().await;
            }
            tell.send(read_all(request.into_body()).await.expect("a whole body")).unwrap();
        });
        Response::new(Full::new(Bytes::from(told.await.expect("the task has told"))))
    });
    let (io, shared) = pipe();
    let mut client = Client::new(shared);
    let builder = builder().executor(TokioExecutor::new());
    let connection = tokio::spawn(builder.serve_connection(io, app));
    client.send(begin(99).keep_conn());
    for round in 0..100 {
        let ids = 1..=20;
        for id in ids.clone() {
            let ask = Ask::post(&"/".repeat(usize::from(id)), "").id(id).keep_conn();
            client.send(ask.content_length(Some("4")).head());
        }
        ids.clone().for_each(|id| client.send(stdin(id, "body")));
        let all = async {
            for id in ids {
                loop {
                    match client.try_response(id) {
                        Some(response) => break assert_eq!(response.text(), "body"),
                        None => tokio::task::yield_now().await,
                    }
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), all)
            .await
            .unwrap_or_else(|_| panic!("lost in round {round}"));
    }
    client.send(abort(99));
    client.close();
    assert!(connection.await.unwrap().is_ok());
}

#[test]
fn a_graceful_shutdown_waits_for_what_has_moved() {
    for exec in Exec::ALL {
        for is_polled in [false, true] {
            let (_seen, latch, app) = App::parked();
            let (mut server, mut client) = serve_with(&builder(), exec, app);
            client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
            while server.poll_connection() {}
            if is_polled {
                server.run();
            }
            server.graceful_shutdown();
            server.run();
            assert!(!client.write_half_is_shut(), "{exec:?}");
            latch.open();
            server.run();
            [1, 2].into_iter().for_each(|id| assert_eq!(client.response(id).text(), "parked"));
            assert!(client.write_half_is_shut(), "{exec:?}");
        }
    }
}

/// A connection on which another request, 9, has begun.
fn multiplexed(exec: Exec, app: App) -> (Server, Client) {
    multiplexed_by(&builder(), exec, app)
}

fn multiplexed_by(builder: &Builder, exec: Exec, app: App) -> (Server, Client) {
    let (mut server, client) = serve_with(builder, exec, app);
    client.send(begin(9).keep_conn());
    server.run();
    (server, client)
}

fn on(executor: Odd, app: App) -> (Server, Client) {
    let (mut server, client) = Server::new(&builder().executor(executor), Tasks::default(), app);
    client.send(begin(9).keep_conn());
    server.run();
    (server, client)
}

/// Answers after so many polls that were in vain, each of which asks for another.
struct Steps(usize);

impl Steps {
    fn new(polls: usize) -> Self {
        Self(polls)
    }
}

impl Future for Steps {
    type Output = Response<Full<Bytes>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.0 == 0 {
            return Poll::Ready(text("done"));
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// An executor that does with a task what few do.
#[derive(Clone, Copy)]
enum Odd {
    Drops,
    /// Before it returns.
    Runs,
    Panics,
}

impl<F: Future<Output = ()>> Executor<F> for Odd {
    fn execute(&self, future: F) {
        match self {
            Self::Drops => drop(future),
            Self::Runs => {
                let mut future = pin!(future);
                while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
            }
            Self::Panics => panic!("there is no runtime"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Data(&'static str),
    Trailers,
    Fails,
    Panics,
}

/// A body of these parts, each of which is there at once or when it is asked for again.
struct Parts {
    parts: VecDeque<Part>,
    length: Option<u64>,
    pends: bool,
    has_pended: bool,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.has_pended = self.pends && !self.has_pended;
        if self.has_pended {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.parts.pop_front().map(|part| match part {
            Part::Data(data) => Ok(Frame::data(Bytes::from(data))),
            Part::Trailers => Ok(Frame::trailers(HeaderMap::new())),
            Part::Fails => Err("the body failed".into()),
            Part::Panics => panic!("the body panics"),
        }))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the drop panics");
        }
    }
}

/// An error that does not go quietly.
struct Spiteful(PanicsOnDrop);

impl std::fmt::Debug for Spiteful {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spiteful")
    }
}

impl std::fmt::Display for Spiteful {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("spite")
    }
}

impl std::error::Error for Spiteful {}
