//! The application, the same for both protocols: bodies of every size that is asked for, and uploads.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::BodyExt;

use crate::content::{HELLO, KIB_64, MIB, body};

/// The sizes of bodies, and where they are.
pub(crate) const BODIES: [(&str, usize); 6] = [
    ("/0", 0),
    ("/1k", 1024),
    ("/64k", KIB_64),
    ("/1m", MIB),
    ("/10m", 10 * MIB),
    ("/100m", 100 * MIB),
];

pub(crate) fn router() -> Router {
    let app = Router::new().route("/", get(|| async { HELLO })).route("/upload", post(length));
    BODIES
        .into_iter()
        .fold(app, |app, (path, len)| app.route(path, get(move || async move { content(len) })))
}

/// The first `len` bytes of what all bodies begin with.
pub(crate) fn content(len: usize) -> Bytes {
    static LONGEST: LazyLock<Bytes> = LazyLock::new(|| body(100 * MIB).into());
    LONGEST.slice(..len)
}

async fn length(mut body: Body) -> String {
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    length.to_string()
}
