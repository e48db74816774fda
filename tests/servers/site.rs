//! A web server with the application behind it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::app::Stage;
use crate::application::{Application, Options};
use crate::client::{Answer, Client, RawClient, Seen};
use crate::process::{POLL, Process, free_address};
use crate::{caddy, nginx};

/// Runs the applications and the probes.
pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("the system gives threads"));

/// Which server, and how it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    Nginx { socket: Socket, keep_conn: bool, request_buffering: bool },
    Caddy { socket: Socket },
}

/// What lies between the server and the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    Tcp,
    Unix,
}

impl Variant {
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for socket in [Socket::Tcp, Socket::Unix] {
            for (keep_conn, request_buffering) in
                [(true, false), (true, true), (false, false), (false, true)]
            {
                all.push(Self::Nginx { socket, keep_conn, request_buffering });
            }
            all.push(Self::Caddy { socket });
        }
        all
    }

    /// Whether the application gets a request body as it comes, and not only when all of it has arrived.
    pub(crate) fn streams_requests(self) -> bool {
        !matches!(self, Self::Nginx { request_buffering: true, .. })
    }

    pub(crate) fn socket(self) -> Socket {
        match self {
            Self::Nginx { socket, .. } | Self::Caddy { socket } => socket,
        }
    }

    /// The command that serves on `address`, configured in `dir`.
    fn command(
        self,
        dir: &Path,
        address: SocketAddr,
        application: &str,
        extra: &str,
    ) -> io::Result<Command> {
        match self {
            Self::Nginx { keep_conn, request_buffering, .. } => {
                nginx::command(dir, address, application, keep_conn, request_buffering, extra)
            }
            Self::Caddy { .. } => caddy::command(dir, address, application),
        }
    }
}

/// The part of a trial's name that tells the server, as in `nginx/unix/keep/unbuffered`.
impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = match self.socket() {
            Socket::Tcp => "tcp",
            Socket::Unix => "unix",
        };
        match self {
            Self::Caddy { .. } => write!(f, "caddy/{socket}"),
            Self::Nginx { keep_conn, request_buffering, .. } => {
                let keep_conn = if *keep_conn { "keep" } else { "close" };
                let buffering = if *request_buffering { "buffered" } else { "unbuffered" };
                write!(f, "nginx/{socket}/{keep_conn}/{buffering}")
            }
        }
    }
}

/// A web server that is ready. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Mutex<Process>,
}

impl Server {
    /// Starts a server, on another port if someone was faster, and waits until a request through it reaches the application
    /// that answers `(path, end of the body)`.
    pub(crate) async fn start(
        variant: Variant,
        dir: &Path,
        application: &str,
        nginx: &str,
        expected: (&str, &str),
    ) -> io::Result<Self> {
        let mut last = String::new();
        for _ in 0..START_ATTEMPTS {
            let address = free_address()?;
            let mut command = variant.command(dir, address, application, nginx)?;
            let mut process = Process::spawn(&mut command, &dir.join("log"))?;
            if is_ready(&mut process, address, expected).await {
                return Ok(Self { address, process: Mutex::new(process) });
            }
            last = process.log_tail();
        }
        Err(io::Error::other(format!("{variant} does not start:\n{last}")))
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().expect("no holder panics")
    }
}

/// A server that is ready, and the application behind it. Dropping it ends the server.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) variant: Variant,
    pub(crate) stage: Stage,
    pub(crate) application: Application,
    server: Server,
    _dir: TempDir,
}

impl Site {
    pub(crate) async fn start(variant: Variant) -> io::Result<Self> {
        Self::start_with(variant, Options::default()).await
    }

    pub(crate) async fn start_with(variant: Variant, options: Options) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("tower-fastcgi-").tempdir()?;
        let stage = Stage::new(dir.path().display());
        let nginx = options.nginx;
        let application =
            Application::start(variant.socket(), dir.path(), stage.clone(), options).await?;
        let expected = ("/identity", stage.identity());
        let server =
            Server::start(variant, dir.path(), &application.address, nginx, expected).await?;
        Ok(Self { variant, stage, application, server, _dir: dir })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    pub(crate) fn is_caddy(&self) -> bool {
        matches!(self.variant, Variant::Caddy { .. })
    }

    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.variant, Variant::Nginx { keep_conn: true, .. })
    }

    /// Whether the application gets a request body only when all of it has arrived.
    pub(crate) fn buffers_requests(&self) -> bool {
        !self.variant.streams_requests()
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address()).await
    }

    pub(crate) async fn connect_raw(&self) -> RawClient {
        RawClient::connect(self.address()).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn fetch(&self, request: Request<Body>) -> Answer {
        self.connect().await.fetch(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.fetch(Request::get(path).body(Body::empty()).expect("a good path")).await
    }

    pub(crate) async fn see(&self, request: Request<Body>) -> Seen {
        self.fetch(request).await.seen()
    }

    /// Sends a request as it is and reads an answer whose length is given.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect_raw().await;
        client.write(request.as_ref()).await;
        client.read_answer().await
    }

    pub(crate) fn log_tail(&self) -> String {
        self.server.process().log_tail()
    }
}

/// Waits until a request through the server reaches this very application: someone else may answer on the port.
async fn is_ready(process: &mut Process, address: SocketAddr, expected: (&str, &str)) -> bool {
    let deadline = Instant::now() + START_BOUND;
    while Instant::now() < deadline && process.exited().is_none() {
        if reaches(address, expected).await {
            return true;
        }
        tokio::time::sleep(POLL).await;
    }
    false
}

async fn reaches(address: SocketAddr, (path, end): (&str, &str)) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    let done = tokio::time::timeout(START_BOUND, exchange).await;
    matches!(done, Ok(Ok(_))) && answer.ends_with(end.as_bytes())
}

/// How long to wait for what must not happen. Too short a wait makes the check weaker, never wrong.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_millis(300);
pub(crate) const START_ATTEMPTS: usize = 5;
pub(crate) const START_BOUND: Duration = Duration::from_secs(20);
