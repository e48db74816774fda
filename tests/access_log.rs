//! The example `access_log` logs what it says.

#[allow(dead_code)]
#[path = "../examples/access_log.rs"]
mod access_log;
mod in_memory;
mod web_server;

use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::sync::mpsc;
use tower_fastcgi::serve;

use self::in_memory::InMemory;
use self::web_server::{WebServer, bounded};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The next line without its duration, once it is there.
    async fn line(&self) -> String {
        let line = async {
            while self.0.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            std::mem::take(&mut *self.0.lock().unwrap())
        };
        let line = String::from_utf8(bounded(line).await).unwrap();
        let (line, duration) = line.trim().rsplit_once(' ').unwrap();
        let duration = duration.strip_suffix("ms").unwrap();
        assert!(duration.parse::<f64>().unwrap() >= 0.0, "{duration}");
        line.to_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_request_is_a_line() {
    let (log, _guard) = Log::capture();
    let (called, mut calls) = mpsc::channel(1);
    let hanging = async move || {
        called.send(()).await.unwrap();
        pending::<()>().await
    };
    let app = Router::new()
        .route("/hello", get("hello"))
        .route("/empty", get(StatusCode::NO_CONTENT))
        .route("/hanging", get(hanging));
    let (listener, network) = InMemory::new();
    tokio::spawn(serve(listener, access_log::logged(app)).into_future());
    let mut web_server = WebServer::kept(network.connect());

    let response = web_server.get("/hello?token=secret").await;
    assert_eq!(response.body(), "hello");
    assert_eq!(response.headers()["content-length"], "5");
    assert_eq!(log.line().await, r#"INFO access: 192.0.2.7 "GET /hello" 200 5"#);
    assert!(!web_server.get("/empty").await.headers().contains_key("content-length"));
    assert_eq!(log.line().await, r#"INFO access: 192.0.2.7 "GET /empty" 204 0"#);
    web_server.get("/none").await;
    assert_eq!(log.line().await, r#"INFO access: 192.0.2.7 "GET /none" 404 0"#);

    web_server.send(&Request::get("/hanging").body(Bytes::new()).unwrap()).await;
    bounded(calls.recv()).await.unwrap();
    drop(web_server);
    assert_eq!(log.line().await, r#"INFO access: 192.0.2.7 "GET /hanging" - 0"#);
}
