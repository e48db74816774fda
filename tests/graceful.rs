//! `GracefulShutdown`: connections that somebody else accepted end together.

mod support;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use support::{App, Ask, Client, CountingWake, Latch, Pipe, builder, pipe};
use tower_fastcgi::Result;
use tower_fastcgi::server::{GracefulConnection, GracefulShutdown};

/// A watched connection, polled by hand.
struct Watched {
    connection: GracefulConnection<Pipe, App>,
    client: Client,
    wake: Arc<CountingWake>,
}

impl Watched {
    fn new(graceful: &GracefulShutdown, app: App) -> Self {
        let (io, shared) = pipe();
        let connection = graceful.watch(builder().serve_connection(io, app));
        Self { connection, client: Client::new(shared), wake: Arc::new(CountingWake::woken()) }
    }

    /// Polls for as long as something wakes it.
    fn run(&mut self) -> Poll<Result<()>> {
        while self.wake.take() {
            if let Poll::Ready(outcome) = poll(&mut self.connection, &self.wake) {
                return Poll::Ready(outcome);
            }
        }
        Poll::Pending
    }
}

fn poll<F: Future + Unpin>(future: &mut F, wake: &Arc<CountingWake>) -> Poll<F::Output> {
    let waker = Waker::from(wake.clone());
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

fn parked() -> (Latch, App) {
    let (_requests, latch, app) = App::parked();
    (latch, app)
}

#[test]
fn an_idle_connection_is_woken_and_closes() {
    let graceful = GracefulShutdown::new();
    let mut watched = Watched::new(&graceful, App::hello());
    assert!(watched.run().is_pending());

    let mut shutdown = Box::pin(graceful.shutdown());
    let wake = Arc::new(CountingWake::asleep());
    assert!(poll(&mut shutdown, &wake).is_pending());
    assert!(watched.run().is_pending(), "it drains until the peer closes");
    assert!(watched.client.write_half_is_shut());
    watched.client.close();
    assert!(matches!(watched.run(), Poll::Ready(Ok(()))));
    assert!(wake.take(), "who waits for the last connection is woken");
    assert!(poll(&mut shutdown, &wake).is_ready());
}

#[test]
fn a_live_request_is_answered_first() {
    let graceful = GracefulShutdown::new();
    let (latch, app) = parked();
    let mut watched = Watched::new(&graceful, app);
    watched.client.send(Ask::get("/").keep_conn());
    assert!(watched.run().is_pending());

    let mut shutdown = Box::pin(graceful.shutdown());
    let wake = Arc::new(CountingWake::asleep());
    assert!(poll(&mut shutdown, &wake).is_pending());
    assert!(watched.run().is_pending());
    assert!(!watched.client.write_half_is_shut(), "the request is still live");
    latch.open();
    assert!(watched.run().is_pending());
    assert_eq!(watched.client.response(1).text(), "parked");
    assert!(watched.client.write_half_is_shut());
    watched.client.close();
    assert!(watched.run().is_ready());
    assert!(poll(&mut shutdown, &wake).is_ready());
}

#[test]
fn it_waits_for_every_connection_and_counts_them() {
    let graceful = GracefulShutdown::new();
    let mut first = Watched::new(&graceful, App::hello());
    let second = Watched::new(&graceful, App::hello());
    assert_eq!(graceful.count(), 2);
    let inner = graceful.watch(builder().serve_connection(pipe().0, App::hello())).into_inner();
    assert_eq!(graceful.count(), 2, "a connection that was taken back takes no part");
    drop(inner);

    let mut shutdown = Box::pin(graceful.shutdown());
    let wake = Arc::new(CountingWake::asleep());
    first.client.close();
    assert!(matches!(first.run(), Poll::Ready(Ok(()))));
    assert!(poll(&mut shutdown, &wake).is_pending(), "one is left");
    drop(second);
    assert!(wake.take(), "a dropped connection has ended, too");
    assert!(poll(&mut shutdown, &wake).is_ready());
}

#[test]
fn a_connection_that_is_first_polled_after_the_start_is_told() {
    let graceful = GracefulShutdown::new();
    let mut watched = Watched::new(&graceful, App::hello());
    let mut shutdown = Box::pin(graceful.shutdown());
    assert!(watched.run().is_pending());
    assert!(watched.client.write_half_is_shut());
    watched.client.close();
    assert!(watched.run().is_ready());
    assert!(poll(&mut shutdown, &Arc::new(CountingWake::asleep())).is_ready());
}

#[test]
fn a_connection_that_moved_to_another_task_is_woken_there() {
    let graceful = GracefulShutdown::new();
    let mut watched = Watched::new(&graceful, App::hello());
    assert!(watched.run().is_pending());
    let before = std::mem::replace(&mut watched.wake, Arc::new(CountingWake::woken()));
    assert!(watched.run().is_pending());

    let shutdown = graceful.shutdown();
    assert!(!before.take(), "the task it left stays asleep");
    assert!(watched.wake.take());
    drop(shutdown);
}

#[test]
fn the_connections_are_told_even_if_nobody_waits() {
    let graceful = GracefulShutdown::new();
    let mut watched = Watched::new(&graceful, App::hello());
    assert!(watched.run().is_pending());
    drop(graceful.shutdown());
    assert!(watched.run().is_pending());
    assert!(watched.client.write_half_is_shut());
}
