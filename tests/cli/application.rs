//! An application on this crate's server.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tower_fastcgi::server::{Builder, Stderr};
use tower_fastcgi::{Params, Role, listener, serve};

/// Ends when it is dropped.
pub(crate) struct Application {
    pub(crate) address: String,
    task: JoinHandle<()>,
}

impl Application {
    /// On a TCP port that the system chooses.
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(crate) async fn start_at(address: &str) -> Self {
        Self::serve(address, router()).await
    }

    pub(crate) async fn serve(address: &str, router: Router) -> Self {
        let listener = listener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut builder = Builder::new();
        builder
            .stderr(1000)
            .multiplexing(true)
            .auto_date_header(false)
            .roles([Role::Responder, Role::Authorizer]);
        let task = tokio::spawn(async move {
            serve(listener, router).with_builder(builder).await.unwrap();
        });
        Self { address, task }
    }

    /// Sends a request and returns the body of its response.
    pub(crate) async fn ask(&self, arguments: &[&str], target: &str) -> String {
        let arguments = [&["request"], arguments, &[&self.address, target]].concat();
        crate::command::fcgi(&arguments).await.assert_ok().stdout().to_owned()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A router whose /gate answers one block at a time, whenever the other half says so.
pub(crate) fn gated(length: Option<usize>) -> (Router, Arc<Notify>) {
    let notify = Arc::new(Notify::new());
    let gate = notify.clone();
    let answer = move || {
        let gate = gate.clone();
        async move {
            let blocks = futures_util::stream::unfold(gate, |gate| async move {
                gate.notified().await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1000])), gate))
            });
            let mut headers = HeaderMap::new();
            if let Some(length) = length {
                headers.insert("content-length", length.into());
            }
            (headers, Body::from_stream(blocks))
        }
    };
    (Router::new().route("/gate", get(answer)), notify)
}

fn router() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello\n" }))
        .route("/echo", any(|body: Body| async { body }))
        .route("/length", any(|body: Bytes| async move { format!("{}\n", body.len()) }))
        .route("/method", any(|request: Request| async move { request.method().to_string() }))
        .route("/params", any(params))
        .route("/status/{status}", any(status))
        .route("/stderr", get(stderr))
        .route("/bytes", get(|| async { &b"\xff\0\x1b"[..] }))
        .route("/large", get(|| async { vec![b'x'; 10_000_000] }))
        .route("/broken", get(broken))
        .route("/never", any(std::future::pending::<()>))
}

async fn status(Path(status): Path<u16>) -> impl IntoResponse {
    (StatusCode::from_u16(status).unwrap(), [("x-tried", "yes")], "that status\n")
}

/// A body that never ends.
async fn broken() -> impl IntoResponse {
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()),
    )
}

async fn stderr(axum::Extension(stderr): axum::Extension<Stderr>) -> &'static str {
    stderr.write_line("a line");
    stderr.write_line("another");
    "done\n"
}

/// All that the application was told, in order of names.
async fn params(params: Params, request: Request) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut lines: BTreeMap<_, _> =
        params.iter().map(|(name, value)| (text(name), text(value))).collect();
    for (name, value) in request.headers() {
        lines.insert(name.to_string(), text(value.as_bytes()));
    }
    lines.insert("method".to_owned(), request.method().to_string());
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    lines.insert("body".to_owned(), text(&body));
    lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}
