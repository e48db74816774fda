//! What stands in for `http` where the feature is off.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::error::Result;

pub(super) struct HttpBody(Infallible);

impl HttpBody {
    pub(super) fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        match self.0 {}
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self.0 {}
    }
}
