use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::transport::Transport;
use crate::body::Incoming;
use crate::server::HttpService;

/// What [`serve`](crate::serve()) takes: an [`HttpService`] that can run on any thread.
///
/// A short name for its bounds: the service, its futures and the bodies of its responses are `Send` and `'static`. It is
/// implemented for every service that meets them, and cannot be implemented otherwise.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be served",
    label = "not a service of HTTP requests",
    note = "with axum pass the app itself, `serve(listener, app)`, not `app.into_make_service()` or \
            `app.into_make_service_with_connect_info()`: the client's address comes with each request; a router that lacks its \
            state needs `app.with_state(state)`",
    note = "a service must be `Clone`, `Send` and a `tower::Service<http::Request<tower_fastcgi::Incoming>>` that answers with \
            an `http::Response`; its error and that of the body must convert into `Box<dyn Error + Send + Sync>`"
)]
pub trait SendService:
    HttpService<Future: Send + 'static, ResBody: Body<Data: Send> + Send + 'static> + Send + 'static
{
}

impl<S> SendService for S where
    S: HttpService<Future: Send + 'static, ResBody: Body<Data: Send> + Send + 'static>
        + Send
        + 'static
{
}

/// Puts the [`Transport`] of a connection into its requests.
#[derive(Clone)]
pub(super) struct WithTransport<S> {
    service: S,
    transport: Transport,
}

impl<S> WithTransport<S> {
    pub(super) fn new(service: S, transport: Transport) -> Self {
        Self { service, transport }
    }
}

impl<S: SendService> Service<Request<Incoming>> for WithTransport<S> {
    type Response = Response<S::ResBody>;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        HttpService::poll_ready(&mut self.service, cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> S::Future {
        request.extensions_mut().insert(self.transport.clone());
        HttpService::call(&mut self.service, request)
    }
}
