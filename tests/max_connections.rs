//! `serve` with a limit of connections: who makes room, who waits, and for how long.

mod in_memory;
mod web_server;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tower_fastcgi::listener::bind;
use tower_fastcgi::serve;

use self::in_memory::{InMemory, Network};
use self::web_server::{WebServer, bounded};

type Connection = WebServer<DuplexStream>;

/// An application with requests that end at once and such that wait for leave.
#[derive(Clone)]
struct App {
    called: Arc<Semaphore>,
    leave: Arc<Notify>,
}

impl App {
    fn new() -> Self {
        Self { called: Arc::new(Semaphore::new(0)), leave: Arc::new(Notify::new()) }
    }

    fn router(&self) -> Router {
        let Self { called, leave } = self.clone();
        let wait = async move || {
            called.add_permits(1);
            leave.notified().await;
            "waited"
        };
        Router::new().route("/", get("hello")).route("/wait", get(wait))
    }

    fn start(&self, max_connections: usize) -> Network {
        let (listener, network) = InMemory::new();
        let serve = serve(listener, self.router()).with_max_connections(max_connections);
        tokio::spawn(serve.into_future());
        network
    }

    /// A connection with a request that waits for leave.
    async fn busy(&self, network: &Network) -> Connection {
        let mut connection = WebServer::kept(network.connect());
        self.send_wait(&mut connection).await;
        connection
    }

    async fn send_wait(&self, connection: &mut Connection) {
        connection.send(&wait()).await;
        bounded(self.called.acquire()).await.unwrap().forget();
    }
}

fn wait() -> Request<Bytes> {
    Request::get("/wait").body(Bytes::new()).unwrap()
}

/// A connection that was used and is kept.
async fn idle(network: &Network) -> Connection {
    let mut connection = WebServer::kept(network.connect());
    assert_eq!(connection.get("/").await.body(), "hello");
    connection
}

