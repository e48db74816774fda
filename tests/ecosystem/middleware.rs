//! tower-http's layers.

use std::any::Any;
use std::fs;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{BoxError, Extension, Router};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use tower::{Layer, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::normalize_path::NormalizePathLayer;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::sensitive_headers::{
    SetSensitiveRequestHeadersLayer, SetSensitiveResponseHeadersLayer,
};
use tower_http::services::ServeDir;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::both::Both;
use crate::in_memory::InMemory;
use crate::web_server::WebServer;

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

    for (range, expected) in [("bytes=-4", "abcd"), ("bytes=0-0", "a"), ("bytes=99999-", "d")] {
        let request = Request::get("/files/letters.txt").header(header::RANGE, range);
        let part = both.ask(request.body("").unwrap()).await;
        assert_eq!(
            (part.status(), &part.body()[..]),
            (StatusCode::PARTIAL_CONTENT, expected.as_bytes())
        );
    }

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
async fn decompression_of_requests() {
    let text = "all work and no play ".repeat(1000);
    let body = text.clone();
    let compressed =
        Router::new().route("/", get(async move || body)).layer(CompressionLayer::new());
    let accepting = Request::get("/").header(header::ACCEPT_ENCODING, "gzip").body("").unwrap();
    let gzip = Both::of(compressed).await.ask(accepting).await.into_body();

    let tell = async |headers: HeaderMap, body: String| {
        format!("{} {body}", headers.contains_key(header::CONTENT_ENCODING))
    };
    let app = Router::new().route("/", post(tell)).layer(RequestDecompressionLayer::new());
    let both = Both::of(app).await;
    let request = |encoding, body: Bytes| {
        Request::post("/").header(header::CONTENT_ENCODING, encoding).body(body).unwrap()
    };
    let response = both.ask(request("gzip", gzip.clone())).await;
    assert_eq!(response.body(), &format!("false {text}"));
    let plain = Request::post("/").body(text.clone()).unwrap();
    assert_eq!(both.ask(plain).await.body(), &format!("false {text}"));
    let unknown = both.ask(request("br", gzip.clone())).await;
    assert_eq!(unknown.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let cut = both.ask(request("gzip", gzip.slice(..gzip.len() / 2))).await;
    assert_eq!(cut.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn catch_panic() {
    let tell = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<&str>().unwrap_or(&"no text");
        (StatusCode::BAD_GATEWAY, (*text).to_owned()).into_response()
    };
    let panics = async || -> &str { panic!("as told") };
    let app = Router::new()
        .route("/custom", get(panics).layer(CatchPanicLayer::custom(tell)))
        .route("/plain", get(panics).layer(CatchPanicLayer::new()))
        .route("/", get("hello"));
    let both = Both::of(app).await;
    let plain = both.get("/plain").await;
    assert_eq!(plain.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(plain.body(), "Service panicked");
    let custom = both.get("/custom").await;
    assert_eq!((custom.status(), &custom.body()[..]), (StatusCode::BAD_GATEWAY, &b"as told"[..]));
    assert_eq!(both.get("/").await.body(), "hello");
}

#[tokio::test]
async fn request_ids_are_set_and_propagated() {
    #[derive(Clone)]
    struct Constant;
    impl MakeRequestId for Constant {
        fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
            Some(RequestId::new(HeaderValue::from_static("made-here")))
        }
    }
    let tell = async |Extension(id): Extension<RequestId>, headers: HeaderMap| {
        format!("{:?} {:?}", id.header_value(), headers["x-request-id"])
    };
    let stack = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(Constant))
        .layer(PropagateRequestIdLayer::x_request_id());
    let both = Both::of(Router::new().route("/", get(tell)).layer(stack)).await;
    let made = both.get("/").await;
    assert_eq!(made.headers()["x-request-id"], "made-here");
    assert_eq!(made.body(), r#""made-here" "made-here""#);
    let request = Request::get("/").header("x-request-id", "the-client's").body("").unwrap();
    let kept = both.ask(request).await;
    assert_eq!(kept.headers()["x-request-id"], "the-client's");
    assert_eq!(kept.body(), r#""the-client's" "the-client's""#);
}

#[tokio::test]
async fn sensitive_headers() {
    let tell = async |headers: HeaderMap| {
        let shown = format!("{:?} {:?}", headers["authorization"], headers["x-open"]);
        ([("set-cookie", "secret")], shown)
    };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let on_response = seen.clone();
    let watch = TraceLayer::new_for_http().on_response(
        move |response: &http::Response<_>, _: Duration, _: &tracing::Span| {
            let cookie = format!("{:?}", response.headers()[header::SET_COOKIE]);
            on_response.lock().unwrap().push(cookie);
        },
    );
    let stack = ServiceBuilder::new()
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION]))
        .layer(watch)
        .layer(SetSensitiveResponseHeadersLayer::new([header::SET_COOKIE]));
    let both = Both::of(Router::new().route("/", get(tell)).layer(stack)).await;
    let request = Request::get("/").header("authorization", "Basic c2VjcmV0").header("x-open", "1");
    let response = both.ask(request.body("").unwrap()).await;
    assert_eq!(response.body(), "Sensitive \"1\"");
    assert_eq!(response.headers()[header::SET_COOKIE], "secret", "it is sent all the same");
    assert_eq!(*seen.lock().unwrap(), ["Sensitive", "Sensitive"]);
}

#[tokio::test]
async fn normalize_path() {
    let inner = Router::new().route("/some/path", get(async |uri: Uri| uri.to_string()));
    let normalized = NormalizePathLayer::trim_trailing_slash().layer(inner);
    let both = Both::of(Router::new().fallback_service(normalized.clone())).await;
    for uri in ["/some/path", "/some/path/", "/some/path//"] {
        assert_eq!(both.get(&format!("{uri}?x=/")).await.body(), "/some/path?x=/");
    }

    // It must wrap the whole router, which makes it a service of its own: `serve` takes it as it is.
    let (listener, network) = InMemory::new();
    tokio::spawn(tower_fastcgi::serve(listener, normalized).into_future());
    let mut web_server = WebServer::kept(network.connect());
    assert_eq!(web_server.get("/some/path/").await.body(), "/some/path");
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
