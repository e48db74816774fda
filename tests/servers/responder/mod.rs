//! A FastCGI responder that shares nothing with the library: it writes canned records, and tells what it got.
//!
//! What a probe cannot see with this one behind a web server is the web server's doing.

use std::collections::HashMap;
use std::fs::{Permissions, set_permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use self::canned::answer;
use self::wire::{Output, Reader, Record, Stream};
use crate::stage::Stage;
use crate::variant::Socket;

mod canned;
mod wire;

/// A responder that accepts connections until it is dropped.
#[derive(Debug)]
pub(crate) struct Responder {
    /// In the words of `listener::bind`.
    pub(crate) address: String,
    accepting: JoinHandle<()>,
}

impl Responder {
    pub(crate) async fn start(socket: Socket, dir: &Path, stage: Stage) -> io::Result<Self> {
        let (address, listener) = match socket {
            Socket::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                (listener.local_addr()?.to_string(), Listener::Tcp(listener))
            }
            Socket::Unix => {
                let path = dir.join("app.sock");
                let listener = UnixListener::bind(&path)?;
                // For servers that run as another user.
                set_permissions(&path, Permissions::from_mode(0o666))?;
                (format!("unix:{}", path.display()), Listener::Unix(listener))
            }
        };
        Ok(Self { address, accepting: tokio::spawn(accept(listener, stage)) })
    }

    /// On the socket that is this process's standard input.
    pub(crate) fn on_stdin(stage: Stage) -> io::Result<Self> {
        let listener = Listener::of(io::stdin().as_fd().try_clone_to_owned()?)?;
        let accepting = tokio::spawn(accept(listener, stage));
        Ok(Self { address: "fd:0".to_owned(), accepting })
    }

    /// Serves until then.
    pub(crate) async fn until(self, end: impl Future<Output = ()>) -> io::Result<()> {
        end.await;
        Ok(())
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn of(fd: OwnedFd) -> io::Result<Self> {
        let unix = std::os::unix::net::UnixListener::from(fd);
        unix.set_nonblocking(true)?;
        if unix.local_addr().is_ok() {
            return Ok(Self::Unix(UnixListener::from_std(unix)?));
        }
        let tcp = std::net::TcpListener::from(OwnedFd::from(unix));
        Ok(Self::Tcp(TcpListener::from_std(tcp)?))
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => Ok(Box::new(listener.accept().await?.0)),
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

async fn accept(listener: Listener, stage: Stage) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok(stream) = listener.accept() => {
                connections.spawn(serve(stream, stage.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Until the web server closes the connection. Answers that are under way are then dropped.
async fn serve(stream: Stream, stage: Stage) -> io::Result<()> {
    let (read, write) = tokio::io::split(stream);
    let mut connection = Connection {
        output: Output::new(write),
        stage,
        exchanges: HashMap::new(),
        answers: JoinSet::new(),
    };
    connection.read(Reader(read)).await
}

struct Connection {
    output: Output,
    stage: Stage,
    exchanges: HashMap<u16, Exchange>,
    answers: JoinSet<io::Result<()>>,
}

struct Exchange {
    keep_conn: bool,
    params: Vec<u8>,
    stdin: mpsc::UnboundedSender<Vec<u8>>,
    body: Option<mpsc::UnboundedReceiver<Vec<u8>>>,
}

impl Connection {
    async fn read(&mut self, mut reader: Reader) -> io::Result<()> {
        while let Some(record) = reader.record().await? {
            self.take_in(record).await?;
        }
        Ok(())
    }

    async fn take_in(&mut self, record: Record) -> io::Result<()> {
        match record.kind {
            wire::BEGIN_REQUEST => self.begin(&record),
            wire::PARAMS => self.params(&record),
            wire::STDIN => self.stdin(record),
            wire::GET_VALUES => return self.output.values().await,
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, record: &Record) {
        let (stdin, body) = mpsc::unbounded_channel();
        let keep_conn = record.content[2] & 1 == 1;
        let exchange = Exchange { keep_conn, params: Vec::new(), stdin, body: Some(body) };
        self.exchanges.insert(record.id, exchange);
    }

    /// The answer begins when the params are complete.
    fn params(&mut self, record: &Record) {
        let Some(exchange) = self.exchanges.get_mut(&record.id) else { return };
        exchange.params.extend_from_slice(&record.content);
        if !record.content.is_empty() {
            return;
        }
        let Some(body) = exchange.body.take() else { return };
        let request = canned::Request::new(wire::pairs(&exchange.params), body);
        let output = self.output.of(record.id, exchange.keep_conn);
        self.answers.spawn(answer(request, output, self.stage.clone()));
    }

    /// An answer need not look at the body.
    fn stdin(&mut self, record: Record) {
        if let Some(exchange) = self.exchanges.get(&record.id) {
            let _ = exchange.stdin.send(record.content);
        }
    }
}