/// Lets everything run that can, without time passing.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_idle_connection_makes_room_at_once() {
    let network = App::new().start(3);
    let mut first = idle(&network).await;
    let mut second = idle(&network).await;
    let mut third = idle(&network).await;
    // From now on the second is the one that was used longest ago.
    assert_eq!(first.get("/").await.body(), "hello");

    let start = Instant::now();
    let mut fourth = idle(&network).await;
    second.closed().await;
    let mut fifth = idle(&network).await;
    third.closed().await;
    for kept in [&mut first, &mut fourth, &mut fifth] {
        assert_eq!(kept.get("/").await.body(), "hello");
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_busy_connection_does_not_make_room() {
    let app = App::new();
    let network = app.start(2);
    let mut busy = app.busy(&network).await;
    let mut kept = idle(&network).await;
    idle(&network).await;
    kept.closed().await;
    app.leave.notify_one();
    assert_eq!(busy.response().await.body(), "waited");
    assert_eq!(busy.get("/").await.body(), "hello");
}

#[tokio::test(start_paused = true)]
async fn with_all_busy_a_newcomer_waits_until_one_becomes_idle() {
    let app = App::new();
    let network = app.start(2);
    let mut busy = [app.busy(&network).await, app.busy(&network).await];
    let mut newcomer = WebServer::kept(network.connect());
    newcomer.send(&wait()).await;
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(app.called.available_permits(), 0, "it is not served yet");

    app.leave.notify_one();
    assert_eq!(busy[0].response().await.body(), "waited");
    bounded(app.called.acquire()).await.unwrap().forget();
    busy[0].closed().await;
    app.leave.notify_waiters();
    assert_eq!(busy[1].response().await.body(), "waited");
    assert_eq!(newcomer.response().await.body(), "waited");
}

#[tokio::test(start_paused = true)]
async fn with_all_busy_a_newcomer_waits_until_one_ends() {
    let app = App::new();
    let network = app.start(2);
    let _busy = app.busy(&network).await;
    let gone = app.busy(&network).await;
    let mut newcomer = WebServer::kept(network.connect());
    newcomer.send(&wait()).await;
    settle().await;
    assert_eq!(app.called.available_permits(), 0);
    drop(gone);
    bounded(app.called.acquire()).await.unwrap().forget();
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limit_are_served_at_a_time() {
    let app = App::new();
    let network = app.start(4);
    let mut connections = Vec::new();
    for _ in 0..50 {
        let mut connection = WebServer::new(network.connect());
        connection.send(&wait()).await;
        connections.push(connection);
    }
    // Each in turn, in the order in which they came.
    while !connections.is_empty() {
        settle().await;
        let served = connections.len().min(4);
        assert_eq!(app.called.available_permits(), served);
        app.called.forget_permits(served);
        app.leave.notify_waiters();
        for mut connection in connections.drain(..served) {
            assert_eq!(connection.response().await.body(), "waited");
            connection.closed().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_has_just_connected_has_a_second_for_its_first_request() {
    let app = App::new();
    let network = app.start(1);
    let mut first = WebServer::kept(network.connect());
    let mut second = WebServer::kept(network.connect());
    second.send(&wait()).await;
    sleep(Duration::from_millis(900)).await;
    assert_eq!(first.get("/").await.body(), "hello");
    bounded(app.called.acquire()).await.unwrap().forget();
    first.closed().await;
    app.leave.notify_one();
    assert_eq!(second.response().await.body(), "waited");

    let mut silent = network.connect();
    second.closed().await;
    let start = Instant::now();
    assert_eq!(idle(&network).await.get("/").await.body(), "hello");
    assert_eq!(start.elapsed().as_millis() / 10, 100, "a second");
    assert_eq!(
        bounded(silent.read_u8()).await.unwrap_err().kind(),
        std::io::ErrorKind::UnexpectedEof
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_values_first_has_that_second_too() {
    let app = App::new();
    let network = app.start(1);
    let mut asking = WebServer::kept(network.connect());
    asking.ask_for(&["FCGI_MAX_REQS"]).await;
    let mut newcomer = WebServer::kept(network.connect());
    newcomer.send(&wait()).await;
    sleep(Duration::from_millis(900)).await;
    assert_eq!(asking.get("/").await.body(), "hello");
    bounded(app.called.acquire()).await.unwrap().forget();
    asking.closed().await;
    app.leave.notify_one();
    assert_eq!(newcomer.response().await.body(), "waited");

    let mut asking = WebServer::kept(network.connect());
    asking.ask_for(&["FCGI_MAX_REQS"]).await;
    let start = Instant::now();
    assert_eq!(idle(&network).await.get("/").await.body(), "hello");
    assert_eq!(start.elapsed().as_millis() / 10, 100, "a second");
    asking.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_arrived_keeps_its_connection() {
    let app = App::new();
    let network = app.start(2);
    let mut first = idle(&network).await;
    let mut second = idle(&network).await;
    // The newcomer is there before anything runs that could read the request.
    let newcomer = network.connect();
    first.send(&wait()).await;
    bounded(app.called.acquire()).await.unwrap().forget();
    second.closed().await;
    let mut newcomer = WebServer::kept(newcomer);
    assert_eq!(newcomer.get("/").await.body(), "hello");
    app.leave.notify_one();
    assert_eq!(first.response().await.body(), "waited");
    assert_eq!(first.get("/").await.body(), "hello");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_answered_at_once_keeps_its_connection_too() {
    let network = App::new().start(2);
    let mut first = idle(&network).await;
    let mut second = idle(&network).await;
    let newcomer = network.connect();
    first.send(&Request::get("/").body(Bytes::new()).unwrap()).await;
    second.closed().await;
    assert_eq!(first.response().await.body(), "hello");
    assert_eq!(WebServer::kept(newcomer).get("/").await.body(), "hello");
    assert_eq!(first.get("/").await.body(), "hello");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_0_is_one_of_1() {
    let network = App::new().start(0);
    let mut first = idle(&network).await;
    let mut second = idle(&network).await;
    first.closed().await;
    assert_eq!(second.get("/").await.body(), "hello");
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nobody_makes_room() {
    let (listener, network) = InMemory::new();
    tokio::spawn(serve(listener, App::new().router()).into_future());
    let mut connections = Vec::new();
    for _ in 0..1000 {
        connections.push(idle(&network).await);
    }
    for connection in &mut connections {
        assert_eq!(connection.get("/").await.body(), "hello");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_serves_those_who_wait_as_far_as_the_limit_allows() {
    let app = App::new();
    let (listener, network) = InMemory::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, app.router())
        .with_max_connections(3)
        .with_graceful_shutdown(async { stopped.await.unwrap() });
    let server = tokio::spawn(server.into_future());
    let mut busy = app.busy(&network).await;
    let mut kept = [idle(&network).await, idle(&network).await];

    let mut waiting: Vec<_> = (0..3).map(|_| WebServer::new(network.connect())).collect();
    stop.send(()).unwrap();
    for connection in &mut waiting[..2] {
        assert_eq!(connection.get("/").await.body(), "hello");
    }
    for connection in &mut kept {
        connection.closed().await;
    }
    waiting[2].closed().await;
    app.leave.notify_one();
    assert_eq!(busy.response().await.body(), "waited");
    drop(busy);
    bounded(server).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_served_in_the_end_over_tcp() {
    const CLIENTS: usize = 200;
    let app = App::new();
    let listener = bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(serve(listener, app.router()).with_max_connections(3).into_future());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let address = address.clone();
            // Kept and never closed by the client before it was served: only others' eviction makes room.
            tokio::spawn(async move {
                let mut web_server = WebServer::kept(TcpStream::connect(address).await.unwrap());
                let response = web_server.get("/").await;
                (response, web_server)
            })
        })
        .collect();
    let mut kept = Vec::new();
    for client in clients {
        let (response, web_server) = bounded(client).await.unwrap();
        assert_eq!(response.body(), "hello");
        kept.push(web_server);
    }
    let mut live = 0;
    for web_server in kept {
        let mut io = web_server.into_inner();
        // The evicted end cleanly; a reset would be an error.
        match tokio::time::timeout(Duration::from_millis(20), io.read_u8()).await {
            Err(_elapsed) => live += 1,
            Ok(end) => assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof),
        }
    }
    assert!((1..=3).contains(&live), "{live} connections are kept");
}
