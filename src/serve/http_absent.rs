//! What stands in for `http` where the feature is off.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::listener::Peer;
use crate::cgi::Forwarded;
use crate::error::Result;
use crate::server::Watched;

#[derive(Clone, Debug, Default)]
pub(crate) struct Mode;

impl Mode {
    pub(super) fn is_beside(&self) -> bool {
        false
    }

    pub(super) fn is_only(&self) -> bool {
        false
    }

    pub(super) fn terms<I>(&self, _io: &I, _peer: Peer, _forwarded: Forwarded) -> Option<Terms> {
        None
    }
}

pub(super) type Terms = Infallible;

pub(super) struct HttpConnection<I, S>(Infallible, PhantomData<fn() -> (I, S)>);

impl<I, S> HttpConnection<I, S> {
    pub(super) fn new(terms: Terms, _io: I, _begun: Bytes, _service: S, _watched: Watched) -> Self {
        match terms {}
    }

    pub(super) fn idle_mark(&self) -> Option<u64> {
        match self.0 {}
    }

    pub(super) fn has_begun(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn close_idle(&mut self) {
        match self.0 {}
    }

    pub(super) fn break_off(&mut self) {
        match self.0 {}
    }

    pub(super) fn into_io(self) -> Option<I> {
        match self.0 {}
    }
}

impl<I, S> Future for HttpConnection<I, S> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        match self.0 {}
    }
}
