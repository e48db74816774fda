use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::Incoming;
use crate::error::{Error, Result};

/// The body of a response, as it arrives in FCGI_STDOUT.
///
/// It ends with FCGI_END_REQUEST, and fails when the connection ends before that, when it is shorter than its `Content-Length`
/// ([`Error::is_incomplete`]) or longer ([`Error::is_protocol`]), when nothing comes for too long ([`Error::is_timeout`]), and when
/// it is left unread while other requests of the connection wait behind it ([`Error::is_stalled`]). It has no trailers.
///
/// While it is not read, the connection stops reading too, so the application has to wait.
///
/// # Cancel safety
///
/// A frame is handed out whole by the poll that returns it; a dropped future that waits for one loses nothing. Dropping the body
/// before its end aborts the request.
pub struct ResponseBody {
    incoming: Incoming,
    _request: CancelGuard,
}

impl ResponseBody {
    pub(super) fn new(incoming: Incoming, request: CancelGuard) -> Self {
        Self { incoming, _request: request }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        Pin::new(&mut self.incoming).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

/// Cancels its request when it is dropped, unless that has ended by then.
#[derive(Debug)]
pub(super) struct CancelGuard(Arc<Cancel>);

/// Whether anybody still wants a response.
#[derive(Debug, Default)]
pub(super) struct Cancel(Mutex<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    is_canceled: bool,
    exchange: Option<Waker>,
}

impl Cancel {
    pub(super) fn new() -> (Arc<Self>, CancelGuard) {
        let cancel = Arc::<Self>::default();
        (cancel.clone(), CancelGuard(cancel))
    }

    pub(super) fn is_canceled(&self) -> bool {
        self.lock().is_canceled
    }

    /// Sets who is woken when the request is canceled.
    pub(super) fn wakes(&self, exchange: Waker) {
        self.lock().exchange = Some(exchange);
    }

    fn lock(&self) -> MutexGuard<'_, CancelState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_canceled = true;
        let exchange = state.exchange.take();
        drop(state);
        exchange.into_iter().for_each(Waker::wake);
    }
}
