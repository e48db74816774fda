//! What is asked of each application.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tower_fastcgi::Error;
use tower_fastcgi::client::{Builder, Client, Connect, ResponseBody, Stderr, UnknownLength};

use tower_fastcgi::gateway::{self, Gateway};

use crate::application::{Application, Kind};

pub(crate) struct Probe {
    pub(crate) name: &'static str,
    pub(crate) applies: fn(Kind) -> bool,
    pub(crate) run: for<'a> fn(&'a Application) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

macro_rules! probes {
    ($($name:ident if $applies:expr),* $(,)?) => {
        vec![$(Probe {
            name: stringify!($name),
            applies: $applies,
            run: |application| Box::pin($name(application)),
        }),*]
    };
}
pub(crate) use probes;

pub(crate) fn all() -> Vec<Probe> {
    probes![
        a_get_is_answered if |_| true,
        a_post_is_echoed if |_| true,
        a_large_post_is_echoed if |_| true,
        an_upload_of_64_mib_streams if |_| true,
        a_download_of_64_mib_streams if |_| true,
        a_body_of_unknown_length_is_buffered if |_| true,
        a_body_of_unknown_length_is_refused if |_| true,
        statuses_come_through if |_| true,
        params_arrive_unchanged if |_| true,
        large_params_arrive_whole if |_| true,
        headers_cannot_smuggle if |_| true,
        the_error_stream_is_captured if |kind| kind != Kind::Go,
        a_split_head_is_put_together if |kind| kind == Kind::Libfcgi,
        a_lying_length_is_an_error if |_| true,
        a_death_within_the_response_is_an_error if |_| true,
        a_slow_head_is_a_timeout if |_| true,
        a_dropped_request_harms_no_other if |_| true,
        connections_are_used_again if |_| true,
        several_at_a_time_are_answered if |_| true,
        multiplexing_is_asked_for if |_| true,
        a_restart_costs_no_request if |kind| kind == Kind::PhpFpm,
        the_gateway_forwards if |_| true,
        who_leaves_the_gateway_harms_no_other if |_| true,
    ]
}

type AnyBody = UnsyncBoxBody<Bytes, std::io::Error>;

async fn a_get_is_answered(application: &Application) {
    let response = client(application).send(get("/hello")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert_eq!(text(response).await, "hello");
}

async fn a_post_is_echoed(application: &Application) {
    let client = client(application);
    for body in ["", "x", "a=1&b=2", "\0\u{ff}\r\n"] {
        let response = client.send(post("/echo", full(body))).await.unwrap();
        assert_eq!(text(response).await, body);
    }
}

async fn a_large_post_is_echoed(application: &Application) {
    let body: Vec<u8> = (0..1_000_000u32).map(|index| (index % 251) as u8).collect();
    let sent = Full::new(Bytes::from(body.clone())).map_err(|never| match never {}).boxed_unsync();
    let response = client(application).send(post("/echo", sent)).await.unwrap();
    assert!(response.into_body().collect().await.unwrap().to_bytes() == body);
}

async fn an_upload_of_64_mib_streams(application: &Application) {
    let mut request = post("/count", blocks(1024));
    request.headers_mut().insert("content-length", LARGE.into());
    let response = client(application).send(request).await.unwrap();
    assert_eq!(text(response).await, LARGE.to_string());
}

async fn a_download_of_64_mib_streams(application: &Application) {
    let response = client(application).send(get(&format!("/large?n={LARGE}"))).await.unwrap();
    let mut body = response.into_body();
    let mut count = 0;
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert!(data.iter().all(|&byte| byte == b'x'));
        assert!(data.len() <= 1024 * 1024, "a frame of {} bytes", data.len());
        count += data.len();
    }
    assert_eq!(count, LARGE);
}

