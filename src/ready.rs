use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// Which exchanges were woken, in the order in which they get their turn.
///
/// An exchange stands in it once at most, so its work is proportional to what was woken, and its order is fair.
#[derive(Debug, Default)]
pub(crate) struct ReadyList {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<usize>,
    connection: Option<Waker>,
    /// Whether the connection waits to be woken; while it runs it looks at the queue itself.
    is_parked: bool,
}

impl ReadyList {
    pub(crate) fn pop(&self) -> Option<usize> {
        self.lock().queue.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Arranges for the task to be woken with the next exchange. `false` if one is ready already.
    pub(crate) fn park(&self, cx: &mut Context<'_>) -> bool {
        let mut state = self.lock();
        if !state.queue.is_empty() {
            return false;
        }
        if !state.connection.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.connection = Some(cx.waker().clone());
        }
        state.is_parked = true;
        true
    }

    pub(crate) fn unpark(&self) {
        self.lock().is_parked = false;
    }

    fn push(&self, index: usize) {
        let mut state = self.lock();
        state.queue.push_back(index);
        let connection = match std::mem::take(&mut state.is_parked) {
            true => state.connection.clone(),
            false => None,
        };
        drop(state);
        connection.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts one exchange on the list.
#[derive(Debug)]
pub(crate) struct SlotWaker {
    index: usize,
    is_listed: AtomicBool,
    list: Arc<ReadyList>,
}

impl SlotWaker {
    pub(crate) fn new(index: usize, list: Arc<ReadyList>) -> Arc<Self> {
        Arc::new(Self { index, is_listed: AtomicBool::new(false), list })
    }

    /// To be called when the exchange was taken off the list, before it is polled: what wakes it from then on lists it again.
    pub(crate) fn unlist(&self) {
        // Reads as well as writes: what a waker did before it found the flag set must be seen by the poll that follows.
        self.is_listed.swap(false, Ordering::AcqRel);
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_listed.swap(true, Ordering::AcqRel) {
            self.list.push(self.index);
        }
    }
}
