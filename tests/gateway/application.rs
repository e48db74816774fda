//! What stands behind the gateway: an axum app on our own server, and one that says any bytes.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::Response;
use axum::routing::{any, get, post};
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_fastcgi::record::{
    Decoder, EndRequest, ProtocolStatus, RecordType, RequestId, put_end_request, put_stream,
};
use tower_fastcgi::{Params, serve};

pub(crate) async fn app() -> SocketAddr {
    serve_app(router()).await
}

pub(crate) async fn serve_app(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, app.with_state(())).into_future());
    addr
}

fn router() -> Router {
    Router::new()
        .route("/hello", any(|| async { "hello" }))
        .route("/length", post(length))
        .route("/echo", post(|request: Request| async { request.into_body() }))
        .route("/early", post(|| async { "early" }))
        .route("/stream", get(|| async { Body::from_stream(numbers()) }))
        .route("/cut", get(|| async { cut(None) }))
        .route("/cut/{length}", get(|Path(length): Path<u64>| async move { cut(Some(length)) }))
        .route("/status/{status}", any(status))
        .route("/never", any(|| async { pending::<()>().await }))
        .fallback(tell)
}

/// What it was told, as JSON.
async fn tell(params: Params, headers: HeaderMap, version: Version, request: Request) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let params: BTreeMap<_, _> =
        params.iter().map(|(name, value)| (text(name), text(value))).collect();
    let headers: BTreeMap<_, _> =
        headers.iter().map(|(name, value)| (name.as_str(), text(value.as_bytes()))).collect();
    json!({
        "params": params,
        "headers": headers,
        "method": request.method().as_str(),
        "uri": request.uri().to_string(),
        "version": format!("{version:?}"),
    })
    .to_string()
}

async fn length(headers: HeaderMap, body: Body) -> Result<String, StatusCode> {
    let body = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?.to_bytes();
    let told = headers.get("content-length").map_or("-", |told| told.to_str().unwrap());
    Ok(format!("{} of {told}", body.len()))
}

fn numbers() -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::iter((0..3).map(|number| Ok(Bytes::from(format!("{number};")))))
}

/// A body that fails after its first part.
fn cut(length: Option<u64>) -> Response {
    let parts = stream::iter([Ok("begun"), Err(io::Error::other("broken"))]);
    let mut response = Response::new(Body::from_stream(parts));
    if let Some(length) = length {
        response.headers_mut().insert("content-length", length.into());
    }
    response
}

async fn status(Path(status): Path<u16>) -> StatusCode {
    StatusCode::from_u16(status).unwrap()
}

/// What an application does that says any bytes.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Takes the request, says that, and closes the connection.
    Says(Vec<u8>),
    /// Takes the request, says that, and keeps the connection open.
    SaysAndWaits(Vec<u8>),
}

/// An application of our making, and how often it was connected to.
pub(crate) struct Raw {
    pub(crate) addr: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Raw {
    pub(crate) async fn that(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        tokio::spawn(async move {
            loop {
                let (io, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(act(io, does.clone()));
            }
        });
        Self { addr, connections }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn act(mut io: TcpStream, does: Does) -> io::Result<()> {
    match does {
        Does::Says(bytes) => {
            take_request(&mut io).await?;
            io.write_all(&bytes).await
        }
        Does::SaysAndWaits(bytes) => {
            take_request(&mut io).await?;
            io.write_all(&bytes).await?;
            pending().await
        }
    }
}

/// Reads to the end of FCGI_STDIN.
async fn take_request(io: &mut TcpStream) -> io::Result<()> {
    let (mut decoder, mut buffer) = (Decoder::new(), vec![0; 4096]);
    loop {
        let len = io.read(&mut buffer).await?;
        let mut rest = &buffer[..len];
        while let Some(fragment) = decoder.decode(&mut rest).map_err(io::Error::other)? {
            let header = fragment.header;
            if header.record_type == RecordType::Stdin && header.content_length == 0 {
                return Ok(());
            }
        }
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

pub(crate) fn stdout(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    put_stream(&mut wire, RecordType::Stdout, id(), text.as_bytes());
    wire
}

pub(crate) fn end(protocol_status: ProtocolStatus) -> Vec<u8> {
    let mut wire = Vec::new();
    put_end_request(&mut wire, id(), EndRequest { app_status: 0, protocol_status });
    wire
}

pub(crate) fn id() -> RequestId {
    RequestId::new(1).unwrap()
}

/// A port that nobody listens on, for as long as this is kept: it is bound.
pub(crate) fn dead() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}
