use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::waker;

use tokio::task::Id;
use tokio::time::{Sleep, sleep};

/// The places for connections, of which there are so many. A connection that is idle gives its place up when it is asked to.
///
/// At the limit one more connection is accepted if another is idle, and the one that has been so for longest is asked to leave:
/// so there may be one connection too many until that one has gone.
pub(super) struct Seats {
    limit: usize,
    row: Arc<Row>,
    taken: HashMap<Id, Arc<Occupancy>>,
}

impl Seats {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), row: Arc::default(), taken: HashMap::new() }
    }

    /// A place for a connection whose task is told by [`taken_by`](Self::taken_by).
    pub(super) fn offer(&self) -> Seat {
        Seat {
            row: self.row.clone(),
            occupancy: Arc::default(),
            waker: None,
            mark: None,
            is_leaving: false,
            patience: Some(Box::pin(sleep(PATIENCE))),
        }
    }

    pub(super) fn taken_by(&mut self, task: Id, occupancy: Arc<Occupancy>) {
        self.taken.insert(task, occupancy);
    }

    pub(super) fn left_by(&mut self, task: Id) {
        self.taken.remove(&task);
    }

    /// Ready when one more connection may be accepted. Wakes when that has become so.
    pub(super) fn poll_free(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.taken.len() < self.limit {
            return Poll::Ready(());
        }
        // Before looking, else whoever becomes idle in between would wake nobody.
        self.row.wait(cx);
        let Some(idle) = self.longest_idle() else { return Poll::Pending };
        if self.taken.len() == self.limit {
            self.row.stop_waiting();
            return Poll::Ready(());
        }
        if !self.is_one_leaving() {
            idle.ask_to_leave();
        }
        Poll::Pending
    }

    /// How many more there would be if all that are idle had left.
    pub(super) fn free_or_idle(&self) -> usize {
        let busy = self.taken.values().filter(|occupancy| !occupancy.is_idle()).count();
        self.limit.saturating_sub(busy)
    }

    fn longest_idle(&self) -> Option<&Occupancy> {
        let idle = self.taken.values().filter(|occupancy| occupancy.is_idle());
        idle.min_by_key(|occupancy| occupancy.idle_since()).map(|occupancy| &**occupancy)
    }

    fn is_one_leaving(&self) -> bool {
        self.taken.values().any(|occupancy| occupancy.is_asked())
    }
}

/// The place of one connection, kept by its task.
pub(super) struct Seat {
    row: Arc<Row>,
    occupancy: Arc<Occupancy>,
    /// What is registered, so that the lock is only taken when it changes.
    waker: Option<Waker>,
    mark: Option<u64>,
    is_leaving: bool,
    /// Runs until the first request has come.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Seat {
    pub(super) fn occupancy(&self) -> Arc<Occupancy> {
        self.occupancy.clone()
    }

    /// To be called before the connection is polled.
    pub(super) fn register(&mut self, cx: &mut Context<'_>) {
        if waker::keep(&mut self.waker, cx) {
            *self.occupancy.task() = self.waker.clone();
        }
    }

    /// To be called after a poll that left the connection pending. Whether it is to leave now.
    ///
    /// `mark` says how much has arrived on it if it is idle, `has_begun` whether a request ever has.
    pub(super) fn must_leave(
        &mut self,
        mark: Option<u64>,
        has_begun: bool,
        cx: &mut Context<'_>,
    ) -> bool {
        if self.is_leaving {
            return false;
        }
        let mark = mark.filter(|_| self.has_had_its_chance(has_begun, cx));
        let has_changed = mark != self.mark;
        if has_changed {
            self.mark = mark;
            self.row.note(&self.occupancy, mark.is_some());
        }
        if !self.occupancy.is_asked() {
            return false;
        }
        self.is_leaving = mark.is_some() && !has_changed;
        if !self.is_leaving {
            self.row.decline(&self.occupancy);
        }
        self.is_leaving
    }

    /// Who has just connected is about to send a request, perhaps when it has got FCGI_GET_VALUES answered.
    fn has_had_its_chance(&mut self, has_begun: bool, cx: &mut Context<'_>) -> bool {
        if has_begun {
            self.patience = None;
        }
        let is_over = match &mut self.patience {
            Some(sleep) => sleep.as_mut().poll(cx).is_ready(),
            None => true,
        };
        if is_over {
            self.patience = None;
        }
        is_over
    }
}

/// What all places share.
#[derive(Default)]
struct Row {
    /// Counts how often a connection became idle: less costly than the time, and as good to tell who did so first.
    last_stamp: AtomicU64,
    is_awaited: AtomicBool,
    acceptor: Mutex<Option<Waker>>,
}

impl Row {
    fn note(&self, occupancy: &Occupancy, is_idle: bool) {
        let stamp = match is_idle {
            true => self.last_stamp.fetch_add(1, Ordering::Relaxed) + 1,
            false => BUSY,
        };
        occupancy.idle_since.store(stamp, Ordering::SeqCst);
        if is_idle {
            self.wake();
        }
    }

    /// The one that was asked has a request by now; another may be asked instead.
    fn decline(&self, occupancy: &Occupancy) {
        occupancy.is_asked.store(false, Ordering::SeqCst);
        self.wake();
    }

    fn wait(&self, cx: &mut Context<'_>) {
        *self.acceptor() = Some(cx.waker().clone());
        self.is_awaited.store(true, Ordering::SeqCst);
    }

    fn stop_waiting(&self) {
        self.is_awaited.store(false, Ordering::SeqCst);
    }

    fn wake(&self) {
        if self.is_awaited.load(Ordering::SeqCst) {
            let acceptor = self.acceptor().take();
            acceptor.into_iter().for_each(Waker::wake);
        }
    }

    fn acceptor(&self) -> MutexGuard<'_, Option<Waker>> {
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a connection and the acceptor tell each other.
#[derive(Default)]
pub(super) struct Occupancy {
    /// [`BUSY`], or the stamp of when it became idle.
    idle_since: AtomicU64,
    is_asked: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Occupancy {
    fn is_idle(&self) -> bool {
        self.idle_since() != BUSY
    }

    fn idle_since(&self) -> u64 {
        self.idle_since.load(Ordering::SeqCst)
    }

    fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::SeqCst)
    }

    fn ask_to_leave(&self) {
        self.is_asked.store(true, Ordering::SeqCst);
        let task = self.task().clone();
        task.into_iter().for_each(Waker::wake);
    }

    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const BUSY: u64 = 0;

/// So long a connection may take to its first request before it counts as idle: web servers connect when they have one, and
/// must not be sent away before it has arrived.
const PATIENCE: Duration = Duration::from_secs(1);
