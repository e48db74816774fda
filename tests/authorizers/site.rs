//! A web server with Authorizers and what is behind them, in a directory with all that they need.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;
use std::{fs, thread};

use rustix::process::Signal;

use crate::client::{Answer, Request};
use crate::debian::Place;
use crate::process::{POLL, Process, free_address};
use crate::server::{Server, Wiring};
use crate::{BOUND, RUNTIME, app, example, starting};

/// Dropping it ends the server.
pub(crate) struct Site {
    address: SocketAddr,
    process: Process,
    _example: Process,
    killed: Mutex<Process>,
    killed_address: SocketAddr,
    place: Place,
}

impl Site {
    pub(crate) fn start(server: &Server) -> io::Result<Self> {
        starting::start(server.name(), || Self::attempt(*server), Self::is_ready, Self::log)
    }

    fn attempt(server: Server) -> io::Result<Self> {
        let place = Place::new(server.debian())?;
        write_files(place.dir())?;
        let apps = RUNTIME.block_on(app::start())?;
        let (example, example_process) = example::start(&place.dir().join("example.log"))?;
        let (killed, killed_process) = example::start(&place.dir().join("killed.log"))?;
        let (address, dead) = (free_address()?, free_address()?);
        let wiring = Wiring { place: &place, address, apps, example, killed, dead };
        let process = Process::spawn(&mut server.command(&wiring)?, &place.dir().join("log"))?;
        Ok(Self {
            address,
            process,
            _example: example_process,
            killed: Mutex::new(killed_process),
            killed_address: killed,
            place,
        })
    }

    /// The answer, if there is one.
    pub(crate) fn try_ask(&self, request: Request) -> Option<Answer> {
        request.send(self.address, self.place.dir())
    }

    /// The answer to a request whose Authorizer is killed with it in its hands.
    pub(crate) fn ask_while_killing(&self, request: Request) -> Answer {
        let mut authorizer = self.killed.lock().expect("it is killed once");
        // It is there, but takes nothing in.
        authorizer.signal(Signal::STOP);
        thread::scope(|scope| {
            let answer = scope.spawn(|| self.try_ask(request));
            wait_until_asked(self.killed_address);
            authorizer.signal(Signal::KILL);
            answer.join().expect("the client does not panic").expect("an answer")
        })
    }

    /// All that the server wrote.
    pub(crate) fn log(&self) -> String {
        let file = fs::read_to_string(self.place.dir().join("error.log")).unwrap_or_default();
        self.process.log() + &file
    }

    fn is_ready(&mut self) -> Option<bool> {
        if self.process.exited().is_some() {
            return Some(false);
        }
        self.try_ask(Request::clear("/app/allow")).map(|_| true)
    }
}

/// Until something has been sent to that address that nobody has read.
fn wait_until_asked(address: SocketAddr) {
    let port = format!(":{:04X}", address.port());
    let is_asked = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, "01", queues, ..] = fields[..] else { return false };
        local.ends_with(&port) && !queues.ends_with(":00000000")
    };
    let deadline = Instant::now() + BOUND;
    while Instant::now() < deadline {
        let sockets = fs::read_to_string("/proc/net/tcp").expect("Linux tells");
        if sockets.lines().any(is_asked) {
            return;
        }
        thread::sleep(POLL);
    }
    panic!("the web server asks nobody");
}

/// A secret at every path that a probe asks for, for lighttpd lets pass to nothing else, and Apache's passwords.
fn write_files(dir: &Path) -> io::Result<()> {
    for place in ["app", "file", "dead", "closing", "killed", "refusing", "unaware", "private"] {
        let folder = dir.join("www").join(place);
        fs::create_dir_all(&folder)?;
        for name in NAMES {
            fs::write(folder.join(name), SECRET)?;
        }
    }
    let hash = Command::new("openssl").args(["passwd", "-apr1", "wonder"]).output()?;
    fs::write(dir.join("hashes"), format!("alice:{}", String::from_utf8_lossy(&hash.stdout)))
}

/// What the web server must not show without leave.
pub(crate) const SECRET: &str = "the treasure of the cave\n";

const NAMES: [&str; 13] = [
    "allow",
    "variables",
    "deny",
    "teapot",
    "busy",
    "login",
    "success",
    "error",
    "panic",
    "slow",
    "invalid",
    "index.html",
    "user",
];
