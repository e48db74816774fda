//! The application: the same for both servers that take an axum `Router`.

use std::hint::black_box;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;

use crate::content::{HELLO, KIB_64, MIB, body};

pub(crate) fn router() -> Router {
    let large = |len| {
        let body = Bytes::from_owner(body(len));
        get(move || async move { body.clone() })
    };
    Router::new()
        .route("/", get(|| async { HELLO }))
        .route("/64k", large(KIB_64))
        .route("/1m", large(MIB))
        .route("/upload", post(length))
        .route("/held", post(held))
        .route("/release", get(release))
        .route("/busy", get(busy))
        .with_state(())
}

async fn length(mut body: Body) -> String {
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    length.to_string()
}

/// Reads nothing before somebody asks for `/release`.
async fn held(body: Body) -> String {
    wait_for_release().await;
    length(body).await
}

async fn release() -> &'static str {
    RELEASED.close();
    HELLO
}

async fn busy() -> &'static str {
    black_box(compute());
    HELLO
}

/// Some 200 microseconds of one processor.
pub(super) fn compute() -> u64 {
    let mut state = black_box(1_u64);
    for _ in 0..100_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    state
}

pub(super) async fn wait_for_release() {
    let _closed = RELEASED.acquire().await;
}

pub(super) static RELEASED: Semaphore = Semaphore::const_new(0);
