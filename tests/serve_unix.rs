//! `serve` on Unix sockets.
#![cfg(unix)]

mod web_server;

use std::future::pending;
use std::io;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use futures_util::stream;
use http::StatusCode;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tower_fastcgi::listener::bind;
use tower_fastcgi::serve;

use self::web_server::{WebServer, bounded};

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn address(&self) -> String {
        format!("unix:{}/app.sock", self.directory.path().display())
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        bounded(UnixStream::connect(self.directory.path().join("app.sock"))).await
    }
}

#[tokio::test]
async fn a_router_is_served() {
    let place = Place::new();
    let listener = bind(&place.address()).await.unwrap();
    let _server =
        tokio::spawn(serve(listener, Router::new().route("/", get("hello"))).into_future());
    let mut web_server = WebServer::kept(place.connect().await.unwrap());
    for _ in 0..3 {
        let response = web_server.get("/").await;
        assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, &b"hello"[..]));
    }
    let mut web_server = WebServer::new(place.connect().await.unwrap());
    assert_eq!(web_server.get("/").await.body(), "hello");
    web_server.closed().await;
}

#[tokio::test]
async fn a_body_that_fails_after_its_head_ends_with_bytes_that_are_no_record() {
    let frames = || stream::iter([Ok("some"), Err(io::Error::other("disk on fire"))]);
    let app = Router::new().route("/", get(async move || Body::from_stream(frames())));
    let place = Place::new();
    let listener = bind(&place.address()).await.unwrap();
    let _server = tokio::spawn(serve(listener, app).into_future());
    let mut web_server = WebServer::new(place.connect().await.unwrap());
    let request = http::Request::get("/").body(bytes::Bytes::new()).unwrap();
    web_server.send(&request).await;
    let received = web_server.rest().await;
    assert!(received.ends_with(b"some\0\0\0\0\0\0\0\0"), "{:?}", received.escape_ascii());
}

#[tokio::test]
async fn a_successor_takes_the_path_while_the_last_requests_are_served() {
    let (called, mut calls) = mpsc::channel(1);
    let (leave, left) = oneshot::channel::<()>();
    let left = std::sync::Arc::new(tokio::sync::Mutex::new(left));
    let handler = async move || {
        called.send(()).await.unwrap();
        (&mut *left.lock().await).await.unwrap();
        "from the first"
    };
    let place = Place::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = bind(&place.address()).await.unwrap();
    let first = serve(listener, Router::new().route("/", get(handler)))
        .with_graceful_shutdown(async { stopped.await.unwrap() });
    let first = tokio::spawn(first.into_future());
    let mut live = WebServer::new(place.connect().await.unwrap());
    live.send(&http::Request::get("/").body(bytes::Bytes::new()).unwrap()).await;
    bounded(calls.recv()).await.unwrap();

    stop.send(()).unwrap();
    let gone = async {
        while place.connect().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    bounded(gone).await;
    let listener = bind(&place.address()).await.unwrap();
    let app = Router::new().route("/", get("from the second"));
    let _second = tokio::spawn(serve(listener, app).into_future());
    let mut next = WebServer::new(place.connect().await.unwrap());
    assert_eq!(next.get("/").await.body(), "from the second");

    leave.send(()).unwrap();
    assert_eq!(live.response().await.body(), "from the first");
    drop(live);
    bounded(first).await.unwrap().unwrap();
    let mut next = WebServer::new(place.connect().await.unwrap());
    assert_eq!(next.get("/").await.body(), "from the second");
}

#[tokio::test]
async fn the_path_is_removed_when_the_server_is_dropped() {
    let place = Place::new();
    let listener = bind(&place.address()).await.unwrap();
    let app = Router::new().route("/", get(async || pending::<()>().await));
    let mut server = serve(listener, app).into_future();
    tokio::select! {
        _ = &mut server => unreachable!("nothing ends it"),
        connected = place.connect() => drop(connected.unwrap()),
    }
    drop(server);
    assert_eq!(place.connect().await.unwrap_err().kind(), io::ErrorKind::NotFound);
}
