use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use http::Request;

use super::reply::ReplySender;
use super::send_request::{SendRequest, TrySendError};
use crate::client::body::Cancel;
use crate::error::{Error, Failure, Result};

/// What the handles of a connection and the connection share: the requests on their way to it, and how many there may be.
pub(super) struct Gate<B> {
    state: Mutex<State<B>>,
    on_room: OnceLock<Box<OnRoom<B>>>,
}

/// Is told whenever there is room for another request.
type OnRoom<B> = dyn Fn(SendRequest<B>) + Send + Sync;

struct State<B> {
    queue: VecDeque<Envelope<B>>,
    /// How many requests are live or queued, or may be sent by a handle that was told it is ready.
    taken: usize,
    limit: usize,
    is_closed: bool,
    handles: usize,
    connection: Option<Waker>,
    /// Handles that wait until they are ready.
    waiting: Vec<Waker>,
}

/// A request on its way to the connection.
pub(super) struct Envelope<B> {
    pub(super) request: Box<Request<B>>,
    pub(super) reply: ReplySender<B>,
    pub(super) cancel: Arc<Cancel>,
}

impl<B> Envelope<B> {
    fn give_back(self) {
        let error = Error::client(Failure::Closed);
        self.reply.send(Err(TrySendError::new(error, Some(self.request))));
    }
}

/// How the connection finds its gate.
pub(super) enum Next<B> {
    Request(Envelope<B>),
    Nothing,
    /// There are no handles any more, or one has closed the gate.
    Closed,
}

impl<B> Gate<B> {
    /// A gate that lets so many requests through at a time.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        let state = State {
            queue: VecDeque::new(),
            taken: 0,
            limit,
            is_closed: false,
            handles: 0,
            connection: None,
            waiting: Vec::new(),
        };
        Arc::new(Self { state: Mutex::new(state), on_room: OnceLock::new() })
    }

    #[cfg(feature = "tokio")]
    pub(super) fn on_room(&self, on_room: impl Fn(SendRequest<B>) + Send + Sync + 'static) {
        let is_first = self.on_room.set(Box::new(on_room)).is_ok();
        debug_assert!(is_first, "set once");
    }

    pub(super) fn add_handle(&self) {
        self.lock().handles += 1;
    }

    pub(super) fn remove_handle(self: &Arc<Self>, has_place: bool) {
        let mut state = self.lock();
        state.handles -= 1;
        let is_news = state.handles == 0 || has_place;
        let connection = if is_news { state.connection.take() } else { None };
        drop(state);
        if has_place {
            self.release();
        }
        connection.into_iter().for_each(Waker::wake);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        !state.is_closed && state.taken < state.limit
    }

    #[cfg(feature = "tokio")]
    pub(super) fn is_idle(&self) -> bool {
        self.lock().taken == 0
    }

    /// How many requests there may be at a time.
    #[cfg(feature = "tokio")]
    pub(super) fn limit(&self) -> usize {
        self.lock().limit
    }

    /// Takes a place for one request.
    pub(super) fn poll_place(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut state = self.lock();
        if state.is_closed {
            return Poll::Ready(Err(Error::client(Failure::Closed)));
        }
        if state.taken < state.limit {
            state.taken += 1;
            return Poll::Ready(Ok(()));
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes a place if there is one.
    pub(super) fn try_place(&self) -> bool {
        let mut state = self.lock();
        let has_room = !state.is_closed && state.taken < state.limit;
        state.taken += usize::from(has_room);
        has_room
    }

    /// Hands a request over, for which a place was taken.
    pub(super) fn push(&self, envelope: Envelope<B>) {
        let mut state = self.lock();
        if state.is_closed {
            drop(state);
            return envelope.give_back();
        }
        state.queue.push_back(envelope);
        let connection = state.connection.take();
        drop(state);
        connection.into_iter().for_each(Waker::wake);
    }

    /// The next request; without one, the task is woken with the next, or when the last handle goes.
    pub(super) fn next(&self, cx: &mut Context<'_>) -> Next<B> {
        let mut state = self.lock();
        if let Some(envelope) = state.queue.pop_front() {
            return Next::Request(envelope);
        }
        if state.is_closed || state.handles == 0 {
            return Next::Closed;
        }
        state.connection = Some(cx.waker().clone());
        Next::Nothing
    }

    /// Gives a place back. To be called before a response ends, so that whoever read it finds the place.
    pub(super) fn release(self: &Arc<Self>) {
        let mut state = self.lock();
        state.taken -= 1;
        let waiting = std::mem::take(&mut state.waiting);
        let is_closed = state.is_closed;
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        if let Some(on_room) = self.on_room.get().filter(|_| !is_closed) {
            on_room(SendRequest::new(self.clone()));
        }
    }

    /// Lets nothing through any more; what is queued is given back.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let queue = std::mem::take(&mut state.queue);
        let waiting = std::mem::take(&mut state.waiting);
        let connection = state.connection.take();
        drop(state);
        connection.into_iter().for_each(Waker::wake);
        queue.into_iter().for_each(Envelope::give_back);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
