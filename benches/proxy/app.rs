//! What is served.

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;

/// A small response, two large ones, and an upload that is read as it comes.
pub(crate) fn app() -> Router {
    let large = |len| {
        let body = Bytes::from(vec![b'x'; len]);
        get(move || async move { body.clone() })
    };
    Router::new()
        .route("/", get(|| async { HELLO }))
        .route("/64k", large(64 * 1024))
        .route("/1m", large(1024 * 1024))
        .route("/upload", post(count))
}

pub(crate) const HELLO: &str = "Hello, World!";

async fn count(mut body: Body) -> Result<String, StatusCode> {
    let mut len = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        len += frame.data_ref().map_or(0, Bytes::len);
    }
    Ok(len.to_string())
}
