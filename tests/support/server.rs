use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::task::coop::unconstrained;
use tower_fastcgi::server::{Builder, Connection, ExchangeExec, HttpService};
use tower_fastcgi::{Error, Result};

use super::app::{App, Late};
use super::client::Client;
use super::pipe::{Pipe, pipe};

/// A connection, and the tasks of its exchanges, polled only when the test says so and only when something woke them.
pub struct Server {
    connection: Option<Box<dyn Drive>>,
    outcome: Option<Result<()>>,
    wake: Arc<CountingWake>,
    polls: usize,
    tasks: Tasks,
}

/// Where multiplexed exchanges run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exec {
    InPlace,
    /// On an executor, [`Tasks`], unless their first turn, in place, answers them.
    Spawned,
    /// All of it on that executor: the first turn gets nowhere, for the service is [`Late`].
    Late,
}

impl Exec {
    pub const ALL: [Self; 3] = [Self::InPlace, Self::Spawned, Self::Late];
}

/// The defaults, but without a Date header, which would make responses differ from second to second.
pub fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.auto_date_header(false);
    builder
}

pub fn serve(app: App) -> (Server, Client) {
    serve_with(&builder(), Exec::InPlace, app)
}

pub fn serve_with<S>(builder: &Builder, exec: Exec, service: S) -> (Server, Client)
where
    S: HttpService<Future: Send, ResBody: Send> + Send + 'static,
{
    let tasks = Tasks::default();
    let spawning = builder.clone().executor(tasks.clone());
    match exec {
        Exec::InPlace => Server::new(builder, tasks, service),
        Exec::Spawned => Server::new(&spawning, tasks, service),
        Exec::Late => Server::new(&spawning, tasks, Late::new(service)),
    }
}

impl Server {
    pub fn new<S, E>(builder: &Builder<E>, tasks: Tasks, service: S) -> (Self, Client)
    where
        S: HttpService + 'static,
        E: ExchangeExec<S> + Clone + 'static,
    {
        let (io, client) = pipe();
        let connection = builder.serve_connection(io, service);
        let server = Self {
            connection: Some(Box::new(connection)),
            outcome: None,
            wake: Arc::new(CountingWake::woken()),
            polls: 0,
            tasks,
        };
        (server, Client::new(client))
    }

    /// Polls whatever was woken until nothing is.
    ///
    /// # Panics
    ///
    /// If that takes more polls than any test needs: then something wakes itself for ever.
    pub fn run(&mut self) {
        self.run_within(20_000);
    }

    pub fn run_within(&mut self, polls: usize) {
        let limit = self.polls + polls;
        while self.poll_connection() | self.tasks.poll_woken() {
            assert!(self.polls <= limit, "still woken after {polls} polls");
        }
    }

    /// One poll of the connection, if it was woken.
    pub fn poll_connection(&mut self) -> bool {
        let is_woken = self.is_woken();
        if is_woken {
            self.poll_unasked();
        }
        is_woken
    }

    /// One poll of the connection, woken or not.
    pub fn poll_unasked(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        self.wake.woken.store(false, Ordering::SeqCst);
        self.polls += 1;
        let waker = Waker::from(self.wake.clone());
        let poll = poll_unconstrained(&waker, |cx| connection.poll(cx));
        if let Poll::Ready(outcome) = poll {
            self.outcome = Some(outcome);
            self.connection = None;
        }
    }

    /// Lets the paused clock run, in steps short enough that whatever a timer starts may have timers of its own.
    pub async fn advance(&mut self, duration: Duration) {
        let mut remaining = duration;
        while !remaining.is_zero() {
            let step = remaining.min(Duration::from_millis(50));
            tokio::time::advance(step).await;
            self.run();
            remaining -= step;
        }
    }

    pub fn is_woken(&self) -> bool {
        self.connection.is_some() && self.wake.woken.load(Ordering::SeqCst)
    }

    pub fn polls(&self) -> usize {
        self.polls
    }

    /// How often the connection's waker was used.
    pub fn wakes(&self) -> usize {
        self.wake.count.load(Ordering::SeqCst)
    }

    pub fn is_running(&self) -> bool {
        self.connection.is_some()
    }

    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub fn graceful_shutdown(&mut self) {
        let connection = self.connection.as_mut().expect("the connection is alive");
        connection.graceful_shutdown();
        // Whoever holds the connection polls it after a call to it.
        self.wake.woken.store(true, Ordering::SeqCst);
    }

    pub fn drop_connection(&mut self) {
        self.connection = None;
    }

    /// # Panics
    ///
    /// If the connection has not ended.
    pub fn outcome(&self) -> &Result<()> {
        self.outcome.as_ref().expect("the connection has ended")
    }

    pub fn error(&self) -> &Error {
        self.outcome().as_ref().expect_err("the connection failed")
    }

    pub fn assert_ended_well(&self) {
        assert!(self.outcome().is_ok(), "{:?}", self.outcome());
    }
}

/// An executor whose tasks run when the test says so, each with a waker of its own.
#[derive(Clone, Default)]
pub struct Tasks(Arc<Mutex<Vec<Arc<Task>>>>);

type TaskFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Task {
    future: Mutex<TaskFuture>,
    wake: Arc<CountingWake>,
}

impl Tasks {
    pub fn live(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Drops the tasks unfinished, as a runtime does that shuts down.
    pub fn clear(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        drop(tasks);
    }

    /// Polls each task that was woken once; whether there was one.
    pub fn poll_woken(&self) -> bool {
        self.poll_those(|task| task.wake.take())
    }

    /// Polls each task once, woken or not.
    pub fn poll_unasked(&self) {
        self.poll_those(|_| true);
    }

    fn poll_those(&self, chosen: impl Fn(&Task) -> bool) -> bool {
        let tasks: Vec<Arc<Task>> =
            self.0.lock().unwrap().iter().filter(|task| chosen(task)).cloned().collect();
        for task in &tasks {
            let waker = Waker::from(task.wake.clone());
            let poll =
                poll_unconstrained(&waker, |cx| task.future.lock().unwrap().as_mut().poll(cx));
            if poll.is_ready() {
                self.0.lock().unwrap().retain(|live| !Arc::ptr_eq(live, task));
            }
        }
        !tasks.is_empty()
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let task =
            Task { future: Mutex::new(Box::pin(future)), wake: Arc::new(CountingWake::woken()) };
        self.0.lock().unwrap().push(Arc::new(task));
    }
}

trait Drive {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;
    fn graceful_shutdown(&mut self);
}

impl<S: HttpService, E: ExchangeExec<S> + Clone> Drive for Connection<Pipe, S, E> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Future::poll(Pin::new(self), cx)
    }

    fn graceful_shutdown(&mut self) {
        Connection::graceful_shutdown(Pin::new(self));
    }
}

#[derive(Debug)]
pub struct CountingWake {
    woken: AtomicBool,
    count: AtomicUsize,
}

impl CountingWake {
    pub fn woken() -> Self {
        Self { woken: AtomicBool::new(true), count: AtomicUsize::new(0) }
    }

    pub fn asleep() -> Self {
        Self { woken: AtomicBool::new(false), count: AtomicUsize::new(0) }
    }

    pub fn take(&self) -> bool {
        self.woken.swap(false, Ordering::SeqCst)
    }

    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Wake for CountingWake {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls outside of tokio's cooperative budget, which only a task that yields gets back.
fn poll_unconstrained<T>(waker: &Waker, poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    pin!(unconstrained(poll_fn(poll))).poll(&mut Context::from_waker(waker))
}
