//! `serve` with the connections of a listener made in memory, and over TCP and Unix sockets where that matters.

mod in_memory;
mod web_server;

use std::future::{pending, ready};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{Request, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower_fastcgi::listener::{Listener, bind};
use tower_fastcgi::server::{Builder, Observer, RequestEnd};
use tower_fastcgi::{Serve, serve};

use self::in_memory::InMemory;
use self::web_server::{Part, WebServer, bounded};

/// A server that runs, and what shuts it down.
struct Running {
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

impl Running {
    fn start<L: Listener>(serve: Serve<L, Router>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let signal = async { stopped.await.expect("stopped, not dropped") };
        let server = tokio::spawn(serve.with_graceful_shutdown(signal).into_future());
        Self { stop, server }
    }

    fn stop(self) -> JoinHandle<io::Result<()>> {
        self.stop.send(()).expect("the server runs");
        self.server
    }
}

/// A handler that tells when it was called and when it was dropped, and never answers.
fn hanging() -> (Router, mpsc::Receiver<oneshot::Receiver<()>>) {
    let (called, calls) = mpsc::channel(8);
    let handler = async move || {
        let (_until_dropped, dropped) = oneshot::channel::<()>();
        called.send(dropped).await.unwrap();
        pending::<()>().await
    };
    (Router::new().route("/", get(handler)), calls)
}

/// A handler that waits for leave.
fn waiting() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (called, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (called, leave) = (called.clone(), leave.clone());
        async move || {
            called.notify_one();
            leave.notified().await;
            "done"
        }
    };
    let app = Router::new().route("/wait", get(handler)).route("/", get("hello"));
    (app, called, leave)
}

fn hello() -> Router {
    Router::new().route("/", get("hello"))
}

fn empty(uri: &str) -> Request<Bytes> {
    Request::get(uri).body(Bytes::new()).unwrap()
}

async fn ended(server: JoinHandle<io::Result<()>>) -> io::Result<()> {
    bounded(server).await.expect("the server did not panic")
}

#[tokio::test]
async fn a_router_is_served_over_tcp() {
    let listener = bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let _server = Running::start(serve(listener, hello()));
    let mut web_server = WebServer::new(TcpStream::connect(&address).await.unwrap());
    let response = web_server.get("/").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body(), "hello");
    web_server.closed().await;
}

#[tokio::test]
async fn a_router_is_served_on_tokios_own_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serve = serve(listener, hello());
    let address = serve.local_addr().unwrap();
    let _server = Running::start(serve);
    let mut web_server = WebServer::kept(TcpStream::connect(address).await.unwrap());
    for _ in 0..3 {
        assert_eq!(web_server.get("/").await.body(), "hello");
    }
}

#[tokio::test]
async fn connections_are_served_at_the_same_time() {
    const CONNECTIONS: usize = 8;
    let barrier = Arc::new(Barrier::new(CONNECTIONS));
    let handler = async move || {
        barrier.wait().await;
        "all are here"
    };
    let (listener, network) = InMemory::new();
    let _server = Running::start(serve(listener, Router::new().route("/", get(handler))));
    let responses = (0..CONNECTIONS).map(|_| {
        let mut web_server = WebServer::new(network.connect());
        tokio::spawn(async move { web_server.get("/").await })
    });
    for response in responses.collect::<Vec<_>>() {
        assert_eq!(response.await.unwrap().body(), "all are here");
    }
}

#[tokio::test]
async fn a_body_is_read_and_a_body_is_streamed() {
    let (listener, network) = InMemory::new();
    let echo = async |body: Body| Body::new(body);
    let _server = Running::start(serve(listener, Router::new().route("/", post(echo))));
    let body = Bytes::from("abc".repeat(10_000));
    let request = Request::post("/").body(body.clone()).unwrap();
    let response = WebServer::new(network.connect()).exchange(&request).await;
    assert_eq!(response.body(), &body);
}

