//! An in-memory transport without a runtime: what is measured with it is the connection and the service, nothing else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use hyper::rt::{Read, ReadBufCursor, Write};

/// Reads what was put into `input` and appends what is written to `output`.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pub(crate) input: Vec<u8>,
    pub(crate) read: usize,
    pub(crate) output: Vec<u8>,
}

impl Pipe {
    /// Replaces what there is to read.
    pub(crate) fn refill(&mut self, input: &[u8]) {
        self.input.clear();
        self.input.extend_from_slice(input);
        self.read = 0;
        self.output.clear();
    }
}

/// A transport that its owner can still reach while a connection has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(std::rc::Rc<std::cell::RefCell<Pipe>>);

impl Shared {
    /// Polls `connection` until the response to `request` has been written in full.
    pub(crate) fn exchange<C>(
        &self,
        connection: &mut C,
        request: &[u8],
        is_complete: fn(&[u8]) -> bool,
    ) where
        C: Future + Unpin,
    {
        self.0.borrow_mut().refill(request);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..POLLS {
            assert!(Pin::new(&mut *connection).poll(&mut cx).is_pending(), "the connection ended");
            if is_complete(&self.0.borrow().output) {
                return;
            }
        }
        panic!("no response after {POLLS} polls");
    }
}

const POLLS: usize = 1000;

impl Read for Shared {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let pipe = &mut *self.0.borrow_mut();
        let rest = &pipe.input[pipe.read..];
        if rest.is_empty() {
            return Poll::Pending;
        }
        let len = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..len]);
        pipe.read += len;
        Poll::Ready(Ok(()))
    }
}

impl Write for Shared {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().output.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let output = &mut self.0.borrow_mut().output;
        let before = output.len();
        bufs.iter().for_each(|buf| output.extend_from_slice(buf));
        Poll::Ready(Ok(output.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
