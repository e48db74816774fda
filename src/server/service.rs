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
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be served",
    label = "not a service of HTTP requests",
    note = "a service must be `Clone` and a `tower::Service<http::Request<tower_fastcgi::Incoming>>` that answers with an \
            `http::Response`; its error and that of the body must convert into `Box<dyn Error + Send + Sync>`"
)]
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

// Else the compiler says what is missing at the bottom, such as a `Response` that is a `Router`, and not that the service is
// the wrong one.
#[diagnostic::do_not_recommend]
impl<S, B> HttpService for S
where
    S: tower_service::Service<Request<Incoming>, Response = Response<B>> + Clone,
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

mod sealed {
    use http::Request;

    use crate::body::Incoming;

    pub trait Service {}
    impl<S: tower_service::Service<Request<Incoming>>> Service for S {}
}
