use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::error::{Error, Kind, Result};

/// The body of a request that came over HTTP. Boxed, lest it makes all others larger.
pub(super) struct HttpBody(Box<hyper::body::Incoming>);

impl HttpBody {
    pub(super) fn new(body: hyper::body::Incoming) -> Self {
        Self(Box::new(body))
    }

    /// Trailers are left out, as FastCGI has none.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut *self.0).poll_frame(cx)) {
                Some(Ok(frame)) if !frame.is_data() => continue,
                Some(Err(error)) => Some(Err(Error::new(Kind::Incomplete).with(error))),
                Some(Ok(frame)) => Some(Ok(frame)),
                None => None,
            });
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
