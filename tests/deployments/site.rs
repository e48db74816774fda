//! A web server with instances of the application behind it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use crate::client::{self, Answer};
use crate::process::{POLL, Process, free_address};
use crate::public_dir::public_dir;
use crate::software::Software;
use crate::{BOUND, app};

/// Dropping it ends the server and the applications.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) server: Process,
    pub(crate) instances: Vec<Instance>,
    pub(crate) dir: TempDir,
}

/// A process of the application.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
}

impl Instance {
    /// Starts one on a port of its own. Its files are in the directory.
    pub(crate) fn start(dir: &Path, name: &str) -> io::Result<Self> {
        let mut last = Ok(());
        for _ in 0..START_ATTEMPTS {
            let address = free_address()?;
            match start(dir, name, &address.to_string()) {
                Ok(process) => return Ok(Self { address, process }),
                Err(error) => last = Err(error),
            }
        }
        last.and(Err(io::Error::other("no attempt")))
    }
}

/// Starts the application at that address.
pub(crate) fn start(dir: &Path, name: &str, address: &str) -> io::Result<Process> {
    let log = dir.join(format!("{name}.log"));
    // Of an attempt before this one.
    let _ = fs::remove_file(&log);
    let mut process = Process::spawn(app::command(address, name)?.current_dir(dir), &log)?;
    if wait_for(&mut process, |process| process.log().contains("listening")) {
        return Ok(process);
    }
    let log = process.log_tail();
    Err(io::Error::other(format!("the application does not start at {address}:\n{log}")))
}

/// A directory that other users' servers can read.
pub(crate) fn directory() -> io::Result<TempDir> {
    public_dir(&std::env::temp_dir())
}

impl Site {
    /// With one instance on TCP behind it. `configure` says what the configuration is, when the server listens on the first address and the
    /// application on the second.
    pub(crate) fn start(
        software: Software,
        configure: impl Fn(SocketAddr, SocketAddr, &Path) -> String,
        is_ready: impl Fn(SocketAddr) -> bool,
    ) -> io::Result<Self> {
        let dir = directory()?;
        let instances = vec![Instance::start(dir.path(), "one")?];
        let application = instances[0].address;
        let command = |address: SocketAddr, dir: &Path| {
            software.command(dir, address.ip(), &configure(address, application, dir))
        };
        Self::with(dir, instances, command, is_ready)
    }

    /// With these instances. `command` says how the server is started that is to listen at an address.
    pub(crate) fn with(
        dir: TempDir,
        instances: Vec<Instance>,
        command: impl Fn(SocketAddr, &Path) -> io::Result<Command>,
        is_ready: impl Fn(SocketAddr) -> bool,
    ) -> io::Result<Self> {
        let mut last = String::new();
        for _ in 0..START_ATTEMPTS {
            let address = free_address()?;
            let mut command = command(address, dir.path())?;
            let mut server = Process::spawn(&mut command, &dir.path().join("log"))?;
            if wait_for(&mut server, |_| is_ready(address)) {
                return Ok(Self { address, server, instances, dir });
            }
            let errors = fs::read_to_string(dir.path().join("error.log")).unwrap_or_default();
            last = format!("{:?}\n{}{errors}", command.get_program(), server.log_tail());
        }
        Err(io::Error::other(format!("it does not start: {last}")))
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.get_with(target, &[])
    }

    pub(crate) fn get_with(&self, target: &str, headers: &[&str]) -> Answer {
        client::get(self.address, target, headers).expect("the server answers")
    }
}

/// Polls until it holds. False if the process ends before, or in the end.
pub(crate) fn wait_for(process: &mut Process, mut holds: impl FnMut(&mut Process) -> bool) -> bool {
    let deadline = Instant::now() + BOUND;
    while Instant::now() < deadline && process.exited().is_none() {
        if holds(process) {
            return true;
        }
        thread::sleep(POLL);
    }
    false
}

/// Waits until it has ended, and well.
#[track_caller]
pub(crate) fn assert_ends(process: &mut Process) {
    let deadline = Instant::now() + BOUND;
    loop {
        match process.exited() {
            Some(status) => return assert!(status.success(), "{status}\n{}", process.log_tail()),
            None => assert!(Instant::now() < deadline, "something holds the end up"),
        }
        thread::sleep(POLL);
    }
}

const START_ATTEMPTS: usize = 5;
