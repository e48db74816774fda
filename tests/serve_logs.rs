//! What `serve` and `bind` log, and how loud.

mod in_memory;
mod web_server;

use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tower_fastcgi::listener::{TcpOptions, bind};
use tower_fastcgi::serve;
use tower_fastcgi::trust::RequireSecretLayer;
use tower_layer::Layer;
use tracing_subscriber::filter::LevelFilter;

use self::in_memory::{InMemory, Network};
use self::web_server::{WebServer, bounded};

/// The lines that this thread logs, and with them all of a runtime on this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn of_level(&self, level: &str) -> Vec<String> {
        let text = self.text();
        let of_level = |line: &&str| line.trim_start().starts_with(level);
        text.lines()
            .filter(of_level)
            .filter(|line| line.contains(" tower_fastcgi::"))
            .map(str::to_owned)
            .collect()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Waits for a line; what is logged is often logged only after the peer has noticed.
    async fn wait_for(&self, level: &str) -> String {
        bounded(async {
            loop {
                if let Some(line) = self.of_level(level).pop() {
                    return line;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    fn assert_quiet(&self) {
        for level in ["ERROR", "WARN", "INFO"] {
            assert_eq!(self.of_level(level), [""; 0]);
        }
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start(app: Router) -> Network {
    let (listener, network) = InMemory::new();
    tokio::spawn(serve(listener, app).into_future());
    network
}

fn hello() -> Router {
    Router::new().route("/", get("hello"))
}

fn empty(uri: &str) -> Request<Bytes> {
    Request::get(uri).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn connecting_and_going_again_is_not_worth_a_line() {
    let (lines, _guard) = Lines::capture();
    let network = start(hello());
    drop(network.connect());
    // Not even when it goes within a record.
    let mut connection = network.connect();
    connection.write_all(&[1, 1, 0]).await.unwrap();
    drop(connection);
    assert_eq!(WebServer::new(network.connect()).get("/").await.body(), "hello");
    lines.wait_for("DEBUG").await;
    lines.assert_quiet();
}

#[tokio::test]
async fn a_web_server_whose_client_is_gone_is_not_worth_a_line() {
    let (lines, _guard) = Lines::capture();
    let (called, mut calls) = mpsc::channel(1);
    let handler = async move || {
        called.send(()).await.unwrap();
        pending::<()>().await
    };
    let network = start(Router::new().route("/", get(handler)));
    let mut web_server = WebServer::new(network.connect());
    web_server.send(&empty("/")).await;
    bounded(calls.recv()).await.unwrap();
    drop(web_server);
    let line = lines.wait_for("DEBUG").await;
    assert!(line.contains("connection ended while requests were being served"), "{line}");
    lines.assert_quiet();
}

#[tokio::test]
async fn http_on_the_port_is_one_warning_that_names_the_fix() {
    let (lines, _guard) = Lines::capture();
    let mut connection = start(hello()).connect();
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    connection.shutdown().await.unwrap();
    let mut answer = Vec::new();
    bounded(connection.read_to_end(&mut answer)).await.unwrap();
    drop(connection);
    let line = lines.wait_for("WARN").await;
    assert!(line.contains("HTTP arrived on a FastCGI port"), "{line}");
    assert!(line.contains("fastcgi_pass"), "{line}");
    assert_eq!(lines.of_level("WARN").len(), 1);
    assert_eq!(lines.of_level("ERROR"), [""; 0]);
}

#[tokio::test]
async fn a_body_that_fails_after_its_head_is_one_error_with_its_cause() {
    let (lines, _guard) = Lines::capture();
    let frames = || stream::iter([Ok("some"), Err(io::Error::other("disk on fire"))]);
    let app = Router::new().route("/", get(async move || Body::from_stream(frames())));
    let mut web_server = WebServer::new(start(app).connect());
    web_server.send(&empty("/")).await;
    web_server.rest().await;
    let line = lines.wait_for("ERROR").await;
    assert!(line.contains("disk on fire"), "{line}");
    assert_eq!(lines.of_level("ERROR").len(), 1);
    assert_eq!(lines.of_level("WARN"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_drops_connections_is_a_warning_that_counts_them() {
    let (lines, _guard) = Lines::capture();
    let (called, mut calls) = mpsc::channel(1);
    let handler = async move || {
        called.send(()).await.unwrap();
        pending::<()>().await
    };
    let (listener, network) = InMemory::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, Router::new().route("/", get(handler)))
        .with_shutdown_timeout(Duration::from_secs(1))
        .with_graceful_shutdown(async { stopped.await.unwrap() });
    let server = tokio::spawn(server.into_future());
    let mut web_server = WebServer::new(network.connect());
    web_server.send(&empty("/")).await;
    bounded(calls.recv()).await.unwrap();
    stop.send(()).unwrap();
    bounded(server).await.unwrap().unwrap();
    assert!(lines.wait_for("WARN").await.contains("connections=1"));
}

#[tokio::test]
async fn listening_beyond_this_machine_is_one_warning() {
    let (lines, _guard) = Lines::capture();
    for address in ["127.0.0.1:0", "[::1]:0", "localhost:0"] {
        bind(address).await.unwrap();
    }
    let mut options = TcpOptions::new("0.0.0.0:0");
    options.only_from("192.0.2.1".parse().unwrap()).bind().await.unwrap();
    lines.assert_quiet();

    let listener = bind("0.0.0.0:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let warnings = lines.of_level("WARN");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("listening beyond this machine"), "{warnings:?}");
    assert!(warnings[0].contains(&address), "{warnings:?}");
}

#[tokio::test]
async fn refused_connections_are_one_warning() {
    let (lines, _guard) = Lines::capture();
    let mut options = TcpOptions::new("127.0.0.1:0");
    let listener = options.only_from("192.0.2.1".parse().unwrap()).bind().await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let _server = tokio::spawn(serve(listener, Router::new()).into_future());
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = bounded(TcpStream::connect(&address)).await.unwrap();
        assert_eq!(bounded(client.read(&mut [0])).await.unwrap(), 0);
        clients.push(client);
    }
    let warnings = lines.of_level("WARN");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let first = clients[0].local_addr().unwrap().to_string();
    assert!(warnings[0].contains("not on the list"), "{warnings:?}");
    assert!(warnings[0].contains(&first), "{warnings:?}");
}

#[tokio::test]
async fn requests_without_the_secret_are_one_warning_that_shows_nothing() {
    let (lines, _guard) = Lines::capture();
    let app = RequireSecretLayer::new("APP_SECRET", "correct horse").layer(Router::new());
    let (listener, network) = InMemory::new();
    let _server = tokio::spawn(serve(listener, app).into_future());
    for secret in ["wrong", "correct hors", ""] {
        let mut web_server = WebServer::new(network.connect());
        web_server.client.push(("APP_SECRET", secret.to_owned()));
        assert_eq!(web_server.get("/").await.status(), 403);
    }
    let warnings = lines.of_level("WARN");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("APP_SECRET"), "{warnings:?}");
    for value in ["wrong\"", "correct", "horse"] {
        assert!(!lines.text().contains(value), "{}", lines.text());
    }
}

#[tokio::test]
async fn a_request_is_a_span_within_that_of_its_connection() {
    let (lines, _guard) = Lines::capture();
    let listener = bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap().to_string();
    let tell = async || tracing::info!(target: "app", "in the handler");
    let app = Router::new().route("/told/{id}", get(tell));
    tokio::spawn(serve(listener, app).into_future());
    let io = TcpStream::connect(&local).await.unwrap();
    let peer = io.local_addr().unwrap();
    let mut web_server = WebServer::kept(io);
    for (path, status) in [("/told/7", 200), ("/none", 404)] {
        web_server.get(&format!("{path}?x=1")).await;
        let ended = lines.of_level("DEBUG").pop().unwrap();
        let spans = format!(
            "connection{{peer={peer} local={local}}}:request{{method=GET path=\"{path}\" remote=192.0.2.7:40000}}: "
        );
        assert!(ended.contains(&spans), "{ended} does not contain {spans}");
        assert!(ended.contains(&format!("request ended status={status} complete=true duration=")));
    }
    let text = lines.text();
    let told = text.lines().find(|line| line.contains("in the handler")).unwrap();
    assert!(told.contains(":request{method=GET path=\"/told/7\""), "{told}");
}

/// On an executor too, which what is left of multiplexed requests runs on.
#[tokio::test]
async fn a_multiplexed_request_is_a_span_within_that_of_its_connection() {
    let (lines, _guard) = Lines::capture();
    let (called, mut calls) = mpsc::channel(4);
    let handler = async move || {
        tracing::info!(target: "app", "in the handler, in place");
        tokio::task::yield_now().await;
        tracing::info!(target: "app", "in the handler, on the executor if there is a sibling");
        called.send(()).await.unwrap();
        pending::<()>().await
    };
    let network = start(Router::new().route("/", get(handler)));
    let mut web_server = WebServer::kept(network.connect());
    web_server.send(&empty("/")).await;
    let mut second = web_server.head(&empty("/"));
    set_ids(&mut second, 2);
    web_server.send_bytes(&second).await;
    for _ in 0..2 {
        bounded(calls.recv()).await.unwrap();
    }
    let text = lines.text();
    let told: Vec<_> = text.lines().filter(|line| line.contains("in the handler")).collect();
    assert_eq!(told.len(), 4);
    for line in told {
        assert!(line.contains("connection{peer=unknown}:request{method=GET path=\"/\""), "{line}");
    }
}

fn set_ids(records: &mut [u8], id: u8) {
    let mut rest = records;
    while let [_version, _kind, _high, low, len1, len0, padding, ..] = rest {
        *low = id;
        let len = 8 + usize::from(u16::from_be_bytes([*len1, *len0])) + usize::from(*padding);
        rest = &mut rest[len..];
    }
}

#[tokio::test]
async fn nothing_that_may_be_secret_is_logged() {
    const SECRETS: [&str; 6] =
        ["in-query", "in-cookie", "in-token", "in-param", "in-body", "in-head"];
    let (lines, _guard) = Lines::capture();
    let secret = async || ([("x-answer", "in-head")], "in-body");
    let broken = async || -> &str { panic!("as told") };
    let network = start(Router::new().route("/", get(secret)).route("/broken", get(broken)));
    let ask = async |uri: &str, extra: &str| {
        let request = Request::get(uri)
            .header("cookie", "session=in-cookie")
            .header("authorization", "Bearer in-token")
            .header("x-extra", extra)
            .body(Bytes::from("in-body"))
            .unwrap();
        let mut web_server = WebServer::new(network.connect());
        web_server.client.push(("SSL_CLIENT_CERT", "in-param".into()));
        web_server.exchange(&request).await.status().as_u16()
    };
    assert_eq!(ask("/?key=in-query", "").await, 200);
    assert_eq!(ask("/broken?key=in-query", "").await, 500);
    assert_eq!(ask("/?key=in-query", &"in-cookie".repeat(20_000)).await, 431);
    // No number, and so refused.
    let mut web_server = WebServer::new(network.connect());
    let odd = Request::get("/?key=in-query").header("content-length", "in-param");
    web_server.send_head(&odd.body(Bytes::new()).unwrap()).await;
    assert_eq!(web_server.response().await.status(), 400);
    // No FastCGI at all.
    let mut connection = network.connect();
    connection.write_all(b"GET /?in-query HTTP/1.1\r\nCookie: in-cookie\r\n\r\n").await.unwrap();
    connection.shutdown().await.unwrap();
    bounded(connection.read_to_end(&mut Vec::new())).await.unwrap();
    lines.wait_for("WARN").await;

    let text = lines.text();
    assert!(text.contains("request ended status=200"), "{text}");
    assert!(text.contains("TRACE"), "{text}");
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}
