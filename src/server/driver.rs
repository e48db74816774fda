use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Extensions, Request, response};
use http_body::{Body, SizeHint};
use pin_project_lite::pin_project;

use super::service::HttpService;
use crate::body::Incoming;
use crate::error::BoxError;
use crate::roles::Allow;

pin_project! {
    /// Runs a service for one request and takes its response apart. A panic is caught and becomes a failure of this request.
    pub(super) struct Driver<S: HttpService> {
        #[pin]
        state: State<S>,
    }

    impl<S: HttpService> PinnedDrop for Driver<S> {
        fn drop(this: Pin<&mut Self>) {
            this.clear();
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S: HttpService> {
        Idle,
        // Until its turn comes, the request waits without a service.
        NotReady { service: Option<S>, request: Option<Request<Incoming>> },
        Calling { #[pin] future: S::Future },
        Streaming { #[pin] body: S::ResBody },
    }
}

/// What a response consists of, in this order: a head, any data, an end; or a failure at any point.
pub(super) enum Step {
    Head { head: response::Parts, size: SizeHint, is_end: bool },
    Data(Bytes),
    End,
    Failed(BoxError),
}

impl<S: HttpService> Driver<S> {
    pub(super) fn new() -> Self {
        Self { state: State::Idle }
    }

    /// Keeps a request until it is started. To be called when nothing is held.
    pub(super) fn hold(self: Pin<&mut Self>, request: Request<Incoming>) {
        self.project().state.set(State::NotReady { service: None, request: Some(request) });
    }

    /// The request that is kept.
    pub(super) fn held(self: Pin<&mut Self>) -> Option<&mut Request<Incoming>> {
        match self.project().state.project() {
            StateProj::NotReady { service: None, request } => request.as_mut(),
            _ => None,
        }
    }

    /// Gives the request that is kept to a service, which the next poll calls.
    pub(super) fn start(self: Pin<&mut Self>, by: S) {
        if let StateProj::NotReady { service, .. } = self.project().state.project() {
            *service = Some(by);
        }
    }

    /// Drops whatever it holds.
    pub(super) fn clear(self: Pin<&mut Self>) {
        let mut state = self.project().state;
        // If that panics, the new state is in place all the same.
        contain_drop(|| state.set(State::Idle));
    }

    /// The next part of the response. After `End` and `Failed` there is none.
    pub(super) fn poll_step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step> {
        catch_unwind(AssertUnwindSafe(|| self.as_mut().poll_state(cx)))
            .unwrap_or_else(|panic| Poll::Ready(Step::Failed(Panicked::new(&*panic).into())))
    }

    fn poll_state(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            match self.as_mut().project().state.project() {
                StateProj::Idle | StateProj::NotReady { service: None, .. } => {
                    return Poll::Pending;
                }
                StateProj::NotReady { service: Some(service), request } => {
                    if let Err(error) = ready!(service.poll_ready(cx)) {
                        return Poll::Ready(Step::Failed(error.into()));
                    }
                    let request = request.take().expect("a service is called once");
                    let future = service.call(request);
                    self.as_mut().project().state.set(State::Calling { future });
                }
                StateProj::Calling { future } => {
                    let (mut head, body) = match ready!(future.poll(cx)) {
                        Ok(response) => response.into_parts(),
                        Err(error) => return Poll::Ready(Step::Failed(error.into())),
                    };
                    // Here, where a panic of what the service put there is still its own.
                    if !head.extensions.is_empty() {
                        keep_decision(&mut head.extensions);
                    }
                    let (size, is_end) = (body.size_hint(), body.is_end_stream());
                    self.as_mut().project().state.set(State::Streaming { body });
                    return Poll::Ready(Step::Head { head, size, is_end });
                }
                StateProj::Streaming { body } => return poll_body(body, cx),
            }
        }
    }
}

/// Drops something of the service's. If that panics, it harms nothing else.
pub(super) fn contain_drop(drop: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(drop)) {
        crate::trace::error!(error = %Panicked::new(&*panic), "panic while a request was dropped");
    }
}

/// An Authorizer's [`Allow`] is for the connection, and the rest for nobody.
fn keep_decision(extensions: &mut Extensions) {
    let allow = extensions.remove::<Allow>();
    extensions.clear();
    if let Some(allow) = allow {
        extensions.insert(allow);
    }
}

fn poll_body<B: Body<Error: Into<BoxError>>>(
    body: Pin<&mut B>,
    cx: &mut Context<'_>,
) -> Poll<Step> {
    Poll::Ready(match ready!(body.poll_frame(cx)) {
        None => Step::End,
        Some(Err(error)) => Step::Failed(error.into()),
        Some(Ok(frame)) => match frame.into_data() {
            Ok(mut data) => Step::Data(data.copy_to_bytes(data.remaining())),
            // FastCGI has no trailers.
            Err(_trailers) => Step::Data(Bytes::new()),
        },
    })
}

/// A service or a body panicked.
#[derive(Debug)]
pub(crate) struct Panicked(String);

impl Panicked {
    pub(crate) fn new(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(|text| &**text));
        Self(text.unwrap_or("no message").to_owned())
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.0)
    }
}

impl std::error::Error for Panicked {}
