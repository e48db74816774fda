use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use hyper::rt::{Read, Write};

use super::connection::Connection;
use super::exec::{ExchangeExec, InPlace};
use super::service::HttpService;
use crate::error::Result;
use crate::waker;

/// Ends many connections together, each after what it is serving.
///
/// For those who accept connections themselves; [`serve`](crate::serve()) does this with `with_graceful_shutdown`. It needs no
/// runtime.
///
/// # Examples
///
/// ```
/// # async fn run<I, S>(io: I, service: S)
/// # where
/// #     I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
/// #     S: tower_fastcgi::server::HttpService<Future: Send, ResBody: Send> + Send + 'static,
/// # {
/// use tower_fastcgi::server::{Builder, GracefulShutdown};
///
/// let graceful = GracefulShutdown::new();
/// let connection = Builder::new().serve_connection(io, service);
/// tokio::spawn(graceful.watch(connection));
/// // Later, having stopped to accept:
/// graceful.shutdown().await;
/// # }
/// ```
#[derive(Default)]
pub struct GracefulShutdown {
    shared: Arc<Shared>,
}

impl GracefulShutdown {
    /// Watches nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a connection take part. The future that is returned is to be polled in its place, and resolves as it does.
    pub fn watch<I, S: HttpService, E>(
        &self,
        connection: Connection<I, S, E>,
    ) -> GracefulConnection<I, S, E> {
        let watched = self.watched();
        GracefulConnection { connection, watched, is_told: false }
    }

    /// What makes a connection of another protocol take part.
    pub(crate) fn watched(&self) -> Watched {
        Watched::new(self.shared.clone())
    }

    /// How many of the watched connections have neither resolved nor been dropped.
    pub fn count(&self) -> usize {
        self.shared.lock().wakers.len()
    }

    /// Calls [`Connection::graceful_shutdown`] on each watched connection, and resolves when all of them have resolved or been
    /// dropped.
    ///
    /// The connections are told at once, when this is called. Dropping the future only gives up the wait.
    pub fn shutdown(self) -> impl Future<Output = ()> + Send {
        self.shared.start();
        let shared = self.shared;
        std::future::poll_fn(move |cx| shared.poll_empty(cx))
    }
}

impl fmt::Debug for GracefulShutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GracefulShutdown").field("connections", &self.count()).finish()
    }
}

/// A connection that takes part in a [`GracefulShutdown`].
///
/// # Cancel safety
///
/// That of [`Connection`].
#[must_use = "futures do nothing unless polled"]
pub struct GracefulConnection<I, S: HttpService, E = InPlace> {
    connection: Connection<I, S, E>,
    watched: Watched,
    is_told: bool,
}

impl<I, S, E> GracefulConnection<I, S, E>
where
    I: Read + Write + Unpin,
    S: HttpService,
    E: ExchangeExec<S>,
{
    /// The connection, which takes no part any more.
    pub fn into_inner(self) -> Connection<I, S, E> {
        self.connection
    }

    /// The connection, and its part, which something else may take.
    #[cfg(feature = "tokio")]
    pub(crate) fn into_parts(self) -> (Connection<I, S, E>, Watched) {
        (self.connection, self.watched)
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn connection(&mut self) -> &mut Connection<I, S, E> {
        &mut self.connection
    }
}

impl<I, S, E> Future for GracefulConnection<I, S, E>
where
    I: Read + Write + Unpin,
    S: HttpService,
    E: ExchangeExec<S>,
{
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.is_told && self.watched.poll_start(cx).is_ready() {
            self.is_told = true;
            Pin::new(&mut self.connection).graceful_shutdown();
        }
        let outcome = ready!(Pin::new(&mut self.connection).poll(cx));
        if !self.connection.is_foreign() {
            self.watched.leave();
        }
        Poll::Ready(outcome)
    }
}

impl<I, S: HttpService, E> fmt::Debug for GracefulConnection<I, S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GracefulConnection").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared {
    is_started: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// One for each connection, by a number that is never used again.
    wakers: HashMap<u64, Option<Waker>>,
    next: u64,
    /// Who waits for the last of them.
    empty: Option<Waker>,
}

impl Shared {
    fn start(&self) {
        self.is_started.store(true, Ordering::Release);
        let wakers: Vec<_> =
            self.lock().wakers.values_mut().filter_map(|waker| waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.wakers.is_empty() {
            return Poll::Ready(());
        }
        state.empty = Some(cx.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's entry.
pub(crate) struct Watched {
    shared: Arc<Shared>,
    number: u64,
    /// What is registered, so that the shared state is only touched when it changes.
    waker: Option<Waker>,
}

impl Watched {
    fn new(shared: Arc<Shared>) -> Self {
        let mut state = shared.lock();
        let number = state.next;
        state.next += 1;
        state.wakers.insert(number, None);
        drop(state);
        Self { shared, number, waker: None }
    }

    /// Ready once the shutdown has started.
    pub(crate) fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if waker::keep(&mut self.waker, cx) {
            self.shared.lock().wakers.insert(self.number, self.waker.clone());
        }
        // Looked at after the waker is in place, else a start in between would be missed.
        match self.shared.is_started.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    pub(crate) fn leave(&mut self) {
        let mut state = self.shared.lock();
        state.wakers.remove(&self.number);
        let empty = if state.wakers.is_empty() { state.empty.take() } else { None };
        drop(state);
        empty.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.leave();
    }
}
