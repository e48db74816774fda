use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use crate::waker;

/// Which exchanges were woken, in the order in which they get their turn.
///
/// An exchange stands in it once at most, so its work is proportional to what was woken, and its order is fair. This is the
/// connection's end of it; the lock is for what wakes exchanges and is taken here only when something did.
#[derive(Debug, Default)]
pub(crate) struct ReadyList {
    woken: Arc<Woken>,
    /// What is registered.
    connection: Option<Waker>,
}

/// The end of the exchanges' wakers.
#[derive(Debug, Default)]
pub(crate) struct Woken {
    /// Whether the queue holds anything. Changes under the lock.
    has_any: AtomicBool,
    /// Whether the connection waits to be woken; while it runs it looks at the queue itself.
    is_parked: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<usize>,
    connection: Option<Waker>,
}

impl ReadyList {
    pub(crate) fn woken(&self) -> &Arc<Woken> {
        &self.woken
    }

    pub(crate) fn pop(&self) -> Option<usize> {
        // What is put there meanwhile is seen by `park`.
        if !self.woken.has_any.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = self.woken.lock();
        let index = state.queue.pop_front();
        self.woken.has_any.store(!state.queue.is_empty(), Ordering::Relaxed);
        index
    }

    pub(crate) fn len(&self) -> usize {
        self.woken.lock().queue.len()
    }

    /// Arranges for the task to be woken with the next exchange. `false` if one is ready already.
    pub(crate) fn park(&mut self, cx: &mut Context<'_>) -> bool {
        if waker::keep(&mut self.connection, cx) {
            self.woken.lock().connection.clone_from(&self.connection);
        }
        // Here the one flag is set and then the other read, in `push` the other way round, all in one order: so at least one side
        // sees what the other did, and no exchange is left lying on the list of a connection that sleeps.
        self.woken.is_parked.store(true, Ordering::SeqCst);
        let is_empty = !self.woken.has_any.load(Ordering::SeqCst);
        if !is_empty {
            self.unpark();
        }
        is_empty
    }

    pub(crate) fn unpark(&self) {
        // Whoever sees it late wakes the task once more than needed.
        self.woken.is_parked.store(false, Ordering::Relaxed);
    }
}

impl Woken {
    fn push(&self, index: usize) {
        let mut state = self.lock();
        state.queue.push_back(index);
        self.has_any.store(true, Ordering::SeqCst);
        let connection = match self.is_parked.swap(false, Ordering::SeqCst) {
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
    list: Arc<Woken>,
}

impl SlotWaker {
    pub(crate) fn new(index: usize, list: Arc<Woken>) -> Arc<Self> {
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread;
    use std::time::Duration;

    use super::*;

    struct Alert(Sender<()>);

    impl Wake for Alert {
        fn wake(self: Arc<Self>) {
            self.0.send(()).expect("the connection is there");
        }
    }

    #[test]
    fn a_connection_that_sleeps_is_woken_however_close_the_exchange_was() {
        let mut list = ReadyList::default();
        let listing = SlotWaker::new(7, list.woken().clone());
        let exchange = Waker::from(listing.clone());
        let (alert, alerts) = channel();
        let connection = Waker::from(Arc::new(Alert(alert)));
        let mut cx = Context::from_waker(&connection);
        let (work, works) = channel();
        let waking = thread::spawn(move || works.iter().for_each(|()| exchange.wake_by_ref()));
        for _ in 0..20_000 {
            work.send(()).unwrap();
            let index = loop {
                list.unpark();
                if let Some(index) = list.pop() {
                    break index;
                }
                if list.park(&mut cx) {
                    alerts.recv_timeout(Duration::from_secs(30)).expect("woken");
                }
            };
            assert_eq!(index, 7);
            listing.unlist();
        }
        drop(work);
        waking.join().unwrap();
    }
}
