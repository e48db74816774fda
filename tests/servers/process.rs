//! Server processes that never outlive the test.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A running server, ended by its own pid when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output going to `log`.
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> io::Result<Self> {
        let output = std::fs::File::options().create(true).append(true).open(log)?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| {
                let program = command.get_program().to_string_lossy();
                io::Error::new(
                    error.kind(),
                    format!("{program}: {error}; scripts/test installs it"),
                )
            })?;
        RUNNING.lock().expect("no holder panics").insert(child.id());
        Ok(Self { child, log: log.to_owned() })
    }

    /// Ends what runs, for when nothing will be dropped.
    pub(crate) fn end_all() {
        for &pid in RUNNING.lock().expect("no holder panics").iter() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
    }

    /// How the process ended, if it did.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        let exited = self.child.try_wait().expect("a child can be waited for");
        if exited.is_some() {
            RUNNING.lock().expect("no holder panics").remove(&self.child.id());
        }
        exited
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        assert_eq!(self.exited(), None, "the pid may be another's");
        kill_process(Pid::from_child(&self.child), signal).expect("a child takes signals");
    }

    /// What it wrote.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_else(|error| error.to_string())
    }

    /// What it wrote, as far as a person wants to read it.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn exits_within(&mut self, bound: Duration) -> bool {
        let deadline = Instant::now() + bound;
        while self.exited().is_none() {
            if Instant::now() > deadline {
                return false;
            }
            sleep(POLL);
        }
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exited().is_some() {
            return;
        }
        // The child has not been waited for, so the pid is still its own.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        if !self.exits_within(Duration::from_secs(5)) {
            // With all that it has started.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            self.exits_within(Duration::from_secs(5));
        }
    }
}

/// An address that nobody else uses: HAProxy and Caddy share a port with whoever else is ready to, and each gets a part of the
/// connections.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    static TAKEN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());
    // All of 127.0.0.0/8 is this machine, and no other process has this pid.
    let [_, a, b, c] = std::process::id().to_be_bytes();
    loop {
        let address = TcpListener::bind((Ipv4Addr::new(127, 64 | a, b, c), 0))?.local_addr()?;
        if TAKEN.lock().expect("no holder panics").insert(address) {
            return Ok(address);
        }
    }
}

/// The pids of those that have not been waited for, so that they are nobody else's.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

pub(crate) const POLL: Duration = Duration::from_millis(5);
