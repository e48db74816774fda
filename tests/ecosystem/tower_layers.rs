//! tower's own layers, around a router and around a service that is served as it is.

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::routing::get;
use axum::{BoxError, Router};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::retry::{Policy, Retry};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_fastcgi::{Incoming, SendService};

use crate::both::Both;
use crate::in_memory::{InMemory, Network};
use crate::web_server::{WebServer, bounded};

fn start(service: impl SendService) -> Network {
    let (listener, network) = InMemory::new();
    tokio::spawn(tower_fastcgi::serve(listener, service).into_future());
    network
}

fn root() -> Request<Bytes> {
    Request::get("/").body(Bytes::new()).unwrap()
}

/// How many calls there are now, and what lets one of them answer.
#[derive(Clone)]
struct Gate {
    calls: mpsc::UnboundedSender<()>,
    leave: Arc<Notify>,
}

impl Gate {
    fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (calls, called) = mpsc::unbounded_channel();
        (Self { calls, leave: Arc::default() }, called)
    }

    async fn pass(&self) -> &'static str {
        self.calls.send(()).unwrap();
        self.leave.notified().await;
        "passed"
    }
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_limit_lets_the_others_wait() {
    let (gate, mut called) = Gate::new();
    let inside = gate.clone();
    let service = service_fn(move |_: Request<Incoming>| {
        let gate = inside.clone();
        async move { Ok::<_, Infallible>(Response::new(gate.pass().await.to_owned())) }
    });
    let network = start(ServiceBuilder::new().concurrency_limit(2).service(service));
    let mut web_servers: Vec<_> = (0..6).map(|_| WebServer::new(network.connect())).collect();
    for web_server in &mut web_servers {
        web_server.send(&root()).await;
    }
    for _ in 0..3 {
        for _ in 0..2 {
            bounded(called.recv()).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(called.try_recv().is_err(), "a third one runs");
        gate.leave.notify_waiters();
    }
    for web_server in &mut web_servers {
        assert_eq!(web_server.response().await.body(), "passed");
    }
}

#[tokio::test]
async fn what_is_too_much_is_shed() {
    let (gate, mut called) = Gate::new();
    let inside = gate.clone();
    let shed = async |error: BoxError| {
        let is_overloaded = error.is::<tower::load_shed::error::Overloaded>();
        (StatusCode::SERVICE_UNAVAILABLE, format!("overloaded: {is_overloaded}"))
    };
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(shed))
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(1));
    let handler = get(async move || inside.pass().await);
    // With its state it is complete. Else axum would make the layers anew for each request, with a limit for each.
    let app = Router::new().route("/", handler.layer(stack)).with_state(());
    let both = Both::of(app).await;
    let mut first = both.web_server();
    first.send(&root()).await;
    bounded(called.recv()).await.unwrap();
    let other = both.get("/").await;
    assert_eq!(other.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(other.body(), "overloaded: true");
    gate.leave.notify_one();
    assert_eq!(first.response().await.body(), "passed");
    gate.leave.notify_one();
    assert_eq!(both.ask_over_fastcgi(&root()).await.body(), "passed");
}

/// A service that cannot be cloned, and so not be served without a buffer.
struct Counter(usize);

impl Service<Request<Incoming>> for Counter {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        self.0 += 1;
        ready(Ok(Response::new(self.0.to_string())))
    }
}

#[tokio::test]
async fn a_buffer_shares_one_service_among_all_connections() {
    let network = start(Buffer::new(Counter(0), 16));
    let mut kept = WebServer::kept(network.connect());
    assert_eq!(kept.get("/").await.body(), "1");
    assert_eq!(WebServer::new(network.connect()).get("/").await.body(), "2");
    assert_eq!(kept.get("/").await.body(), "3");
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_under_a_buffer_delays_what_is_too_much() {
    let limited = ServiceBuilder::new().rate_limit(2, Duration::from_secs(60)).service(Counter(0));
    let network = start(Buffer::new(limited, 16));
    let start = Instant::now();
    for (expected, minutes) in [("1", 0), ("2", 0), ("3", 1), ("4", 1), ("5", 2)] {
        assert_eq!(WebServer::new(network.connect()).get("/").await.body(), expected);
        assert_eq!(start.elapsed().as_secs() / 60, minutes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_nobody_handles_is_answered_with_500() {
    let service = service_fn(|request: Request<Incoming>| async move {
        match request.uri().path() {
            "/slow" => pending().await,
            _ => Ok::<_, Infallible>(Response::new("hello".to_owned())),
        }
    });
    let timeout = Duration::from_secs(20);
    let network = start(ServiceBuilder::new().timeout(timeout).service(service));
    let mut web_server = WebServer::kept(network.connect());
    let start = Instant::now();
    assert_eq!(web_server.get("/slow").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(start.elapsed().as_secs(), 20);
    assert_eq!(web_server.get("/").await.body(), "hello");
}

/// Tries so often in all.
#[derive(Clone)]
struct Attempts(usize);

impl<E> Policy<Request<Full<Bytes>>, Response<String>, E> for Attempts {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<String>, E>,
    ) -> Option<Ready<()>> {
        self.0 -= 1;
        let has_failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
        (has_failed && self.0 > 0).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_request_whose_body_was_collected_is_tried_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    // Two calls fail, the third answers.
    let flaky = service_fn(move |request: Request<Full<Bytes>>| {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let body = request.into_body().collect().await?.to_bytes();
            let mut response = Response::new(format!("{} bytes", body.len()));
            let text = HeaderValue::from_static("text/plain");
            response.headers_mut().insert(header::CONTENT_TYPE, text);
            if call % 3 != 2 {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let trying = |attempts| {
        let retry = Retry::new(Attempts(attempts), flaky.clone());
        service_fn(move |request: Request<Body>| {
            let retry = retry.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.expect("the body comes").to_bytes();
                retry.oneshot(Request::from_parts(head, Full::new(body))).await
            }
        })
    };
    let app = Router::new().route_service("/three", trying(3)).route_service("/two", trying(2));
    let both = Both::of(app).await;
    let ask = |uri| Request::post(uri).body("x".repeat(300_000)).unwrap();
    let response = both.ask(ask("/three")).await;
    assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, &b"300000 bytes"[..]));
    assert_eq!(calls.swap(0, Ordering::SeqCst), 6, "three for each protocol");
    let response = both.ask_over_fastcgi(&ask("/two").map(Bytes::from)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}
