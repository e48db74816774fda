//! FastCGI and HTTP on one socket.

mod in_memory;
mod web_server;

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::Response;
use axum::routing::{any, get, post};
use futures_util::stream;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tower_fastcgi::listener::{AllowedPeers, Listener, OnlyFrom, Peer};
use tower_fastcgi::server::{Builder, Forwarded};
use tower_fastcgi::{Http, Params, Serve, Transport, serve};

use self::in_memory::{InMemory, Network};
use self::web_server::{WebServer, bounded};

fn app() -> Router {
    Router::new()
        .route("/", any(tell))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/echo", post(|request: Request| async { request.into_body() }))
        .route("/headers", get(names))
        .route("/panic", get(|| async { panic!("on purpose") as &'static str }))
        .route("/cut", get(cut))
        .route("/switch", get(|| async { StatusCode::SWITCHING_PROTOCOLS }))
        .route("/never", get(|| async { pending::<()>().await }))
        .with_state(())
}

async fn tell(
    params: Option<Params>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    version: Version,
    request: Request,
) -> String {
    let by = if params.is_some() { "FastCGI" } else { "HTTP" };
    let peer = request.extensions().get::<Transport>().unwrap().peer();
    format!("{by} {version:?} from {client} over {peer}")
}

async fn names(headers: HeaderMap) -> String {
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    names.join(",")
}

async fn cut() -> Response {
    let parts = stream::iter([Ok("begun"), Err(io::Error::other("broken"))]);
    Response::new(Body::from_stream(parts))
}

/// A server on a port that the kernel chooses.
struct Running {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn with(
        change: impl FnOnce(Serve<TcpListener, Router>) -> Serve<TcpListener, Router>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, |listener| change(serve(listener, app()).with_http(Http::loopback())))
    }

    fn on<L: Listener>(
        listener: TcpListener,
        serve: impl FnOnce(TcpListener) -> Serve<L, Router>,
    ) -> Self {
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = serve(listener).with_graceful_shutdown(async { drop(stopped.await) });
        Self { addr, stop: Some(stop), task: tokio::spawn(serve.into_future()) }
    }

    async fn start() -> Self {
        Self::with(|serve| serve).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    async fn fastcgi(&self) -> WebServer<TcpStream> {
        WebServer::kept(self.connect().await)
    }

    /// All that comes back for these bytes, and whether the connection ended without a reset.
    async fn talk(&self, bytes: &str) -> (String, bool) {
        let mut io = self.connect().await;
        send(&mut io, bytes).await;
        rest(&mut io).await
    }

    async fn get(&self, target: &str) -> String {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        self.talk(&request).await.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send(io: &mut (impl AsyncWrite + Unpin), bytes: &str) {
    bounded(io.write_all(bytes.as_bytes())).await.unwrap();
}

async fn rest(io: &mut (impl AsyncRead + Unpin)) -> (String, bool) {
    let mut read = Vec::new();
    let outcome = bounded(io.read_to_end(&mut read)).await;
    (String::from_utf8_lossy(&read).into_owned(), outcome.is_ok())
}

async fn until(io: &mut (impl AsyncRead + Unpin), text: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(text.as_bytes()) {
        read.push(bounded(io.read_u8()).await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn both_protocols_are_served() {
    let server = Running::start().await;
    let mut web_server = server.fastcgi().await;
    let mut client = server.connect().await;
    let addr = client.local_addr().unwrap();
    for _ in 0..2 {
        let response = web_server.get("/").await;
        let text = String::from_utf8(response.into_body().to_vec()).unwrap();
        assert!(
            text.starts_with("FastCGI HTTP/1.1 from 192.0.2.7:40000 over 127.0.0.1:"),
            "{text}"
        );
        send(&mut client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        until(&mut client, &format!("\r\n\r\nHTTP HTTP/1.1 from {addr} over {addr}")).await;
    }
}

#[tokio::test]
async fn http_2_is_known_by_its_preface() {
    let server = Running::start().await;
    let io = TokioIo::new(server.connect().await);
    let (mut send, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/").body(Empty::<Bytes>::new()).unwrap();
    let response = bounded(send.send_request(request)).await.unwrap();
    let text = bounded(response.into_body().collect()).await.unwrap().to_bytes();
    assert!(text.starts_with(b"HTTP HTTP/2.0 from 127.0.0.1:"), "{text:?}");
}

#[tokio::test]
async fn the_first_byte_may_come_alone() {
    let server = Running::start().await;
    for first in 1..4 {
        let (begin, end) = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".split_at(first);
        let mut client = server.connect().await;
        client.set_nodelay(true).unwrap();
        send(&mut client, begin).await;
        sleep(Duration::from_millis(20)).await;
        send(&mut client, end).await;
        assert!(rest(&mut client).await.0.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let mut web_server = server.fastcgi().await;
    let wire = web_server.head(&Request::get("/").body(Bytes::new()).unwrap());
    web_server.send_bytes(&wire[..1]).await;
    sleep(Duration::from_millis(20)).await;
    web_server.send_bytes(&wire[1..]).await;
    web_server.end_stdin().await;
    assert_eq!(web_server.response().await.status(), 200);
}

#[tokio::test]
async fn other_protocols_are_closed() {
    let server = Running::start().await;
    let tls = "\u{16}\u{3}\u{1}\u{0}\u{5}\u{1}\u{0}\u{0}\u{1}\u{3}";
    for bytes in [tls, "\0\0\0\0\0\0\0\0", "\r\n\r\n\0\r\nQUIT\n", "\u{2}2345678"] {
        let (answer, _) = server.talk(bytes).await;
        assert!(!answer.contains("200"), "{bytes:?}: {answer:?}");
    }
    let (answer, _) =
        server.talk("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
}

#[tokio::test]
async fn without_it_http_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Running::on(listener, |listener| serve(listener, app()));
    let answer = server.get("/").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("FastCGI port"), "{answer}");
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let server = Running::start().await;
    let mut client = server.connect().await;
    send(&mut client, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    send(&mut client, "5\r\nhello\r\n").await;
    until(&mut client, "\r\n5\r\nhello\r\n").await;
    send(&mut client, "1\r\n!\r\n0\r\n\r\n").await;
    until(&mut client, "1\r\n!\r\n0\r\n\r\n").await;
    // A body that ends early fails, and its request gets no answer that says otherwise.
    send(&mut client, "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").await;
    client.shutdown().await.unwrap();
    assert!(!rest(&mut client).await.0.contains(" 200 "));
}

/// RFC 9112 section 6.1: the chunks count, and the connection ends behind the response.
#[tokio::test]
async fn a_length_beside_chunks_ends_the_connection() {
    let server = Running::start().await;
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    let next = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for both in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
    ] {
        let head =
            format!("POST /length HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n{both}\r\n\r\n");
        let (answer, _) = server.talk(&format!("{head}{chunks}{next}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{both}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{both}: {answer}");
        assert_eq!(body(&answer), "3", "{both}");
    }
}

/// Frames of HTTP/2: a POST to `/` of which one byte comes before the client resets the stream with that code.
fn broken_off(code: u8) -> Vec<u8> {
    let head = b"\x83\x86\x04\x01/\x01\x01a";
    let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    for (kind, flags, stream, content) in
        [(4, 0, 0, &b""[..]), (1, 4, 1, head), (0, 0, 1, b"x"), (3, 0, 1, &[0, 0, 0, code])]
    {
        let len = u8::try_from(content.len()).unwrap();
        wire.extend([0, 0, len, kind, flags, 0, 0, 0, stream]);
        wire.extend(content);
    }
    wire
}

#[tokio::test]
async fn an_upload_that_is_broken_off_is_never_whole() {
    let (told, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
    let app = Router::new().route(
        "/",
        post(move |request: Request| async move {
            let body = request.into_body().collect().await;
            told.send(body.is_ok()).unwrap();
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Running::on(listener, |listener| serve(listener, app).with_http(Http::loopback()));
    let (no_error, cancel) = (0, 8);
    for code in [no_error, cancel] {
        let mut client = server.connect().await;
        let wire = broken_off(code);
        // The handler waits for the body when the reset comes.
        let (begin, reset) = wire.split_at(wire.len() - 13);
        bounded(client.write_all(begin)).await.unwrap();
        sleep(Duration::from_millis(50)).await;
        bounded(client.write_all(reset)).await.unwrap();
        let outcome = tokio::time::timeout(Duration::from_secs(2), outcomes.recv()).await;
        // A handler that is dropped takes it for nothing.
        assert_ne!(outcome, Ok(Some(true)), "code {code}");
    }
}

#[tokio::test]
async fn a_length_that_is_not_the_bodys_does_not_shift_the_next_response() {
    let lie =
        |length: &'static str| get(move || async move { ([("content-length", length)], "hello") });
    let app = Router::new()
        .route("/more", lie("10"))
        .route("/less", lie("2"))
        .route("/none", lie("x"))
        .route("/", get(|| async { "next" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Running::on(listener, |listener| serve(listener, app).with_http(Http::loopback()));
    let answers = async |target: &str| {
        let next = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        server.talk(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n{next}")).await.0
    };
    // As over FastCGI: cut where there is less than was told, and no more than was told.
    let more = answers("/more").await;
    assert!(more.contains("content-length: 10\r\n") && more.ends_with("\r\n\r\nhello"), "{more}");
    let less = answers("/less").await;
    assert!(less.contains("\r\n\r\nheHTTP/1.1 200 OK\r\n"), "{less}");
    let none = answers("/none").await;
    assert!(none.contains("content-length: 5\r\n"), "{none}");
    assert!(none.contains("\r\n\r\nhelloHTTP/1.1 200 OK\r\n"), "{none}");
    let (head, _) =
        server.talk("HEAD /more HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(head.contains("content-length: 10\r\n"), "{head}");
}

#[tokio::test]
async fn claims_of_the_client_are_removed() {
    let request = "GET /headers HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6\r\n\
                   X_Real_IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Mine: x\r\n\r\n";
    let server = Running::start().await;
    assert_eq!(body(&server.talk(request).await.0), "connection,host,x-mine");
    // In either order.
    let mut builder = Builder::new();
    builder.forwarded(Forwarded::Keep);
    let server = Running::with(|serve| serve.with_builder(builder)).await;
    let all = "connection,forwarded,host,x-forwarded-for,x-mine,x_real_ip";
    assert_eq!(body(&server.talk(request).await.0), all);
}

#[tokio::test]
async fn failures_of_the_service_are_answered() {
    let server = Running::start().await;
    for target in ["/panic", "/switch"] {
        let answer = server.get(target).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{target}: {answer}");
        assert!(!answer.contains("purpose"), "{answer}");
    }
    let (answer, _) = server.talk("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    let (_, is_whole) = server.talk("GET /cut HTTP/1.0\r\n\r\n").await;
    assert!(!is_whole, "nothing but a reset can show it");
}

/// A listener whose peers are somewhere else.
struct Elsewhere(TcpListener);

impl Listener for Elsewhere {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        Listener::accept(&mut self.0).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn peer(&self, _: &TcpStream, _: &SocketAddr) -> Peer {
        Peer::Tcp("198.51.100.7:1".parse().unwrap())
    }
}

#[tokio::test]
async fn clients_elsewhere_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Running::on(listener, |listener| {
        serve(Elsewhere(listener), app()).with_http(Http::loopback())
    });
    // The connection ends by itself.
    let (answer, _) = server.talk("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(
        body(&answer),
        "This server speaks FastCGI. HTTP is for clients on its own machine.\n"
    );
    let response = server.fastcgi().await.get("/").await;
    assert_eq!(response.status(), 200);
}

/// HTTP/2 has no header that would say so.
#[tokio::test]
async fn the_connection_of_who_is_refused_over_http_2_ends_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Running::on(listener, |listener| {
        serve(Elsewhere(listener), app()).with_http(Http::loopback())
    });
    let io = TokioIo::new(server.connect().await);
    let (mut send, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..2 {
        let request = Request::get("http://a/").body(Empty::<Bytes>::new()).unwrap();
        let Ok(response) = bounded(send.send_request(request)).await else { break };
        assert_eq!(response.status(), 403);
        let text = bounded(response.into_body().collect()).await.unwrap().to_bytes();
        assert_eq!(text, "This server speaks FastCGI. HTTP is for clients on its own machine.\n");
    }
    let ended = tokio::time::timeout(Duration::from_secs(10), connection).await;
    ended.expect("before any limit of 30 seconds").unwrap().unwrap();
}

#[tokio::test]
async fn unless_they_are_let_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Running::on(listener, |listener| {
        serve(Elsewhere(listener), app()).with_http(Http::from_anywhere())
    });
    assert!(server.get("/").await.contains("HTTP HTTP/1.1 from 198.51.100.7:1 over"));
}

#[tokio::test]
async fn who_is_not_on_the_list_is_closed_in_either_protocol() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = AllowedPeers::new().ip("192.0.2.1".parse().unwrap());
    let server = Running::on(listener, |listener| {
        serve(OnlyFrom::new(listener, nobody), app()).with_http(Http::from_anywhere())
    });
    let mut client = server.connect().await;
    let _may_be_closed = client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(rest(&mut client).await.0, "");
}

#[cfg(unix)]
#[tokio::test]
async fn over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener =
        tower_fastcgi::listener::bind(&format!("unix:{}", path.display())).await.unwrap();
    let app = Router::new().route("/", get(|| async { "hello" }));
    let task = tokio::spawn(serve(listener, app).with_http(Http::loopback()).into_future());
    let mut client = tokio::net::UnixStream::connect(&path).await.unwrap();
    send(&mut client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(body(&rest(&mut client).await.0), "hello");
    let mut web_server = WebServer::new(tokio::net::UnixStream::connect(&path).await.unwrap());
    assert_eq!(web_server.get("/").await.status(), 200);
    task.abort();
}

#[tokio::test]
async fn a_shutdown_ends_both() {
    let mut server = Running::start().await;
    let mut idle = server.connect().await;
    send(&mut idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until(&mut idle, "over 127.0.0.1:").await;
    let mut live = server.connect().await;
    send(&mut live, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na").await;
    until(&mut live, "\r\n\r\na").await;
    let mut silent = server.connect().await;
    let mut web_server = server.fastcgi().await;
    web_server.get("/").await;
    drop(server.stop.take());
    rest(&mut idle).await;
    web_server.closed().await;
    assert_eq!(rest(&mut silent).await.0, "");
    send(&mut live, "b").await;
    assert_eq!(rest(&mut live).await, ("b".to_owned(), true));
    bounded(&mut server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_answers_those_who_have_asked_already() {
    let mut server = Running::start().await;
    let mut client = server.connect().await;
    send(&mut client, "GET /headers HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // The server has not run since: it finds the signal and the request at the same time.
    drop(server.stop.take());
    assert!(rest(&mut client).await.0.ends_with("\r\n\r\nhost"));
    bounded(&mut server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_response_that_waits_for_its_client_at_the_deadline_of_a_shutdown_is_cut() {
    let large = Bytes::from(vec![b'x'; 32 * 1024 * 1024]);
    let app = Router::new().route("/", get(move || async move { Body::new(Streamed(large)) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut server = Running::on(listener, |listener| {
        let serve = serve(listener, app).with_http(Http::loopback());
        serve.with_shutdown_timeout(Duration::from_millis(100))
    });
    let mut client = server.connect().await;
    send(&mut client, "GET / HTTP/1.0\r\n\r\n").await;
    until(&mut client, "\r\n\r\nx").await;
    drop(server.stop.take());
    bounded(&mut server.task).await.unwrap().unwrap();
    // The service has given its last byte away, but a plain end would be the end of the response.
    assert!(!rest(&mut client).await.1);
}

/// A body in one piece whose length is not known.
struct Streamed(Bytes);

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let data = std::mem::take(&mut self.0);
        std::task::Poll::Ready((!data.is_empty()).then(|| Ok(http_body::Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

#[tokio::test]
async fn a_shutdown_has_a_deadline() {
    let short = Duration::from_millis(100);
    let mut server = Running::with(|serve| serve.with_shutdown_timeout(short)).await;
    let mut live = server.connect().await;
    send(&mut live, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // Its request has come when that of a later connection is answered.
    server.get("/").await;
    drop(server.stop.take());
    bounded(&mut server.task).await.unwrap().unwrap();
    // Over HTTP/1.0 a plain end would be the end of a response.
    assert_eq!(rest(&mut live).await, (String::new(), false));
}

#[tokio::test]
async fn idle_connections_of_either_protocol_make_room() {
    let server = Running::with(|serve| serve.with_max_connections(1)).await;
    let mut first = server.connect().await;
    send(&mut first, "GET /headers HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until(&mut first, "\r\n\r\nhost").await;
    let mut second = server.fastcgi().await;
    assert_eq!(second.get("/").await.status(), 200);
    assert_eq!(rest(&mut first).await.0, "");
    assert!(server.get("/").await.contains(" 200 "));
    second.closed().await;
}

#[tokio::test]
async fn a_connection_with_a_request_makes_no_room() {
    let notify = Arc::new(Notify::new());
    let leave = notify.clone();
    let app = Router::new().route("/", get(move || async move { leave.notified().await }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Running::on(listener, |listener| {
        serve(listener, app).with_http(Http::loopback()).with_max_connections(1)
    });
    let mut first = server.connect().await;
    send(&mut first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut second = server.connect().await;
    send(&mut second, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    sleep(Duration::from_millis(50)).await;
    notify.notify_one();
    until(&mut first, "\r\n\r\n").await;
    notify.notify_one();
    until(&mut second, "\r\n\r\n").await;
}

fn in_memory() -> (Network, JoinHandle<io::Result<()>>) {
    let (listener, network) = InMemory::new();
    let app = Router::new().route("/", get(|| async { "hello" })).with_state::<()>(());
    let serve = serve(listener, app).with_http(Http::from_anywhere());
    (network, tokio::spawn(serve.into_future()))
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_not_waited_for() {
    let (network, task) = in_memory();
    for begun in ["G", "PRI * HT", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut client = network.connect();
        let start = tokio::time::Instant::now();
        send(&mut client, begun).await;
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 30, "{begun}");
    }
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn pings_are_no_requests() {
    let (network, task) = in_memory();
    let mut client = network.connect();
    let start = tokio::time::Instant::now();
    send(&mut client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut is_closed = false;
    while !is_closed && start.elapsed().as_secs() < 200 {
        sleep(Duration::from_secs(7)).await;
        if client.write_all(b"\0\0\x08\x06\0\0\0\0\x0012345678").await.is_err() {
            break;
        }
        let mut read = vec![0; 4096];
        is_closed = bounded(client.read(&mut read)).await.unwrap() == 0;
    }
    // It is told after 30 seconds, and had another 60 to acknowledge that.
    assert!(start.elapsed().as_secs() < 100, "{:?}", start.elapsed());
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn silence_is_an_idle_fastcgi_connection() {
    let (network, task) = in_memory();
    let mut client: DuplexStream = network.connect();
    sleep(Duration::from_secs(3600)).await;
    send(&mut client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until(&mut client, "\r\n\r\nhello").await;
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_a_response_is_cut() {
    let (listener, network) = InMemory::new();
    let endless = stream::repeat(Ok::<_, Infallible>(Bytes::from(vec![b'x'; 64 * 1024])));
    let app = Router::new()
        .route("/", get(|| async move { Body::from_stream(endless) }))
        .with_state::<()>(());
    let task = tokio::spawn(serve(listener, app).with_http(Http::from_anywhere()).into_future());
    let mut client = network.connect();
    send(&mut client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let start = tokio::time::Instant::now();
    sleep(Duration::from_secs(50)).await;
    // Whoever takes something now and then gets it.
    let mut part = vec![0; 40_000];
    client.read_exact(&mut part).await.unwrap();
    sleep(Duration::from_secs(50)).await;
    client.read_exact(&mut part).await.unwrap();
    sleep(Duration::from_secs(61)).await;
    let mut left = Vec::new();
    let _ = client.read_to_end(&mut left).await;
    assert!(left.len() <= 64 * 1024, "{}", left.len());
    assert_eq!(start.elapsed().as_secs(), 161);
    task.abort();
}
