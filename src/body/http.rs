use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};

use crate::error::{Error, Kind, Result};

/// The body of a request that came over HTTP. Boxed, lest it makes all others larger.
pub(super) struct HttpBody(Box<Streamed>);

struct Streamed {
    body: hyper::body::Incoming,
    /// It came over HTTP/2, and has not ended.
    may_be_reset: bool,
}

impl HttpBody {
    pub(super) fn new(body: hyper::body::Incoming, version: Version) -> Self {
        Self(Box::new(Streamed { body, may_be_reset: version == Version::HTTP_2 }))
    }

    /// Trailers are left out, as FastCGI has none.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.0.body).poll_frame(cx)) {
                Some(Ok(frame)) if !frame.is_data() => continue,
                Some(Err(error)) => Some(Err(Error::new(Kind::Incomplete).with(error))),
                Some(Ok(frame)) => Some(Ok(frame)),
                None if self.0.is_reset() => Some(Err(Error::new(Kind::Incomplete))),
                None => None,
            });
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.0.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.0.body.size_hint()
    }
}

impl Streamed {
    /// hyper makes a plain end of a stream that the client resets with NO_ERROR, and older ones of CANCEL as well: an upload that
    /// was broken off would pass for a whole one. Told once.
    fn is_reset(&mut self) -> bool {
        std::mem::take(&mut self.may_be_reset) && !self.body.is_end_stream()
    }
}