#[tokio::test]
async fn the_builder_of_the_user_is_used() {
    let mut builder = Builder::new();
    // A timeout that is set needs a timer, which `serve` brings.
    builder.max_params(3).write_timeout(Duration::from_secs(7));
    let (listener, network) = InMemory::new();
    let _server = Running::start(serve(listener, hello()).with_builder(builder));
    let response = WebServer::new(network.connect()).get("/").await;
    assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn a_panic_in_a_handler_ends_one_request() {
    let app = hello().route("/panic", get(async || panic!("as told") as &str));
    let (listener, network) = InMemory::new();
    let _server = Running::start(serve(listener, app));
    let mut web_server = WebServer::kept(network.connect());
    assert_eq!(web_server.get("/panic").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(web_server.get("/").await.body(), "hello");
    assert_eq!(WebServer::new(network.connect()).get("/").await.body(), "hello");
}

#[tokio::test]
async fn an_error_of_the_service_is_answered_with_500() {
    let service = tower::service_fn(async |_: Request<tower_fastcgi::Incoming>| {
        Err::<http::Response<String>, _>("out of luck")
    });
    let (listener, network) = InMemory::new();
    let _server = tokio::spawn(serve(listener, service).into_future());
    let response = WebServer::new(network.connect()).get("/").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test(start_paused = true)]
async fn without_a_signal_it_runs_for_ever() {
    let (listener, network) = InMemory::new();
    let server = serve(listener, hello()).into_future();
    let day = Duration::from_secs(24 * 60 * 60);
    assert!(tokio::time::timeout(day, server).await.is_err());
    assert!(network.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_graceful_shutdown_lets_live_requests_finish() {
    let (app, called, leave) = waiting();
    let (listener, network) = InMemory::new();
    let running = Running::start(serve(listener, app));
    let mut live = WebServer::kept(network.connect());
    let mut idle = WebServer::kept(network.connect());
    live.send(&empty("/wait")).await;
    bounded(called.notified()).await;
    assert_eq!(idle.get("/").await.body(), "hello");

    let server = running.stop();
    idle.closed().await;
    assert!(network.is_closed(), "no connection is accepted any more");
    assert!(!server.is_finished(), "a request is live");

    leave.notify_one();
    assert_eq!(live.response().await.body(), "done");
    live.closed().await;
    ended(server).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_during_the_shutdown_is_served() {
    let (app, called, leave) = waiting();
    let (listener, network) = InMemory::new();
    let running = Running::start(serve(listener, app));
    let mut live = WebServer::new(network.connect());
    let mut kept = WebServer::kept(network.connect());
    assert_eq!(kept.get("/").await.body(), "hello");
    live.send(&empty("/wait")).await;
    bounded(called.notified()).await;

    let server = running.stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(network.is_closed());
    assert_eq!(kept.get("/").await.body(), "hello");
    kept.closed().await;
    leave.notify_one();
    assert_eq!(live.response().await.body(), "done");
    ended(server).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_server_shuts_down_at_once() {
    let (listener, _network) = InMemory::new();
    let running = Running::start(serve(listener, hello()));
    let start = Instant::now();
    ended(running.stop()).await.unwrap();
    // The clock is paused: this is how often it looks at the queue, not how fast it is.
    assert!(start.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_dropped_at_the_deadline() {
    for (timeout, deadline) in [(Some(5), 5), (None, 30)] {
        let (app, mut calls) = hanging();
        let (listener, network) = InMemory::new();
        let mut serve = serve(listener, app);
        if let Some(seconds) = timeout {
            serve = serve.with_shutdown_timeout(Duration::from_secs(seconds));
        }
        let running = Running::start(serve);
        let mut web_server = WebServer::kept(network.connect());
        web_server.send(&empty("/")).await;
        let mut dropped = bounded(calls.recv()).await.unwrap();

        let start = Instant::now();
        ended(running.stop()).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), deadline);
        assert_eq!(dropped.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        web_server.closed().await;
    }
}

#[tokio::test]
async fn whoever_has_connected_when_it_shuts_down_is_served() {
    let listener = bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut recorder = WebServer::kept(io::Cursor::new(Vec::new()));
    recorder.send(&empty("/")).await;
    let request = recorder.into_inner().into_inner();
    // Without an await, so that the runtime has not heard of the connections when the signal comes.
    let connect = |_| {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.write_all(&request).unwrap();
        stream
    };
    let connected: Vec<_> = (0..200).map(connect).collect();
    let server =
        tokio::spawn(serve(listener, hello()).with_graceful_shutdown(ready(())).into_future());
    for stream in connected {
        stream.set_nonblocking(true).unwrap();
        let mut web_server = WebServer::kept(TcpStream::from_std(stream).unwrap());
        assert_eq!(web_server.response().await.body(), "hello");
    }
    ended(server).await.unwrap();
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_flood_of_connections_does_not_hold_the_shutdown_up() {
    struct Flood(Arc<AtomicUsize>);

    impl Listener for Flood {
        type Io = tokio::io::Empty;
        type Addr = ();

        async fn accept(&mut self) -> (tokio::io::Empty, ()) {
            self.0.fetch_add(1, Ordering::Relaxed);
            (tokio::io::empty(), ())
        }

        fn local_addr(&self) -> io::Result<()> {
            Ok(())
        }
    }

    let accepted = Arc::new(AtomicUsize::new(0));
    let serve = serve(Flood(accepted.clone()), hello()).with_graceful_shutdown(ready(()));
    bounded(serve.into_future()).await.unwrap();
    assert!(accepted.load(Ordering::Relaxed) < 10_000);
}

#[tokio::test]
#[expect(clippy::async_yields_async, reason = "what tells of the drop is a future itself")]
async fn dropped_it_drops_what_it_serves() {
    let (app, mut calls) = hanging();
    let (listener, network) = InMemory::new();
    let mut server = serve(listener, app).into_future();
    let mut web_server = WebServer::kept(network.connect());
    let dropped = tokio::select! {
        _ = &mut server => unreachable!("nothing ends it"),
        dropped = async {
            web_server.send(&empty("/")).await;
            bounded(calls.recv()).await.unwrap()
        } => dropped,
    };
    drop(server);
    assert!(bounded(dropped).await.is_err());
    web_server.closed().await;
    assert!(network.is_closed());
}

#[tokio::test]
async fn a_web_server_that_leaves_drops_the_handler() {
    let (app, mut calls) = hanging();
    let (listener, network) = InMemory::new();
    let _server = Running::start(serve(listener, app));
    let mut web_server = WebServer::new(network.connect());
    web_server.send(&empty("/")).await;
    let dropped = bounded(calls.recv()).await.unwrap();
    drop(web_server);
    assert!(bounded(dropped).await.is_err());
}

/// A listener that counts how often accepting began, and tells of each connection that it is to abort.
struct Watched<L> {
    listener: L,
    begun: Arc<AtomicUsize>,
    aborted: mpsc::UnboundedSender<()>,
}

impl<L: Listener> Listener for Watched<L> {
    type Io = L::Io;
    type Addr = L::Addr;

    fn accept(&mut self) -> impl Future<Output = (L::Io, L::Addr)> + Send {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.listener.accept()
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }

    fn abort(&self, io: L::Io) {
        self.aborted.send(()).unwrap();
        self.listener.abort(io);
    }
}

#[tokio::test]
async fn the_end_of_a_connection_does_not_interrupt_accepting() {
    let begun = Arc::new(AtomicUsize::new(0));
    let (aborted, _) = mpsc::unbounded_channel();
    let (listener, network) = InMemory::new();
    let listener = Watched { listener, begun: begun.clone(), aborted };
    let _server = Running::start(serve(listener, hello()));
    for _ in 0..3 {
        let mut web_server = WebServer::new(network.connect());
        web_server.get("/").await;
        web_server.closed().await;
    }
    assert_eq!(begun.load(Ordering::Relaxed), 4, "one each, and one that waits");
}

fn failing() -> Router {
    let frames = || stream::iter([Ok("some"), Err(io::Error::other("disk on fire"))]);
    Router::new()
        .route("/fails", get(async move || Body::from_stream(frames())))
        .route("/", get("hello"))
}

/// All that is sent until the connection ends, and how it ends.
async fn until_the_end(mut stream: TcpStream) -> (Vec<u8>, io::Result<usize>) {
    let mut received = Vec::new();
    let end = bounded(stream.read_to_end(&mut received)).await;
    (received, end)
}

#[tokio::test]
async fn a_connection_is_aborted_when_a_body_fails_after_its_head() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (aborted, mut aborts) = mpsc::unbounded_channel();
    let listener = Watched { listener, begun: Arc::default(), aborted };
    let _server = Running::start(serve(listener, failing()));

    let mut web_server = WebServer::new(TcpStream::connect(address).await.unwrap());
    web_server.send(&empty("/fails")).await;
    let (received, end) = until_the_end(web_server.into_inner()).await;
    assert!(received.ends_with(b"some\0\0\0\0\0\0\0\0"), "{:?}", received.escape_ascii());
    end.expect("a reset could take what has not been read");
    bounded(aborts.recv()).await.unwrap();

    let mut next = WebServer::new(TcpStream::connect(address).await.unwrap());
    assert_eq!(next.get("/").await.body(), "hello");
    next.closed().await;
    assert!(aborts.try_recv().is_err(), "a connection that ends well is not aborted");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_aborted_when_the_web_server_stops_reading_a_response() {
    let (listener, network) = InMemory::new();
    let (aborted, mut aborts) = mpsc::unbounded_channel();
    let listener = Watched { listener, begun: Arc::default(), aborted };
    let app = Router::new().route("/", get(async || vec![b'x'; 1 << 20]));
    let _server = Running::start(serve(listener, app));

    let mut web_server = WebServer::kept(network.connect());
    let start = Instant::now();
    web_server.send(&empty("/")).await;
    tokio::time::timeout(Duration::from_secs(600), aborts.recv()).await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_dropped_at_the_deadline_does_not_look_complete() {
    let never_ends = || async {
        Body::from_stream(
            stream::once(async { Ok::<_, io::Error>("some") }).chain(stream::pending()),
        )
    };
    let app = Router::new().route("/", get(never_ends)).route("/hangs", get(pending::<()>));
    let (listener, network) = InMemory::new();
    let running = Running::start(serve(listener, app));
    let mut streaming = WebServer::new(network.connect());
    streaming.send(&empty("/")).await;
    let Part::Stdout(begun) = streaming.part().await else { panic!("the head is first") };
    assert!(begun.ends_with(b"\r\n\r\nsome"), "the body has begun: {}", begun.escape_ascii());
    let mut hanging = WebServer::new(network.connect());
    hanging.send(&empty("/hangs")).await;

    tokio::time::timeout(Duration::from_secs(60), running.stop()).await.unwrap().unwrap().unwrap();
    assert_eq!(streaming.rest().await, [0; 8]);
    assert!(hanging.rest().await.is_empty(), "nothing has begun that could look complete");
}

#[tokio::test]
async fn a_body_is_sent_as_it_is_made() {
    let (frames, receiver) = mpsc::channel::<io::Result<Bytes>>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(Some(receiver)));
    let handler = async move || {
        let receiver = receiver.lock().await.take().unwrap();
        Body::from_stream(stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|frame| (frame, receiver))
        }))
    };
    let (listener, network) = InMemory::new();
    let _server = Running::start(serve(listener, Router::new().route("/", get(handler))));
    let mut web_server = WebServer::new(network.connect());
    web_server.send(&empty("/")).await;
    let head = web_server.part().await;
    assert!(matches!(&head, Part::Stdout(head) if head.ends_with(b"\r\n\r\n")), "{head:?}");
    for frame in ["one", "two"] {
        frames.send(Ok(frame.into())).await.unwrap();
        assert_eq!(web_server.part().await, Part::Stdout(frame.into()));
    }
    drop(frames);
    assert_eq!(web_server.part().await, Part::Stdout(Vec::new()));
    assert_eq!(web_server.part().await, Part::End);
}

/// Counts as a metrics exporter would.
#[derive(Clone, Default)]
struct Metrics(Arc<Gauges>);

#[derive(Default)]
struct Gauges {
    connections: AtomicUsize,
    requests: AtomicUsize,
    served: AtomicUsize,
    ends: Mutex<Vec<&'static str>>,
}

impl Metrics {
    fn live(&self) -> (usize, usize) {
        let Gauges { connections, requests, .. } = &*self.0;
        (connections.load(Ordering::SeqCst), requests.load(Ordering::SeqCst))
    }

    async fn wait_for(&self, live: (usize, usize)) {
        bounded(async {
            while self.live() != live {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    fn ends(&self) -> Vec<&'static str> {
        let mut ends = std::mem::take(&mut *self.0.ends.lock().unwrap());
        ends.sort();
        ends
    }
}

impl Observer for Metrics {
    fn connection_opened(&self) {
        self.0.connections.fetch_add(1, Ordering::SeqCst);
    }

    fn connection_closed(&self, outcome: Option<&tower_fastcgi::Result<()>>) {
        self.0.ends.lock().unwrap().push(match outcome {
            None => "dropped",
            Some(Ok(())) => "ok",
            Some(Err(error)) if error.is_protocol() => "protocol",
            Some(Err(error)) if error.is_canceled() => "canceled",
            Some(Err(_)) => "other",
        });
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }

    fn request_began(&self) {
        self.0.requests.fetch_add(1, Ordering::SeqCst);
    }

    fn request_ended(&self, _: &RequestEnd) {
        self.0.served.fetch_add(1, Ordering::SeqCst);
        self.0.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn an_observer_is_told_of_everything_and_nothing_is_left_after_load() {
    let metrics = Metrics::default();
    let mut builder = Builder::new();
    builder.observer(metrics.clone());
    let (app, mut calls) = hanging();
    let app = app.route("/quick", get("hello"));
    let (listener, network) = InMemory::new();
    let _server =
        Running::start(serve(listener, app).with_builder(builder).with_max_connections(40));

    let load = (0..20).map(|_| {
        let mut web_server = WebServer::kept(network.connect());
        tokio::spawn(async move {
            for _ in 0..10 {
                assert_eq!(web_server.get("/quick").await.body(), "hello");
            }
        })
    });
    for load in load.collect::<Vec<_>>() {
        load.await.unwrap();
    }
    metrics.wait_for((0, 0)).await;
    assert_eq!(metrics.0.served.load(Ordering::SeqCst), 200);
    assert_eq!(metrics.ends(), ["ok"; 20]);

    let mut left = WebServer::kept(network.connect());
    left.send(&empty("/")).await;
    bounded(calls.recv()).await.unwrap();
    let mut wrong = WebServer::kept(network.connect());
    wrong.send_bytes(b"GET / HTTP/1.1\r\n\r\n").await;
    metrics.wait_for((2, 1)).await;
    drop((left, wrong));
    metrics.wait_for((0, 0)).await;
    assert_eq!(metrics.ends(), ["canceled", "protocol"]);
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_of_a_connection_that_made_room() {
    let metrics = Metrics::default();
    let mut builder = Builder::new();
    builder.observer(metrics.clone());
    let (listener, network) = InMemory::new();
    let serve = serve(listener, hello()).with_builder(builder).with_max_connections(1);
    let _server = Running::start(serve);
    let mut evicted = WebServer::kept(network.connect());
    evicted.get("/").await;
    let mut kept = WebServer::kept(network.connect());
    kept.get("/").await;
    assert_eq!((metrics.live(), metrics.ends()), ((1, 0), vec!["ok"]));
}
