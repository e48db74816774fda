use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    /// Calls a service as soon as it is ready.
    #[project = OneshotProjection]
    pub(super) enum Oneshot<S: Service<R>, R> {
        NotReady { service: S, request: Option<R> },
        Called { #[pin] future: S::Future },
    }
}

impl<S: Service<R>, R> Oneshot<S, R> {
    pub(super) fn new(service: S, request: R) -> Self {
        Self::NotReady { service, request: Some(request) }
    }
}

impl<S: Service<R>, R> Future for Oneshot<S, R> {
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                OneshotProjection::NotReady { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let request = request.take().expect("a service is called once");
                    let future = service.call(request);
                    self.set(Self::Called { future });
                }
                OneshotProjection::Called { future } => return future.poll(cx),
            }
        }
    }
}
