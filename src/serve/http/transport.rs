use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// A transport that hyper reads and writes: first what was read of it already. It tells of both, and outlives its owner.
pub(super) struct Transport<I> {
    /// There until it is dropped.
    io: Option<I>,
    begun: Bytes,
    activity: Arc<Activity>,
    left: Left<I>,
}

/// Where a [`Transport`] leaves what it is made of: hyper gives nothing back.
pub(super) struct Left<I>(Arc<Mutex<Option<I>>>);

impl<I> Transport<I> {
    pub(super) fn new(io: I, begun: Bytes, activity: Arc<Activity>) -> (Self, Left<I>) {
        let left = Arc::new(Mutex::new(None));
        (Self { io: Some(io), begun, activity, left: Left(left.clone()) }, Left(left))
    }
}

impl<I: Unpin> Transport<I> {
    fn io(&mut self) -> Pin<&mut I> {
        Pin::new(self.io.as_mut().expect("only dropping takes it"))
    }

    fn sent(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.activity.on_sent();
        }
        self.activity.set_blocked(polled.is_pending());
        polled
    }
}

impl<I> Left<I> {
    pub(super) fn take(&self) -> Option<I> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<I> Drop for Transport<I> {
    fn drop(&mut self) {
        *self.left.0.lock().unwrap_or_else(PoisonError::into_inner) = self.io.take();
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Transport<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if this.begun.is_empty() {
            ready!(this.io().poll_read(cx, buf))?;
        } else {
            let len = this.begun.len().min(buf.remaining());
            buf.put_slice(&this.begun[..len]);
            this.begun.advance(len);
        }
        this.activity.on_received(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Transport<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = this.io().poll_write(cx, buf);
        this.sent(polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = this.io().poll_write_vectored(cx, bufs);
        this.sent(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = this.io().poll_flush(cx);
        this.activity.set_blocked(polled.is_pending());
        polled
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io().poll_shutdown(cx)
    }
}
