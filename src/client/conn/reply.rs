use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use http::{Request, Response};

use super::send_request::TrySendError;
use crate::body::Incoming;
use crate::error::{Error, Failure};
use crate::waker;

/// A response whose body does not yet cancel anything, or the request that nothing was done with.
pub(super) type Outcome<B> = Result<Response<Incoming>, TrySendError<Request<B>>>;

/// The connection's end: gives the outcome, and a failure if it is dropped without one.
pub(super) struct ReplySender<B>(Arc<Mutex<Slot<B>>>);

/// The end of who waits for the response.
pub(super) struct ReplyReceiver<B>(Arc<Mutex<Slot<B>>>);

struct Slot<B> {
    outcome: Option<Outcome<B>>,
    waiter: Option<Waker>,
    is_done: bool,
}

pub(super) fn reply<B>() -> (ReplySender<B>, ReplyReceiver<B>) {
    let slot = Arc::new(Mutex::new(Slot { outcome: None, waiter: None, is_done: false }));
    (ReplySender(slot.clone()), ReplyReceiver(slot))
}

impl<B> ReplySender<B> {
    pub(super) fn send(self, outcome: Outcome<B>) {
        self.give(outcome);
    }

    pub(super) fn fail(self, error: Error) {
        self.give(Err(TrySendError::new(error, None)));
    }

    fn give(&self, outcome: Outcome<B>) {
        let mut slot = lock(&self.0);
        if slot.is_done {
            return;
        }
        slot.is_done = true;
        slot.outcome = Some(outcome);
        let waiter = slot.waiter.take();
        drop(slot);
        waiter.into_iter().for_each(Waker::wake);
    }
}

impl<B> Drop for ReplySender<B> {
    fn drop(&mut self) {
        self.give(Err(TrySendError::new(Error::client(Failure::Incomplete), None)));
    }
}

impl<B> Future for ReplyReceiver<B> {
    type Output = Outcome<B>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<B>> {
        let mut slot = lock(&self.0);
        if let Some(outcome) = slot.outcome.take() {
            return Poll::Ready(outcome);
        }
        waker::keep(&mut slot.waiter, cx);
        Poll::Pending
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
