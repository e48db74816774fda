use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::Allow;
use crate::record::Role;
use crate::trace::error;

/// What an Authorizer answers.
#[derive(Clone, Debug)]
pub enum Decision<B> {
    /// The request passes.
    Allow(Allow),
    /// It does not, and the client gets this response, as far as the web server passes it on ([what does](crate::roles)).
    ///
    /// A status of success becomes 403, for to the web server 200 means that the request passes.
    Deny(Response<B>),
}

impl<B> From<Allow> for Decision<B> {
    fn from(allow: Allow) -> Self {
        Self::Allow(allow)
    }
}

impl<B> Decision<B> {
    fn into_response(self) -> Response<AuthorizerBody<B>> {
        match self {
            Self::Allow(allow) => allow.into(),
            Self::Deny(mut response) => {
                // A layer around may make a success of it.
                response.extensions_mut().remove::<Allow>();
                if response.status().is_success() {
                    *response.status_mut() = StatusCode::FORBIDDEN;
                }
                response.map(|body| AuthorizerBody { body: Some(body) })
            }
        }
    }
}

/// Makes a service of HTTP requests, which can be served, of one that answers with a [`Decision`].
///
/// Tell [`Builder::roles`](crate::server::Builder::roles) that it has the role. Only requests of [`Role::Authorizer`] reach the inner
/// service; another is answered with status 403 and logged.
///
/// What the inner service does otherwise denies the request: an error or a panic with status 500; not to be ready in time, or not to
/// answer, with status 503 ([`Builder::authorizer_timeout`](crate::server::Builder::authorizer_timeout)). Layers may be put inside and around
/// it; those around it see an [`Allow`] as an empty response with status 200 whose extensions have it, and deny the request if they take it
/// away.
///
/// # Cancel safety
///
/// The inner service's future is dropped when the time is up, and when the web server closes the connection.
///
/// # Examples
///
/// Those of [the module](crate::roles). A service:
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
///
/// use http::{Request, Response, StatusCode};
/// use tower_fastcgi::Incoming;
/// use tower_fastcgi::roles::{Allow, Authorizer, Decision};
///
/// #[derive(Clone)]
/// struct OnlyReading;
///
/// impl tower_service::Service<Request<Incoming>> for OnlyReading {
///     type Response = Decision<String>;
///     type Error = Infallible;
///     type Future = Ready<Result<Decision<String>, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, request: Request<Incoming>) -> Self::Future {
///         if request.method().is_safe() {
///             return ready(Ok(Allow::new().into()));
///         }
///         let mut response = Response::new("read only\n".to_owned());
///         *response.status_mut() = StatusCode::FORBIDDEN;
///         ready(Ok(Decision::Deny(response)))
///     }
/// }
///
/// let service = Authorizer::new(OnlyReading);
/// ```
#[derive(Clone, Debug)]
pub struct Authorizer<S> {
    service: S,
}

impl<S> Authorizer<S> {
    /// An Authorizer of a service that decides.
    pub fn new(service: S) -> Self {
        Self { service }
    }
}

impl<F> Authorizer<DecisionFn<F>> {
    /// An Authorizer of an async function that decides: from a request to a `Result` of a [`Decision`].
    pub fn from_fn(decide: F) -> Self {
        Self::new(DecisionFn { decide })
    }
}

impl<S, R, B> Service<Request<R>> for Authorizer<S>
where
    S: Service<Request<R>, Response = Decision<B>>,
{
    type Response = Response<AuthorizerBody<B>>;
    type Error = S::Error;
    type Future = AuthorizerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let role = request.extensions().get();
        if role != Some(&Role::Authorizer) {
            error!(?role, "an Authorizer got a request of another role: refused");
            return AuthorizerFuture { decision: None };
        }
        AuthorizerFuture { decision: Some(self.service.call(request)) }
    }
}

pin_project! {
    /// The response of an [`Authorizer`].
    #[must_use = "futures do nothing unless polled"]
    pub struct AuthorizerFuture<F> {
        #[pin]
        decision: Option<F>,
    }
}

impl<F, B, E> Future for AuthorizerFuture<F>
where
    F: Future<Output = Result<Decision<B>, E>>,
{
    type Output = Result<Response<AuthorizerBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(decision) = self.project().decision.as_pin_mut() {
            return decision.poll(cx).map_ok(Decision::into_response);
        }
        let mut response = Response::new(AuthorizerBody::default());
        *response.status_mut() = StatusCode::FORBIDDEN;
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for AuthorizerFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of an [`Authorizer`]'s response: that of a denial, or none.
    #[derive(Debug)]
    pub struct AuthorizerBody<B> {
        #[pin]
        body: Option<B>,
    }
}

impl<B> Default for AuthorizerBody<B> {
    fn default() -> Self {
        Self { body: None }
    }
}

impl<B: Body> Body for AuthorizerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().body.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// An async function as a service; [`Authorizer::from_fn`] makes it.
#[derive(Clone)]
pub struct DecisionFn<F> {
    decide: F,
}

impl<F, R, B, E, Fut> Service<Request<R>> for DecisionFn<F>
where
    F: FnMut(Request<R>) -> Fut,
    Fut: Future<Output = Result<Decision<B>, E>>,
{
    type Response = Decision<B>;
    type Error = E;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<R>) -> Fut {
        (self.decide)(request)
    }
}

impl<F> fmt::Debug for DecisionFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionFn").finish_non_exhaustive()
    }
}
