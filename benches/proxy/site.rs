//! A web server with a backend behind it.

use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::app::HELLO;
use crate::family;
use crate::front::{Place, Upstream};
use crate::program::Program;
use crate::row::{Side, Work};
use crate::wrk::{self, Seen};
use crate::{backend, stream};

/// A web server that is ready, and the backend. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Site {
    side: Side,
    address: SocketAddr,
    front: Program,
    backend: Program,
    dir: TempDir,
}

/// What wrk saw, and what the answers cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) seen: Seen,
    pub(crate) backend: Duration,
    pub(crate) front: Duration,
}

impl Site {
    pub(crate) fn start(side: Side) -> io::Result<Self> {
        // When root starts them, nginx and Apache run as someone else.
        let dir = tempfile::Builder::new()
            .prefix("tower-fastcgi-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        let (backend, upstream) = backend::start(side.backend, side.socket, dir.path())?;
        let (address, front) = start_front(side, dir.path(), &upstream)?;
        Ok(Self { side, address, front, backend, dir })
    }

    /// Has wrk ask for `seconds`.
    pub(crate) fn load(&mut self, work: Work, seconds: u64) -> io::Result<Cost> {
        let before = self.cpu_times()?;
        let seen = wrk::run(self.address, work, seconds, self.dir.path())?;
        let after = self.cpu_times()?;
        let [backend, front] = [0, 1].map(|side| after[side].saturating_sub(before[side]));
        Ok(Cost { seen, backend, front })
    }

    /// The backend's and the web server's.
    fn cpu_times(&self) -> io::Result<[Duration; 2]> {
        Ok([family::cpu_time(self.backend.id())?, family::cpu_time(self.front.id())?])
    }

    /// How long it takes until the start of a stream is there.
    pub(crate) fn first_event(&self) -> io::Result<Duration> {
        stream::first_event(self.address)
    }

    /// Adds what the web server and the backend had to say.
    pub(crate) fn explain(&self, error: io::Error) -> io::Error {
        let logs = [self.front.output(), self.backend.output()].concat();
        let lines: Vec<&str> = logs.lines().collect();
        let tail = &lines[lines.len().saturating_sub(20)..];
        io::Error::new(error.kind(), format!("{error}\n{:?}\n{}", self.side, tail.join("\n")))
    }
}

/// Starts the web server, on another port if someone was faster.
fn start_front(side: Side, dir: &Path, upstream: &Upstream) -> io::Result<(SocketAddr, Program)> {
    let mut last = String::new();
    for _ in 0..START_ATTEMPTS {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let place = Place { dir, address, upstream, is_fastcgi: side.backend.is_fastcgi() };
        let mut front = Program::spawn(&mut side.front.command(&place)?, dir.join("front.log"))?;
        if is_ready(&mut front, address)? {
            return Ok((address, front));
        }
        last = front.output();
    }
    Err(io::Error::other(format!("the web server does not start:\n{last}")))
}

/// Waits until an answer of the backend comes through, and from the process that was started.
fn is_ready(front: &mut Program, address: SocketAddr) -> io::Result<bool> {
    let deadline = Instant::now() + START_BOUND;
    while Instant::now() < deadline && front.exited()?.is_none() {
        if fetch(address).is_ok_and(|answer| answer.ends_with(HELLO)) {
            return Ok(front.exited()?.is_none());
        }
        sleep(POLL);
    }
    Ok(false)
}

fn fetch(address: SocketAddr) -> io::Result<String> {
    let mut io = TcpStream::connect(address)?;
    io.set_read_timeout(Some(START_BOUND))?;
    io.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    io.read_to_string(&mut answer)?;
    Ok(answer)
}

const START_ATTEMPTS: usize = 3;
const START_BOUND: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
