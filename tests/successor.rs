//! One server takes another's place while requests are under way: none is lost.
#![cfg(unix)]

mod web_server;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tower_fastcgi::listener::{AnyListener, UnixOptions, bind};
use tower_fastcgi::serve;

use self::web_server::{WebServer, bounded};

/// A server that ends when told to.
struct Server {
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Answers with `name`, a while after it was asked.
    fn start(listener: AnyListener, name: &'static str) -> Self {
        let handler = async move || {
            tokio::time::sleep(Duration::from_millis(10)).await;
            name
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let server = serve(listener, Router::new().route("/", get(handler)))
            .with_graceful_shutdown(async { stopped.await.unwrap() });
        Self { stop, task: tokio::spawn(server.into_future()) }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        bounded(self.task).await.unwrap().unwrap();
    }
}

/// Clients that connect, ask, and connect again, for as long as this lives.
struct Traffic {
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    refused: usize,
    _clients: JoinSet<()>,
}

enum Outcome {
    Answered(Bytes),
    /// Nobody listens, so that the web server would know that it can ask again.
    Refused,
    /// Connected, but not answered.
    Lost,
}

impl Traffic {
    fn to(path: &Path) -> Self {
        let (sender, outcomes) = mpsc::unbounded_channel();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(ask_on_and_on(path.to_path_buf(), sender.clone()));
        }
        Self { outcomes, refused: 0, _clients: clients }
    }

    /// Takes outcomes until so many requests have been answered by `name`.
    async fn until_answered(&mut self, count: usize, name: &str) {
        let mut left = count;
        while left > 0 {
            match bounded(self.outcomes.recv()).await.expect("the clients go on") {
                Outcome::Answered(by) => left -= usize::from(by == name),
                Outcome::Refused => self.refused += 1,
                Outcome::Lost => panic!("a request is lost"),
            }
        }
    }
}

async fn ask_on_and_on(path: PathBuf, outcomes: mpsc::UnboundedSender<Outcome>) {
    loop {
        let outcome = match UnixStream::connect(&path).await {
            Ok(stream) => ask(stream).await,
            Err(error) if is_refused(&error) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Outcome::Refused
            }
            // It was in the queue of a listener that was closed.
            Err(_) => Outcome::Lost,
        };
        if outcomes.send(outcome).is_err() {
            return;
        }
    }
}

fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// In a task of its own, because a connection that ends early is a panic.
async fn ask(stream: UnixStream) -> Outcome {
    let asked = tokio::spawn(async {
        let mut web_server = WebServer::new(stream);
        web_server.exchange(&Request::get("/").body(Bytes::new()).unwrap()).await
    });
    asked.await.map_or(Outcome::Lost, |response| Outcome::Answered(response.into_body()))
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("app.sock")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_on_the_path_while_the_first_drains() {
    let place = Place::new();
    let address = format!("unix:{}", place.path().display());
    let first = Server::start(bind(&address).await.unwrap(), "first");
    let mut traffic = Traffic::to(&place.path());
    traffic.until_answered(SOME, "first").await;

    let drained = tokio::spawn(first.stop());
    let listener = bounded(async {
        loop {
            match bind(&address).await {
                Ok(listener) => return listener,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}"),
            }
        }
    });
    let _second = Server::start(listener.await, "second");
    traffic.until_answered(SOME, "second").await;
    drained.await.unwrap();
    traffic.until_answered(SOME, "second").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_taken_over_refuses_nobody() {
    let place = Place::new();
    let mut options = UnixOptions::new(place.path());
    options.take_over(true);
    let mut server = Server::start(options.bind().await.unwrap(), "first");
    let mut traffic = Traffic::to(&place.path());
    traffic.until_answered(SOME, "first").await;
    for name in ["second", "third", "fourth"] {
        let successor = Server::start(options.bind().await.unwrap(), name);
        traffic.until_answered(SOME, name).await;
        server.stop().await;
        traffic.until_answered(SOME, name).await;
        server = successor;
    }
    assert_eq!(traffic.refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_processes_share_refuses_nobody() {
    let place = Place::new();
    let socket = std::os::unix::net::UnixListener::bind(place.path()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let share = || UnixListener::from_std(socket.try_clone().unwrap()).unwrap().into();
    let first = Server::start(share(), "first");
    let mut traffic = Traffic::to(&place.path());
    traffic.until_answered(SOME, "first").await;

    let second = Server::start(share(), "second");
    traffic.until_answered(SOME, "first").await;
    traffic.until_answered(SOME, "second").await;
    first.stop().await;
    second.stop().await;
    let _third = Server::start(share(), "third");
    traffic.until_answered(SOME, "third").await;
    assert_eq!(traffic.refused, 0);
}

const CLIENTS: usize = 16;
const SOME: usize = 50;
