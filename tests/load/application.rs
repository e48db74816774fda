//! The application under load, on this crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use tower_fastcgi::server::Builder;

/// Where it listens, and how many requests it got.
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) address: String,
    count: Arc<AtomicUsize>,
}

impl Application {
    /// Answers with what `handler` makes of the number of the request and of the request itself. The trial makes 0 and 1.
    pub(crate) async fn start<F, Fut>(handler: F) -> Self
    where
        F: Fn(usize, Request) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        Self::start_with(&Builder::new(), handler).await
    }

    pub(crate) async fn start_with<F, Fut>(builder: &Builder, handler: F) -> Self
    where
        F: Fn(usize, Request) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let router = Router::new().fallback(move |request: Request| {
            handler(counted.fetch_add(1, Ordering::SeqCst), request)
        });
        let listener = tower_fastcgi::listener::bind("127.0.0.1:0").await.expect("a port");
        let server = tower_fastcgi::serve(listener, router).with_builder(builder.clone());
        let address = server.local_addr().expect("an address").to_string();
        tokio::spawn(server.into_future());
        Self { address, count }
    }

    pub(crate) async fn hello() -> Self {
        Self::start(|_, _| async { text("hello") }).await
    }

    pub(crate) fn requests(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

pub(crate) fn text(body: impl Into<String>) -> Response {
    Response::new(body.into().into())
}

/// How many requests the trial makes before anything is measured.
pub(crate) const TRIAL: usize = 2;
