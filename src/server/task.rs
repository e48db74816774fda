use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::driver::{Driver, Step, contain_drop};
use super::service::HttpService;
use super::stderr::{Entered, Stderr};
use crate::trace::Span;
use crate::waker;

/// One request of a multiplexed connection, or what is left of it, to be run by an executor.
///
/// It resolves when the response has been handed to its connection, and soon after the request was canceled.
#[must_use = "futures do nothing unless polled"]
pub struct ExchangeTask<S: HttpService> {
    driver: Pin<Box<Driver<S>>>,
    mailbox: Arc<Mailbox>,
    span: Option<Span>,
    stderr: Option<Stderr>,
}

impl<S: HttpService> ExchangeTask<S> {
    /// A task, and the connection's end of it. `exchange` is woken with each step of the response.
    pub(super) fn new(
        driver: Pin<Box<Driver<S>>>,
        exchange: Waker,
        span: Option<Span>,
        stderr: Option<Stderr>,
    ) -> (Self, RemoteResponse) {
        let mailbox = Arc::new(Mailbox { state: Mutex::default(), exchange });
        (Self { driver, mailbox: mailbox.clone(), span, stderr }, RemoteResponse { mailbox })
    }
}

impl<S: HttpService> Future for ExchangeTask<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let _entered = this.span.as_ref().map(Span::enter);
        let _current = this.stderr.clone().map(Entered::new);
        for _ in 0..STEPS_PER_POLL {
            if ready!(this.mailbox.poll_room(cx)).is_err() {
                this.driver.as_mut().clear();
                return Poll::Ready(());
            }
            let step = ready!(this.driver.as_mut().poll_step(cx));
            if matches!(step, Step::End | Step::Failed(_)) {
                this.driver.as_mut().clear();
                this.mailbox.push(step);
                return Poll::Ready(());
            }
            this.mailbox.push(step);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: HttpService> Drop for ExchangeTask<S> {
    fn drop(&mut self) {
        self.mailbox.abandon();
    }
}

impl<S: HttpService> fmt::Debug for ExchangeTask<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeTask").finish_non_exhaustive()
    }
}

/// The connection's end of an [`ExchangeTask`]. Dropped, it cancels the task.
pub(super) struct RemoteResponse {
    mailbox: Arc<Mailbox>,
}

impl RemoteResponse {
    /// The next step, or pending: then the exchange is woken with it.
    pub(super) fn poll_step(&self) -> Poll<Step> {
        self.mailbox.pop().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for RemoteResponse {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

/// The steps of a response between the task that makes them and the connection that writes them.
struct Mailbox {
    state: Mutex<State>,
    exchange: Waker,
}

#[derive(Default)]
struct State {
    steps: VecDeque<Step>,
    bytes: usize,
    /// The connection wants no more.
    is_closed: bool,
    /// The last step was handed over.
    is_complete: bool,
    task: Option<Waker>,
}

/// The request was canceled.
struct Closed;

impl Mailbox {
    /// Ready when one more step may be pushed. The task is woken when it is, and when the mailbox is closed.
    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = self.lock();
        if state.is_closed {
            return Poll::Ready(Err(Closed));
        }
        waker::keep(&mut state.task, cx);
        match state.is_full() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn push(&self, step: Step) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        state.is_complete = matches!(step, Step::End | Step::Failed(_));
        state.bytes += step.len();
        state.steps.push_back(step);
        drop(state);
        self.exchange.wake_by_ref();
    }

    fn pop(&self) -> Option<Step> {
        let mut state = self.lock();
        let was_full = state.is_full();
        let step = state.steps.pop_front()?;
        state.bytes -= step.len();
        let task = if was_full && !state.is_full() { state.task.clone() } else { None };
        drop(state);
        task.into_iter().for_each(Waker::wake);
        Some(step)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let unsent = std::mem::take(&mut state.steps);
        let task = if state.is_complete { None } else { state.task.take() };
        drop(state);
        // An error of the service's may be among them.
        contain_drop(|| drop(unsent));
        task.into_iter().for_each(Waker::wake);
    }

    /// The task goes: if that is before its time, the connection must not wait for it.
    fn abandon(&self) {
        if !self.lock().is_complete {
            self.push(Step::Failed("the executor dropped the request".into()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES || self.steps.len() >= MAX_STEPS
    }
}

impl Step {
    fn len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            _ => 0,
        }
    }
}

/// A mailbox takes no further step once it holds so many bytes of the body, about one record,
const MAX_BYTES: usize = 64 * 1024;
/// or so many steps.
const MAX_STEPS: usize = 16;

/// So many steps a poll may take, for an always-ready body must not keep its worker for ever.
const STEPS_PER_POLL: usize = 64;
