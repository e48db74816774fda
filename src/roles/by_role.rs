use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::oneshot::Oneshot;
use crate::error::BoxError;
use crate::record::Role;

/// Gives requests of [`Role::Authorizer`] to one service and all others to another, so that both are served on one address.
///
/// Tell [`Builder::roles`](crate::server::Builder::roles) which roles there are. It is ready at any time; a request waits until its own service is
/// ready, whatever the other does. A request without a [`Role`] goes to the application.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use http::StatusCode;
/// use tower_fastcgi::Role;
/// use tower_fastcgi::roles::{Allow, Authorizer, ByRole, Decision};
/// use tower_fastcgi::server::Builder;
///
/// let app: Router = Router::new().route("/", get(|| async { "Hello, World!" }));
/// let authorizer = Authorizer::from_fn(|request: http::Request<_>| async move {
///     if request.uri().path().starts_with("/public/") {
///         return Ok::<_, std::convert::Infallible>(Decision::from(Allow::new()));
///     }
///     let mut response = http::Response::new(String::new());
///     *response.status_mut() = StatusCode::FORBIDDEN;
///     Ok(Decision::Deny(response))
/// });
/// let service = ByRole::new(app, authorizer);
/// let mut builder = Builder::new();
/// builder.roles([Role::Responder, Role::Authorizer]);
/// # fn is_service<S: tower_fastcgi::server::HttpService>(_: S) {}
/// # is_service(service);
/// ```
#[derive(Clone, Debug)]
pub struct ByRole<S, A> {
    app: S,
    authorizer: A,
}

impl<S, A> ByRole<S, A> {
    /// A service of an application and an Authorizer.
    pub fn new(app: S, authorizer: A) -> Self {
        Self { app, authorizer }
    }
}

impl<S, A, R, B1, B2> Service<Request<R>> for ByRole<S, A>
where
    S: Service<Request<R>, Response = Response<B1>, Error: Into<BoxError>> + Clone,
    A: Service<Request<R>, Response = Response<B2>, Error: Into<BoxError>> + Clone,
{
    type Response = Response<ByRoleBody<B1, B2>>;
    type Error = BoxError;
    type Future = ByRoleFuture<S, A, R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let state = match request.extensions().get() {
            Some(Role::Authorizer) => {
                State::Authorizer { future: Oneshot::new(self.authorizer.clone(), request) }
            }
            _ => State::App { future: Oneshot::new(self.app.clone(), request) },
        };
        ByRoleFuture { state }
    }
}

pin_project! {
    /// The response of a [`ByRole`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ByRoleFuture<S: Service<Request<R>>, A: Service<Request<R>>, R> {
        #[pin]
        state: State<S, A, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<R>>, A: Service<Request<R>>, R> {
        App { #[pin] future: Oneshot<S, Request<R>> },
        Authorizer { #[pin] future: Oneshot<A, Request<R>> },
    }
}

impl<S, A, R, B1, B2> Future for ByRoleFuture<S, A, R>
where
    S: Service<Request<R>, Response = Response<B1>, Error: Into<BoxError>>,
    A: Service<Request<R>, Response = Response<B2>, Error: Into<BoxError>>,
{
    type Output = Result<Response<ByRoleBody<B1, B2>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().state.project() {
            StateProjection::App { future } => match ready!(future.poll(cx)) {
                Ok(response) => Ok(response.map(|body| ByRoleBody { body: Either::App { body } })),
                Err(error) => Err(error.into()),
            },
            StateProjection::Authorizer { future } => match ready!(future.poll(cx)) {
                Ok(response) => {
                    Ok(response.map(|body| ByRoleBody { body: Either::Authorizer { body } }))
                }
                Err(error) => Err(error.into()),
            },
        })
    }
}

impl<S: Service<Request<R>>, A: Service<Request<R>>, R> fmt::Debug for ByRoleFuture<S, A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByRoleFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a [`ByRole`]'s response.
    #[derive(Debug)]
    pub struct ByRoleBody<B1, B2> {
        #[pin]
        body: Either<B1, B2>,
    }
}

pin_project! {
    #[project = EitherProjection]
    #[derive(Debug)]
    enum Either<B1, B2> {
        App { #[pin] body: B1 },
        Authorizer { #[pin] body: B2 },
    }
}

impl<B1, B2> Body for ByRoleBody<B1, B2>
where
    B1: Body<Error: Into<BoxError>>,
    B2: Body<Data = B1::Data, Error: Into<BoxError>>,
{
    type Data = B1::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B1::Data>, BoxError>>> {
        match self.project().body.project() {
            EitherProjection::App { body } => body.poll_frame(cx).map_err(Into::into),
            EitherProjection::Authorizer { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Either::App { body } => body.is_end_stream(),
            Either::Authorizer { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Either::App { body } => body.size_hint(),
            Either::Authorizer { body } => body.size_hint(),
        }
    }
}
