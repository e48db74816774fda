use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::terminal;

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command ends with another exit status than 0, and what its user can do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    advice: Option<String>,
}

/// Exit statuses, with curl's meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The program cannot do its work at all.
    Start = 2,
    /// Output cannot be written.
    Write = 23,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), advice: None }
    }

    /// Says what to do next.
    pub(crate) fn advise(mut self, advice: impl fmt::Display) -> Self {
        self.advice = Some(advice.to_string());
        self
    }

    /// Standard output cannot be written. When its reader has gone, as `head` does, nobody wants to hear of it.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Write, ""),
            _ => Self::new(Exit::Write, format_args!("cannot write to standard output: {error}"))
                .advise("is the disk full?"),
        }
    }

    /// Tells what happened on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            terminal::error(&self.message, self.advice.as_deref());
        }
        ExitCode::from(self.exit as u8)
    }
}
