#[cfg(feature = "http")]
mod http;
#[cfg(not(feature = "http"))]
#[path = "body/http_absent.rs"]
mod http;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use self::http::HttpBody;
use crate::error::{Error, Kind, Result};
use crate::waker;

/// The body of a request, as it arrives in FCGI_STDIN.
///
/// It ends with the stream, or as soon as CONTENT_LENGTH bytes came, whichever is first. It fails when the connection ends
/// before that ([`Error::is_incomplete`], [`Error::is_canceled`]), when the web server aborts the request
/// ([`Error::is_aborted`]), and when it is left unread while other requests of the connection wait behind it
/// ([`Error::is_stalled`]). It has no trailers.
///
/// Dropping it discards what is still to come; the response goes on. It may be moved to another task: once the response has
/// ended, a body that arrived whole can still be read, and one that did not fails ([`Error::is_canceled`]).
///
/// # Cancel safety
///
/// A frame is handed out whole by the poll that returns it; a dropped future that waits for one loses nothing.
pub struct Incoming {
    kind: Inner,
}

enum Inner {
    Empty,
    Channel {
        channel: Arc<Channel>,
        remaining: Option<u64>,
    },
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    Http(HttpBody),
}

impl Incoming {
    pub(crate) fn empty() -> Self {
        Self { kind: Inner::Empty }
    }

