//! The application as a server of its own: where it listens, with which options, and how it ends.

use std::io;
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tower_fastcgi::Result;
use tower_fastcgi::listener::{AnyListener, TcpOptions, UnixOptions};
use tower_fastcgi::server::{Builder, Observer};

use crate::accepted::{Accepted, Counted};
use crate::app::app;
use crate::stage::Stage;
use crate::variant::Socket;

/// How the application is served.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) builder: Builder,
    pub(crate) shutdown_timeout: Option<Duration>,
    pub(crate) max_connections: Option<usize>,
    /// How long the web server is to wait for an application that says nothing.
    pub(crate) patience: Option<Duration>,
}

/// An application that is being served.
#[derive(Debug)]
pub(crate) struct Application {
    /// In the words of `listener::bind`.
    pub(crate) address: String,
    /// The connections that web servers made.
    pub(crate) accepted: Accepted,
    outcomes: Mutex<UnboundedReceiver<Outcome>>,
    shutdown: Arc<Notify>,
    served: Mutex<JoinHandle<io::Result<()>>>,
}

impl Application {
    /// Serves on a socket of its own.
    pub(crate) async fn start(
        socket: Socket,
        dir: &Path,
        stage: Stage,
        options: Options,
    ) -> io::Result<Self> {
        let address = match socket {
            Socket::Tcp => "127.0.0.1:0".to_owned(),
            Socket::Unix => format!("unix:{}", dir.join("app.sock").display()),
        };
        Self::start_at(&address, stage, options).await
    }

    /// Serves at an address, beside another application that does, if there is one.
    pub(crate) async fn start_at(
        address: &str,
        stage: Stage,
        mut options: Options,
    ) -> io::Result<Self> {
        let listener = Counted::new(bind_beside(address).await?);
        let accepted = listener.accepted();
        let (observer, outcomes) = outcomes();
        options.builder.observer(observer);
        let shutdown = Arc::new(Notify::new());
        let signal = shutdown.clone();
        let mut serve = tower_fastcgi::serve(listener, app(stage))
            .with_builder(options.builder)
            .with_graceful_shutdown(async move { signal.notified().await });
        if let Some(timeout) = options.shutdown_timeout {
            serve = serve.with_shutdown_timeout(timeout);
        }
        if let Some(connections) = options.max_connections {
            serve = serve.with_max_connections(connections);
        }
        let address = serve.local_addr()?.to_string();
        let served = Mutex::new(tokio::spawn(serve.into_future()));
        Ok(Self { address, accepted, outcomes: Mutex::new(outcomes), shutdown, served })
    }

    pub(crate) fn shut_down(&self) {
        self.shutdown.notify_one();
    }

    /// What its future resolved to.
    pub(crate) async fn end(&self) -> io::Result<()> {
        (&mut *self.served.lock().await).await.expect("the accept loop does not panic")
    }

    /// How the next connection ended that does not end well.
    pub(crate) async fn failure(&self) -> Outcome {
        let mut outcomes = self.outcomes.lock().await;
        loop {
            match outcomes.recv().await.expect("the application is being served") {
                Outcome::Fine => {}
                failure => return failure,
            }
        }
    }

    /// How connections ended that have not ended well.
    pub(crate) async fn failures(&self) -> Vec<Outcome> {
        let mut outcomes = self.outcomes.lock().await;
        let ended = iter::from_fn(|| outcomes.try_recv().ok());
        ended.filter(|&outcome| outcome != Outcome::Fine).collect()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.served.get_mut().abort();
    }
}

async fn bind_beside(address: &str) -> io::Result<AnyListener> {
    match address.strip_prefix("unix:") {
        Some(path) => UnixOptions::new(path).mode(0o666).take_over(true).bind().await,
        None => TcpOptions::new(address).reuse_port(true).bind().await,
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Fine,
    /// The web server took too long.
    Timeout,
    /// It closed the connection while handlers ran.
    Canceled,
    /// It closed the connection within a request.
    Incomplete,
    Io,
    /// The body of a response failed.
    User,
    Other,
    /// The application was dropped.
    Dropped,
}

impl Outcome {
    fn of(outcome: Option<&Result<()>>) -> Self {
        match outcome {
            None => Self::Dropped,
            Some(Ok(())) => Self::Fine,
            Some(Err(error)) if error.is_timeout() => Self::Timeout,
            Some(Err(error)) if error.is_canceled() => Self::Canceled,
            Some(Err(error)) if error.is_incomplete() => Self::Incomplete,
            Some(Err(error)) if error.is_io() => Self::Io,
            Some(Err(error)) if error.is_user() => Self::User,
            Some(Err(_)) => Self::Other,
        }
    }
}

struct Outcomes(UnboundedSender<Outcome>);

impl Observer for Outcomes {
    fn connection_closed(&self, outcome: Option<&Result<()>>) {
        // Nobody needs to listen.
        let _ = self.0.send(Outcome::of(outcome));
    }
}

fn outcomes() -> (Outcomes, UnboundedReceiver<Outcome>) {
    let (sender, receiver) = unbounded_channel();
    (Outcomes(sender), receiver)
}