async fn a_body_of_unknown_length_is_buffered(application: &Application) {
    let response = client(application).send(post("/count", blocks(4))).await.unwrap();
    assert_eq!(text(response).await, (4 * BLOCK).to_string());
    let mut builder = application.builder();
    let client =
        connect(builder.unknown_length(UnknownLength::Buffer(4 * BLOCK - 1)), application).0;
    let error = client.send(post("/count", blocks(4))).await.unwrap_err();
    assert!(error.is_too_large() && error.is_user(), "{error}");
}

async fn a_body_of_unknown_length_is_refused(application: &Application) {
    let mut builder = application.builder();
    let client = connect(builder.unknown_length(UnknownLength::Refuse), application).0;
    let error = client.send(post("/count", blocks(4))).await.unwrap_err();
    assert!(error.is_length_required(), "{error}");
    assert_eq!(text(client.send(post("/count", full("abc"))).await.unwrap()).await, "3");
}

async fn statuses_come_through(application: &Application) {
    let client = client(application);
    let response = client.send(get("/missing")).await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(text(response).await, "nothing");
    let response = client.send(get("/redirect")).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "/elsewhere");
}

async fn params_arrive_unchanged(application: &Application) {
    let mut request = get("/params?x=%41&y=1+2");
    request.headers_mut().insert("x-bytes", HeaderValue::from_bytes(b"caf\xe9").unwrap());
    request.headers_mut().insert("host", HeaderValue::from_static("example.org:8080"));
    let response = client(application).send(request).await.unwrap();
    let params = response.into_body().collect().await.unwrap().to_bytes();
    for line in [
        &b"HTTP_X_BYTES=caf\xe9\n"[..],
        b"REQUEST_METHOD=GET\n",
        b"REQUEST_URI=/params?x=%41&y=1+2\n",
        b"REMOTE_ADDR=192.0.2.7\n",
    ] {
        let found = params.windows(line.len()).any(|window| window == line);
        assert!(found, "{} in {}", String::from_utf8_lossy(line), String::from_utf8_lossy(&params));
    }
}

async fn large_params_arrive_whole(application: &Application) {
    let mut request = get("/params");
    for index in 0..5 {
        let name = http::HeaderName::try_from(format!("x-large-{index}")).unwrap();
        let value = HeaderValue::try_from("v".repeat(20_000 + index)).unwrap();
        request.headers_mut().insert(name, value);
    }
    let response = client(application).send(request).await.unwrap();
    let params = text(response).await;
    for index in 0..5 {
        let line = format!("HTTP_X_LARGE_{index}={}\n", "v".repeat(20_000 + index));
        assert!(params.contains(&line), "header {index}");
    }
}

async fn headers_cannot_smuggle(application: &Application) {
    let mut request = get("/params");
    for name in ["x_user", "proxy", "x.user", "content_length"] {
        let name = http::HeaderName::from_static(name);
        request.headers_mut().insert(name, HeaderValue::from_static("evil"));
    }
    request.headers_mut().insert("x-user", HeaderValue::from_static("honest"));
    let params = text(client(application).send(request).await.unwrap()).await;
    assert!(params.contains("HTTP_X_USER=honest\n"), "{params}");
    assert!(!params.contains("evil"), "{params}");
}

async fn the_error_stream_is_captured(application: &Application) {
    let (stderr, captured) = Stderr::capture(1000);
    let mut request = get("/stderr");
    request.extensions_mut().insert(stderr);
    let response = client(application).send(request).await.unwrap();
    assert_eq!(text(response).await, "done");
    assert!(captured.to_string().contains("a line for the log"), "{captured}");
}

async fn a_split_head_is_put_together(application: &Application) {
    let response = client(application).send(get("/split")).await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-a"], "b");
    assert_eq!(text(response).await, "body");
}

async fn a_lying_length_is_an_error(application: &Application) {
    let client = client(application);
    let response = client.send(get("/lie")).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(error.is_incomplete(), "{error:?}");
    assert_eq!(text(client.send(get("/hello")).await.unwrap()).await, "hello");
}