    #[cfg(feature = "http")]
    pub(crate) fn http(body: hyper::body::Incoming, version: ::http::Version) -> Self {
        Self { kind: Inner::Http(HttpBody::new(body, version)) }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let (channel, remaining) = match &mut self.kind {
            Inner::Empty => return Poll::Ready(None),
            Inner::Channel { channel, remaining } => (channel, remaining),
            Inner::Http(body) => return body.poll_frame(cx),
        };
        Poll::Ready(match ready!(channel.poll_take(cx)) {
            None => None,
            Some(Ok(data)) => {
                if let Some(remaining) = remaining {
                    *remaining -= data.len() as u64;
                }
                Some(Ok(Frame::data(data)))
            }
            Some(Err(error)) => {
                self.kind = Inner::Empty;
                Some(Err(error))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Inner::Empty => true,
            Inner::Channel { channel, .. } => channel.is_drained(),
            Inner::Http(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Channel { remaining: Some(remaining), .. } => SizeHint::with_exact(*remaining),
            Inner::Channel { channel, remaining: None } => channel.size_hint(),
            Inner::Http(body) => body.size_hint(),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Inner::Channel { channel, .. } = &self.kind {
            channel.close();
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

/// The connection's end of an [`Incoming`]. Dropped before the end, it fails the body; dropped after it, it leaves what is
/// unread to the consumer and to no budget.
#[derive(Debug)]
pub(crate) struct Sender {
    channel: Arc<Channel>,
}

/// A body and the end that fills it. `length` is the number of bytes that will be pushed, if it is known.
pub(crate) fn channel(budget: &Arc<Budget>, length: Option<u64>) -> (Sender, Incoming) {
    let channel =
        Arc::new(Channel { state: Mutex::new(ChannelState::default()), budget: budget.clone() });
    let sender = Sender { channel: channel.clone() };
    (sender, Incoming { kind: Inner::Channel { channel, remaining: length } })
}

impl Sender {
    /// Appends a copy of `data`. Copies are gathered, so that small records do not cost an allocation each.
    pub(crate) fn push_copy(&self, data: &[u8]) {
        self.push(data.len(), |state| state.tail.extend_from_slice(data));
    }

    pub(crate) fn push_shared(&self, data: Bytes) {
        self.push(data.len(), |state| {
            state.gather();
            state.queue.push_back(data);
        });
    }

    pub(crate) fn unread(&self) -> usize {
        lock(&self.channel.state).unread
    }

    /// Whether somebody waits for more.
    pub(crate) fn is_awaited(&self) -> bool {
        lock(&self.channel.state).consumer.is_some()
    }

    pub(crate) fn finish(&self) {
        self.end(End::Complete);
    }

    /// Ends the body with an error, behind the bytes that arrived.
    pub(crate) fn fail(&self, kind: Kind) {
        self.end(End::Failed(kind));
    }

    /// Ends the body with an error and drops the bytes that nobody took.
    pub(crate) fn discard(&self, kind: Kind) {
        self.channel.discard_with(|state| state.end = Some(End::Failed(kind)));
    }

    fn push(&self, len: usize, append: impl FnOnce(&mut ChannelState)) {
        let mut state = lock(&self.channel.state);
        if state.is_closed {
            return;
        }
        append(&mut state);
        state.unread += len;
        // Within the lock, else a consumer could give back bytes that the budget has not seen yet.
        self.channel.budget.take(len);
        let consumer = state.consumer.take();
        drop(state);
        consumer.into_iter().for_each(Waker::wake);
    }

    fn end(&self, end: End) {
        let mut state = lock(&self.channel.state);
        state.end = Some(end);
        let consumer = state.consumer.take();
        drop(state);
        consumer.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = lock(&self.channel.state);
        if state.end.is_none() {
            drop(state);
            return self.discard(Kind::Canceled);
        }
        state.is_detached = true;
        let unread = state.unread;
        drop(state);
        self.channel.budget.release(unread);
    }
}

/// The unread body bytes of one connection.
///
/// FastCGI has no flow-control window, so a connection at its limit stops reading altogether until a consumer takes something.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    state: Mutex<BudgetState>,
}

#[derive(Debug, Default)]
struct BudgetState {
    unread: usize,
    /// How often bytes were taken, so that a standstill can be told from progress.
    releases: u64,
    blocked: Option<Waker>,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// Ready while there is room; else the task is woken when there is.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.unread < self.limit {
            return Poll::Ready(());
        }
        state.blocked = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn unread(&self) -> usize {
        lock(&self.state).unread
    }

    pub(crate) fn releases(&self) -> u64 {
        lock(&self.state).releases
    }

    fn take(&self, len: usize) {
        lock(&self.state).unread += len;
    }

    fn release(&self, len: usize) {
        if len == 0 {
            return;
        }
        let mut state = lock(&self.state);
        state.unread -= len;
        state.releases += 1;
        if state.unread < self.limit {
            let blocked = state.blocked.take();
            drop(state);
            blocked.into_iter().for_each(Waker::wake);
        }
    }
}

#[derive(Debug)]
struct Channel {
    state: Mutex<ChannelState>,
    budget: Arc<Budget>,
}

#[derive(Debug, Default)]
struct ChannelState {
    queue: VecDeque<Bytes>,
    /// What came last, in small pieces: behind the queue.
    tail: BytesMut,
    unread: usize,
    end: Option<End>,
    /// The consumer is gone.
    is_closed: bool,
    /// The sender is gone, and the budget counts none of the unread bytes.
    is_detached: bool,
    consumer: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Complete,
    Failed(Kind),
}

impl Channel {
    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let mut state = lock(&self.state);
        if let Some(data) = state.pop() {
            state.unread -= data.len();
            self.release(state, data.len());
            return Poll::Ready(Some(Ok(data)));
        }
        match state.end {
            Some(End::Complete) => Poll::Ready(None),
            Some(End::Failed(kind)) => Poll::Ready(Some(Err(Error::new(kind)))),
            None => {
                waker::keep(&mut state.consumer, cx);
                Poll::Pending
            }
        }
    }

    fn is_drained(&self) -> bool {
        let state = lock(&self.state);
        state.unread == 0 && matches!(state.end, Some(End::Complete))
    }

    fn size_hint(&self) -> SizeHint {
        let state = lock(&self.state);
        let mut hint = SizeHint::new();
        match state.end {
            Some(End::Complete) => hint.set_exact(state.unread as u64),
            _ => hint.set_lower(state.unread as u64),
        }
        hint
    }

    fn release(&self, state: MutexGuard<'_, ChannelState>, len: usize) {
        let is_detached = state.is_detached;
        drop(state);
        if !is_detached {
            self.budget.release(len);
        }
    }

    fn close(&self) {
        self.discard_with(|state| state.is_closed = true);
    }

    fn discard_with(&self, change: impl FnOnce(&mut ChannelState)) {
        let mut state = lock(&self.state);
        change(&mut state);
        state.queue = VecDeque::new();
        state.tail = BytesMut::new();
        let unread = std::mem::take(&mut state.unread);
        let consumer = state.consumer.take();
        self.release(state, unread);
        consumer.into_iter().for_each(Waker::wake);
    }
}

impl ChannelState {
    fn pop(&mut self) -> Option<Bytes> {
        self.queue.pop_front().or_else(|| self.gathered())
    }

    fn gather(&mut self) {
        if let Some(data) = self.gathered() {
            self.queue.push_back(data);
        }
    }

    fn gathered(&mut self) -> Option<Bytes> {
        (!self.tail.is_empty()).then(|| std::mem::take(&mut self.tail).freeze())
    }
}

/// A poisoned lock only means that some waker panicked; every state the locks guard is consistent at each unlock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
