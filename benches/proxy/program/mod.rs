//! Programs that end with the benchmark.

pub(crate) mod guard;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A running program, ended by its own pid when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command` with its output going to a new file.
    pub(crate) fn spawn(command: &mut Command, log: PathBuf) -> io::Result<Self> {
        let output = File::create(&log)?;
        let child = command.stdout(output.try_clone()?).stderr(output).spawn()?;
        Ok(Self { child, log })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// How it ended, if it does within `bound`.
    pub(crate) fn exits_within(&mut self, bound: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + bound;
        loop {
            let status = self.exited()?;
            if status.is_some() || Instant::now() > deadline {
                return Ok(status);
            }
            sleep(POLL);
        }
    }

    /// What it wrote.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_else(|error| error.to_string())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !matches!(self.exited(), Ok(None)) {
            return;
        }
        // The child has not been waited for, so the pid is still its own.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        if !matches!(self.exits_within(GRACE), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);
