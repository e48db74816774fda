use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tower_http::services::fs::ServeFileSystemResponseBody;

use crate::client;
use crate::error::BoxError;

/// The body of a [`Gateway`](super::Gateway)'s response: the application's, a file's, or a short text.
///
/// It fails where the application's does ([`client::ResponseBody`]); the error is then a [`crate::Error`]. It has no trailers.
pub struct ResponseBody(Kind);

enum Kind {
    Text(Bytes),
    File(ServeFileSystemResponseBody),
    Application { body: client::ResponseBody, _permit: OwnedSemaphorePermit },
}

impl ResponseBody {
    pub(super) fn text(text: String) -> Self {
        Self(Kind::Text(text.into()))
    }

    pub(super) fn file(body: ServeFileSystemResponseBody) -> Self {
        Self(Kind::File(body))
    }

    /// The permit is given back with the end of the body.
    pub(super) fn application(body: client::ResponseBody, permit: OwnedSemaphorePermit) -> Self {
        Self(Kind::Application { body, _permit: permit })
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Text(text) => {
                let text = std::mem::take(text);
                Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text))))
            }
            Kind::File(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Kind::Application { body, .. } => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Text(text) => text.is_empty(),
            Kind::File(body) => body.is_end_stream(),
            Kind::Application { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Text(text) => SizeHint::with_exact(text.len() as u64),
            Kind::File(body) => body.size_hint(),
            Kind::Application { body, .. } => body.size_hint(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

/// The body of a request, whatever its type was. It fails with [`BodyTooLate`] when the application waits for the client too long.
pub(crate) struct RequestBody {
    body: Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>,
    timeout: Option<Duration>,
    /// Runs while the client is waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(super) fn new<B>(body: B, timeout: Option<Duration>) -> Self
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        Self { body: Box::pin(Plain { body }), timeout, timer: None }
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timeout) = self.timeout else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        timer.as_mut().poll(cx)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = self.body.as_mut().poll_frame(cx) {
            self.timer = None;
            return Poll::Ready(frame);
        }
        ready!(self.poll_late(cx));
        Poll::Ready(Some(Err(BodyTooLate.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The client sent nothing of a body for too long.
#[derive(Debug)]
pub(super) struct BodyTooLate;

impl fmt::Display for BodyTooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client took too long to go on with the body")
    }
}

impl StdError for BodyTooLate {}

pin_project! {
    /// A body of bytes, made of any.
    struct Plain<B> {
        #[pin]
        body: B,
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for Plain<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.project().body.poll_frame(cx));
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) => Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))),
            Err(error) => Err(error.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
