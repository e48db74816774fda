//! The application on this crate, with what cases can make use of.

use std::io;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use http::HeaderMap;
use tower_fastcgi::server::{Builder, Stderr};

/// Serves at `address` for as long as the runtime lasts, and tells where that is.
pub(crate) async fn serve(address: &str) -> io::Result<String> {
    let listener = tower_fastcgi::listener::bind(address).await?;
    let mut builder = Builder::new();
    builder.multiplexing(true).stderr(4096);
    let server = tower_fastcgi::serve(listener, router()).with_builder(builder);
    let address = server.local_addr()?.to_string();
    tokio::spawn(server.into_future());
    Ok(address)
}

fn router() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }).post(|| async { "hello" }))
        .route("/", get(|| async { "hello" }).post(|| async { "hello" }))
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/params", get(params))
        .route("/large", get(|| async { "x".repeat(200_000) }))
        .route("/stderr", get(stderr))
}

async fn params(headers: HeaderMap) -> String {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let name = name.as_str().to_ascii_uppercase().replace('-', "_");
        format!("HTTP_{name}={}\n", value.to_str().unwrap_or_default())
    };
    headers.iter().map(line).collect()
}

async fn stderr(axum::Extension(stderr): axum::Extension<Stderr>) -> &'static str {
    stderr.write_line("a line for the log");
    "done"
}
