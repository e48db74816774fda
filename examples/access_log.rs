//! An access log: one line for each request, when its response has been read to the end or given up.
//!
//! `cargo run --example access_log` serves on 127.0.0.1:9000, behind `examples/Caddyfile` or `examples/nginx.conf`:
//!
//! ```text
//! 2026-01-01T00:00:00.000000Z  INFO access: 192.0.2.7 "GET /" 200 14 0.2ms
//! 2026-01-01T00:00:01.000000Z  INFO access: 192.0.2.7 "GET /slow" - 0 731.0ms
//! ```
//!
//! The second client left before there was an answer. The query is left out: what is secret often stands there.

use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::{Router, routing::get};
use http_body_util::BodyExt;
use tower_fastcgi::Params;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().init();
    let app = Router::new()
        .route("/", get(|| async { "Hello, World!\n" }))
        .route("/slow", get(|| tokio::time::sleep(std::time::Duration::from_secs(5))));
    let listener = tower_fastcgi::listener::bind("127.0.0.1:9000").await?;
    tower_fastcgi::serve(listener, logged(app)).await
}

pub(crate) fn logged(app: Router) -> Router {
    app.layer(from_fn(access_log))
}

async fn access_log(request: Request, next: Next) -> Response {
    let mut line = Line::new(&request);
    let (mut head, body) = next.run(request).await.into_parts();
    line.status = Some(head.status);
    // The body that counts does not tell its length, so the head must.
    if let Some(length @ 1..) = body.size_hint().exact() {
        head.headers.entry("content-length").or_insert(length.into());
    }
    let counted = body.map_frame(move |frame| {
        line.count(frame.data_ref());
        frame
    });
    Response::from_parts(head, Body::new(counted))
}

/// Logged when it is dropped: with the response's body, or before that if the client leaves.
struct Line {
    client: String,
    request: String,
    status: Option<StatusCode>,
    bytes: usize,
    start: Instant,
}

impl Line {
    fn new(request: &Request) -> Self {
        let params = request.extensions().get::<Params>();
        let client = params.and_then(|params| params.get_str("REMOTE_ADDR")).unwrap_or("-");
        Self {
            client: client.to_owned(),
            request: format!("{} {}", request.method(), request.uri().path()),
            status: None,
            bytes: 0,
            start: Instant::now(),
        }
    }

    fn count(&mut self, data: Option<&Bytes>) {
        self.bytes += data.map_or(0, Bytes::len);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Self { client, request, bytes, .. } = self;
        let status = self.status.map_or("-".to_owned(), |status| status.as_u16().to_string());
        let milliseconds = self.start.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(target: "access", "{client} \"{request}\" {status} {bytes} {milliseconds:.1}ms");
    }
}
