//! Server processes, the processors they run on, and what the operating system says they used.

#![allow(dead_code, unused_imports, reason = "each benchmark uses a part")]

pub(crate) mod cores;
mod usage;

use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

pub(crate) use self::cores::Cores;
pub(crate) use self::usage::{forget_peak, peak, resident, settle, this_thread};

/// A server that ends with its standard input, so it cannot outlive whoever started it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// The first line it wrote: where it listens.
    pub(crate) greeting: String,
}

impl Process {
    /// Starts `command` and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or has not written a line within 10 seconds.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let in_context =
            |error: io::Error| io::Error::new(error.kind(), format!("{program}: {error}"));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(in_context)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut process = Self { child, stdin, greeting: String::new() };
        let mut stdout = BufReader::new(stdout.expect("it is piped"));
        process.greeting = first_line(&mut stdout).map_err(in_context)?;
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn ends_within(&mut self, bound: Duration) -> bool {
        let deadline = Instant::now() + bound;
        while !matches!(self.child.try_wait(), Ok(Some(_))) {
            if Instant::now() > deadline {
                return false;
            }
            sleep(Duration::from_millis(1));
        }
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if !self.ends_within(Duration::from_secs(5)) {
            // It has not been waited for, so the pid is still its own.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Makes this process such a server.
pub(crate) fn end_with_stdin() {
    spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
}

fn first_line(stdout: &mut BufReader<std::process::ChildStdout>) -> io::Result<String> {
    let mut readable = [PollFd::new(stdout.get_ref(), PollFlags::IN)];
    let limit = Duration::from_secs(10).try_into().expect("ten seconds fit");
    if poll(&mut readable, Some(&limit))? == 0 {
        return Err(io::Error::other("it does not listen after 10 seconds"));
    }
    let mut line = String::new();
    if stdout.read_line(&mut line)? == 0 {
        return Err(io::Error::other("it ended before it listened"));
    }
    Ok(line.trim_end().to_owned())
}