async fn a_death_within_the_response_is_an_error(application: &Application) {
    let response = client(application).send(get("/die")).await.unwrap();
    assert_eq!(response.status(), 200);
    let error = response.into_body().collect().await.unwrap_err();
    assert!(error.is_incomplete() || error.is_io(), "{error:?}");
}

async fn a_slow_head_is_a_timeout(application: &Application) {
    let mut builder = application.builder();
    builder.conn().head_timeout(Duration::from_millis(300));
    let (client, _) = connect(&builder, application);
    let error = client.send(get("/slow")).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    // libfcgi serves one request at a time, and is asleep.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        match client.send(get("/hello")).await {
            Ok(response) => return assert_eq!(text(response).await, "hello"),
            Err(error) => assert!(error.is_timeout() && tokio::time::Instant::now() < deadline),
        }
    }
}

async fn a_dropped_request_harms_no_other(application: &Application) {
    let client = client(application);
    for _ in 0..3 {
        let slow = tokio::time::timeout(Duration::from_millis(50), client.send(get("/slow")));
        assert!(slow.await.is_err());
        let large = client.send(get("/large?n=10000000")).await.unwrap();
        drop(large);
        assert_eq!(text(client.send(get("/hello")).await.unwrap()).await, "hello");
    }
}

async fn connections_are_used_again(application: &Application) {
    let (client, connects) = connect(&application.builder(), application);
    for _ in 0..5 {
        assert_eq!(text(client.send(get("/hello")).await.unwrap()).await, "hello");
        assert_eq!(text(client.send(post("/echo", full("x"))).await.unwrap()).await, "x");
    }
    assert_eq!(connects.load(Ordering::SeqCst), 1);
}

async fn several_at_a_time_are_answered(application: &Application) {
    let mut builder = application.builder();
    builder.max_connections(3).connect_timeout(Duration::from_secs(60));
    let (client, connects) = connect(&builder, application);
    let requests = (0..50).map(|index| {
        let client = client.clone();
        async move {
            let body = format!("request {index}");
            let response = client.send(post("/echo", full(body.clone()))).await.unwrap();
            assert_eq!(text(response).await, body);
        }
    });
    futures_util::future::join_all(requests).await;
    assert!(connects.load(Ordering::SeqCst) <= 3);
}

/// Go alone says that it multiplexes. PHP says that it does not, libfcgi does not answer.
async fn multiplexing_is_asked_for(application: &Application) {
    let mut builder = application.builder();
    builder.max_connections(3).conn().max_requests(8).values_timeout(Duration::from_millis(500));
    let (client, connects) = connect(&builder, application);
    assert_eq!(text(client.send(get("/hello")).await.unwrap()).await, "hello");
    let at_first = connects.load(Ordering::SeqCst);
    assert_eq!(at_first, if application.kind == Kind::Go { 1 } else { 2 });
    let requests = (0..8).map(|_| async { text(client.send(get("/hello")).await.unwrap()).await });
    let answers = futures_util::future::join_all(requests).await;
    assert!(answers.iter().all(|answer| answer == "hello"));
    let later = connects.load(Ordering::SeqCst) - at_first;
    assert!(if application.kind == Kind::Go { later == 0 } else { later <= 2 }, "{later}");
}

/// With pm.max_requests or a reload, php-fpm closes kept connections while they are idle.
async fn a_restart_costs_no_request(application: &Application) {
    let (client, connects) = connect(&application.builder(), application);
    assert_eq!(text(client.send(get("/hello")).await.unwrap()).await, "hello");
    // The process that serves the kept connection dies with this request on another one, or this one.
    let died = client.send(get("/die")).await.unwrap();
    assert!(died.into_body().collect().await.is_err());
    assert_eq!(text(client.send(get("/hello")).await.unwrap()).await, "hello");
    assert_eq!(connects.load(Ordering::SeqCst), 2);
}

