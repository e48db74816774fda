use std::convert::Infallible;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::body::{RequestBody, ResponseBody};
use super::builder::Builder;
use super::failure::Failure;
use super::files::Files;
use super::host;
use crate::cgi::{Environment, remove_forwarded};
use crate::client::{self, Client};
use crate::error::{BoxError, Result};
use crate::serve::Endpoints;
use crate::server::Forwarded;
use crate::trace::debug;

/// Forwards HTTP requests to FastCGI applications. For development; the [module](super) says what it does, and what it lacks.
///
/// It is a tower `Service` that is always ready and never fails: what goes wrong is a response. It is cheap to clone; clones share
/// the connections to the applications.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> std::io::Result<()> {
/// use tower_fastcgi::gateway::{self, Gateway};
/// use tower_fastcgi::listener;
///
/// let gateway = Gateway::builder().build(["127.0.0.1:9000", "127.0.0.1:9001"])?;
/// gateway::serve(listener::bind("127.0.0.1:8080").await?, gateway).await
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future of a response, or its body, aborts the request.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) applications: Vec<Client<RequestBody>>,
    /// Whose turn it is.
    pub(super) turn: AtomicUsize,
    pub(super) files: Option<Files>,
    pub(super) forwarded: Forwarded,
    pub(super) body_timeout: Option<Duration>,
    pub(super) requests: Arc<Semaphore>,
}

impl Gateway {
    /// A gateway to the application at `address` with the default options; see [`client::Address`].
    ///
    /// # Errors
    ///
    /// When `address` is none. Nothing is connected yet.
    pub fn new(address: &str) -> io::Result<Self> {
        Self::builder().build([address])
    }

    /// The options, to be set before the gateway is made.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn with(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }
}

impl<B> Service<Request<B>> for Gateway
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let shared = self.shared.clone();
        let request = request.map(|body| RequestBody::new(body, shared.body_timeout));
        ResponseFuture(Box::pin(async move { shared.respond(request).await }))
    }
}

impl Shared {
    async fn respond(&self, mut request: Request<RequestBody>) -> Response<ResponseBody> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Failure::Method.response();
        }
        if !host::is_well_formed(&request) {
            return Failure::Host.response();
        }
        if let Some(files) = &self.files {
            if let Some(question) = files.question(&request) {
                if let Some(response) = files.answer(question).await {
                    return response;
                }
            }
        }
        let Ok(permit) = self.requests.clone().try_acquire_owned() else {
            return Failure::Busy.response();
        };
        self.describe(&mut request);
        let uri = request.uri().clone();
        match self.forward(request).await {
            Ok(mut response) => {
                remove_proxy_headers(response.headers_mut());
                response.map(|body| ResponseBody::application(body, permit))
            }
            Err(error) => Failure::of(&error, uri.path()).response(),
        }
    }

    /// Takes away what the client must not say, and adds what only the gateway knows.
    fn describe(&self, request: &mut Request<RequestBody>) {
        if self.forwarded == Forwarded::Remove {
            remove_forwarded(request.headers_mut());
        }
        remove_proxy_headers(request.headers_mut());
        if let Some(endpoints) = request.extensions().get::<Endpoints>().copied() {
            let environment = request.extensions_mut().get_or_insert_default::<Environment>();
            environment.set_default_endpoints(endpoints.remote, endpoints.local);
        }
    }

    async fn forward(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<client::ResponseBody>> {
        let count = self.applications.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % count;
        let mut request = self.applications[first].prepare(request).await?;
        let mut others = (1..count).map(|offset| (first + offset) % count);
        let mut index = first;
        loop {
            let mut failed = match self.applications[index].try_send(request).await {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            // What cannot be sent to one cannot be sent to another.
            let untouched = failed.take_message().filter(|_| !failed.error().is_user());
            match (untouched, others.next()) {
                (Some(again), Some(next)) => {
                    debug!(error = %failed, "asking the next application");
                    (request, index) = (again, next);
                }
                _ => return Err(failed.into_error()),
            }
        }
    }
}

/// They concern the connection to a proxy, whichever there are.
fn remove_proxy_headers(headers: &mut HeaderMap) {
    let is_proxy = |name: &str| name == "proxy" || name.starts_with("proxy-");
    let named: Vec<_> = headers.keys().filter(|name| is_proxy(name.as_str())).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("applications", &self.shared.applications.len())
            .finish_non_exhaustive()
    }
}

/// The response to a request of a [`Gateway`].
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>);

impl Future for ResponseFuture {
    type Output = std::result::Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
