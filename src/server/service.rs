use std::future::Future;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;

use crate::body::Incoming;
use crate::error::BoxError;

/// What can be served: every tower `Service` of HTTP requests that can be cloned, with any response body.
///
/// A short name for its bounds. It is implemented for each `S: Service<Request<Incoming>> + Clone` whose response is an
/// [`http::Response`] and whose error, like that of the body, converts into `Box<dyn Error + Send + Sync>`; an axum `Router` is
/// one. It cannot be implemented otherwise.
pub trait HttpService: Clone + sealed::Service {
    /// The body of the responses.
    type ResBody: Body<Error: Into<BoxError>>;
    /// The service's own error. It is answered with status 500.
    type Error: Into<BoxError>;
    /// What resolves to the response.
    type Future: Future<Output = Result<Response<Self::ResBody>, Self::Error>>;

    #[doc(hidden)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    #[doc(hidden)]
    fn call(&mut self, request: Request<Incoming>) -> Self::Future;
}

impl<S, B> HttpService for S
where
    S: tower_service::Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Response: HttpResponse,
    S::Error: Into<BoxError>,
    B: Body<Error: Into<BoxError>>,
{
    type ResBody = B;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        tower_service::Service::poll_ready(self, cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        tower_service::Service::call(self, request)
    }
}

/// An [`http::Response`]: what a service that is served must answer with.
#[diagnostic::on_unimplemented(
    message = "this service answers with `{Self}`, which is not an `http::Response`",
    label = "not a service of HTTP responses",
    note = "pass the app itself, `serve(listener, app)`, not `app.into_make_service()` or \
            `app.into_make_service_with_connect_info()`: the client's address comes with each request (REMOTE_ADDR)"
)]
pub trait HttpResponse: sealed::Response {}

impl<B> HttpResponse for Response<B> {}

mod sealed {
    use http::Request;

    use crate::body::Incoming;

    pub trait Service {}
    impl<S: tower_service::Service<Request<Incoming>>> Service for S {}

    pub trait Response {}
    impl<B> Response for http::Response<B> {}
}