type Connector = Box<dyn Fn() -> Connecting + Send + Sync>;
type Connecting = Pin<Box<dyn Future<Output = std::io::Result<TokioIo<UnixStream>>> + Send>>;

/// Over HTTP/1.1, without and with chunks, which PHP can read only when they are gathered.
async fn the_gateway_forwards(application: &Application) {
    let addr = gateway(application).await;
    let talk = async |request: &str| {
        let mut io = TcpStream::connect(addr).await.unwrap();
        io.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        io.read_to_string(&mut response).await.unwrap();
        response
    };
    let rest = "Host: a.example\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6\r\n";
    let response = talk(&format!("GET /hello HTTP/1.1\r\n{rest}\r\n")).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("hello"), "{response}");
    let head = talk(&format!("HEAD /hello HTTP/1.1\r\n{rest}\r\n")).await;
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let missing = talk(&format!("GET /missing HTTP/1.1\r\n{rest}\r\n")).await;
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
    let params = talk(&format!("GET /params?x=%41 HTTP/1.1\r\n{rest}\r\n")).await;
    assert!(params.contains("REMOTE_ADDR=127.0.0.1"), "{params}");
    assert!(params.contains(&format!("SERVER_PORT={}\n", addr.port())), "{params}");
    assert!(params.contains("REQUEST_URI=/params?x=%41"), "{params}");
    assert!(!params.contains("6.6.6.6"), "{params}");
    let chunks = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let echo = talk(&format!("POST /echo HTTP/1.1\r\n{rest}{chunks}")).await;
    assert!(echo.contains("abcde"), "{echo}");
}

async fn who_leaves_the_gateway_harms_no_other(application: &Application) {
    let addr = gateway(application).await;
    for _ in 0..8 {
        let mut io = TcpStream::connect(addr).await.unwrap();
        io.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    }
    let mut io = TcpStream::connect(addr).await.unwrap();
    io.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut response = String::new();
    io.read_to_string(&mut response).await.unwrap();
    assert!(response.contains("hello"), "{response}");
}

async fn gateway(application: &Application) -> SocketAddr {
    let mut builder = Gateway::builder();
    builder.environment(application.environment());
    builder.client().unknown_length(UnknownLength::Buffer(1024));
    let address = format!("unix:{}", application.socket().display());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(gateway::serve(listener, builder.build([address]).unwrap()).into_future());
    addr
}

fn client(application: &Application) -> Client<AnyBody, impl Connect + use<>> {
    connect(&application.builder(), application).0
}

/// A client, and how often it has connected.
fn connect(
    builder: &Builder,
    application: &Application,
) -> (Client<AnyBody, Connector>, Arc<AtomicUsize>) {
    let connects = Arc::new(AtomicUsize::new(0));
    let (socket, count) = (application.socket(), connects.clone());
    let connector: Connector = Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let socket = socket.clone();
        Box::pin(async { UnixStream::connect(socket).await.map(TokioIo::new) })
    });
    (builder.build_with(connector), connects)
}

fn get(target: &str) -> Request<AnyBody> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    Request::get(target).body(body).unwrap()
}

fn post(target: &str, body: AnyBody) -> Request<AnyBody> {
    let request = Request::post(target).header("content-type", "application/octet-stream");
    request.body(body).unwrap()
}

fn full(body: impl Into<Bytes>) -> AnyBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body of so many blocks that does not know its length.
fn blocks(count: usize) -> AnyBody {
    let block = Bytes::from(vec![b'x'; BLOCK]);
    StreamBody::new(stream::iter((0..count).map(move |_| Ok(Frame::data(block.clone())))))
        .boxed_unsync()
}

async fn text(response: Response<ResponseBody>) -> String {
    let body: Result<_, Error> = response.into_body().collect().await;
    String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap()
}

const BLOCK: usize = 64 * 1024;
const LARGE: usize = 64 * 1024 * 1024;
