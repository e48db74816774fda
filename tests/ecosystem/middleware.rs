//! tower-http's layers, and tower's own.

use std::fs;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::routing::{get, post};
use axum::{BoxError, Router};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::services::ServeDir;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::both::Both;

#[tokio::test]
async fn trace() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (on_request, on_response) = (seen.clone(), seen.clone());
    let layer = TraceLayer::new_for_http()
        .on_request(move |request: &Request<_>, _: &tracing::Span| {
            on_request.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        })
        .on_response(move |response: &http::Response<_>, _: Duration, _: &tracing::Span| {
            on_response.lock().unwrap().push(response.status().to_string());
        });
    let app = Router::new().route("/", get("hello")).layer(layer);
    Both::of(app).await.get("/?x=1").await;
    assert_eq!(*seen.lock().unwrap(), ["GET /?x=1", "200 OK", "GET /?x=1", "200 OK"]);
}

#[tokio::test]
async fn compression() {
    let text = "all work and no play ".repeat(1000);
    let body = text.clone();
    let app = Router::new().route("/", get(async move || body)).layer(CompressionLayer::new());
    let both = Both::of(app).await;
    let request = Request::get("/").header(header::ACCEPT_ENCODING, "gzip").body("").unwrap();
    let response = both.ask(request).await;
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    assert_eq!(response.headers()[header::VARY], "accept-encoding");
    assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
    assert!(response.body().starts_with(&[0x1f, 0x8b]) && response.body().len() < 1000);
    assert_eq!(both.get("/").await.body(), &text);
}

#[tokio::test]
async fn cors() {
    let layer = CorsLayer::new()
        .allow_origin(["https://app.example".parse().unwrap()])
        .allow_methods([Method::PUT])
        .max_age(Duration::from_secs(60));
    let both = Both::of(Router::new().route("/", get("hello")).layer(layer)).await;
    let preflight = Request::options("/")
        .header(header::ORIGIN, "https://app.example")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT")
        .body("")
        .unwrap();
    let response = both.ask(preflight).await;
    assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
    assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_METHODS], "PUT");
    assert_eq!(response.headers()[header::ACCESS_CONTROL_MAX_AGE], "60");
    let foreign =
        Request::get("/").header(header::ORIGIN, "https://evil.example").body("").unwrap();
    let response = both.ask(foreign).await;
    assert!(!response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    assert_eq!(response.body(), "hello");
}

#[tokio::test]
async fn timeout() {
    let layer =
        TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(20));
    let app = Router::new()
        .route("/slow", get(async || pending::<()>().await))
        .route("/fast", get("hello"))
        .layer(layer);
    let both = Both::of(app).await;
    assert_eq!(both.get("/slow").await.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(both.get("/fast").await.body(), "hello");
}

#[tokio::test]
async fn request_body_limit() {
    let app = Router::new()
        .route("/", post(async |body: Bytes| body.len().to_string()))
        .layer(RequestBodyLimitLayer::new(1000));
    let both = Both::of(app).await;
    for is_chunked in [false, true] {
        let request = |len| {
            let mut request = Request::post("/").body("x".repeat(len)).unwrap();
            if is_chunked {
                let chunked = "chunked".parse().unwrap();
                request.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
            }
            request
        };
        assert_eq!(both.ask(request(1000)).await.body(), "1000");
        assert_eq!(both.ask(request(1001)).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}

#[tokio::test]
async fn serve_dir() {
    let directory = tempfile::tempdir().unwrap();
    let content: String = (0..100_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    fs::create_dir(directory.path().join("sub")).unwrap();
    fs::write(directory.path().join("sub/index.html"), "<p>index").unwrap();
    fs::write(directory.path().join("letters.txt"), &content).unwrap();
    let app = Router::new().nest_service("/files", ServeDir::new(directory.path()));
    let both = Both::of(app).await;

    let whole = both.get("/files/letters.txt").await;
    assert_eq!(whole.body(), &content);
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "text/plain");
    assert_eq!(whole.headers()[header::CONTENT_LENGTH], "100000");

    let range = Request::get("/files/letters.txt").header(header::RANGE, "bytes=26-51");
    let part = both.ask(range.body("").unwrap()).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 26-51/100000");
    assert_eq!(part.body(), "abcdefghijklmnopqrstuvwxyz");
    let range = Request::get("/files/letters.txt").header(header::RANGE, "bytes=100000-");
    let beyond = both.ask(range.body("").unwrap()).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);

    let head = both.ask(Request::head("/files/letters.txt").body("").unwrap()).await;
    assert_eq!(
        (head.body().len(), &head.headers()[header::CONTENT_LENGTH]),
        (0, &"100000".parse().unwrap())
    );
    let known = whole.headers()[header::LAST_MODIFIED].clone();
    let again = Request::get("/files/letters.txt").header(header::IF_MODIFIED_SINCE, known);
    assert_eq!(both.ask(again.body("").unwrap()).await.status(), StatusCode::NOT_MODIFIED);

    assert!(both.get("/files/sub").await.status().is_redirection());
    assert_eq!(both.get("/files/sub/").await.body(), "<p>index");
    assert_eq!(both.get("/files/none").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(both.get("/files/..%2f..%2fetc/passwd").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_stack_of_layers() {
    let failed = async |error: BoxError| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(HandleErrorLayer::new(failed))
        .timeout(Duration::from_millis(20))
        .concurrency_limit(10);
    let app = Router::new()
        .route("/slow", get(async || pending::<()>().await))
        .route("/", get("hello"))
        .layer(stack)
        .layer(CompressionLayer::new());
    let both = Both::of(app).await;
    assert_eq!(both.get("/").await.body(), "hello");
    let slow = both.get("/slow").await;
    assert_eq!(
        (slow.status(), &slow.body()[..]),
        (StatusCode::SERVICE_UNAVAILABLE, &b"request timed out"[..])
    );
}
