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
    is_silent: bool,
}

/// Exit statuses, with curl's meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Findings = 1,
    Usage = 2,
    BadUrl = 3,
    Resolve = 6,
    Connect = 7,
    Foreign = 8,
    Refused = 9,
    Partial = 18,
    Status = 22,
    Write = 23,
    Read = 26,
    Timeout = 28,
    Empty = 52,
    Receive = 56,
}

impl Exit {
    /// All of them and what they mean, as the manual has it.
    pub(crate) const ALL: [(u8, &str); 15] = [
        (0, "Success."),
        (
            Self::Findings as u8,
            "check: the application departs from what it must do. bench: not every response was right.",
        ),
        (Self::Usage as u8, "Wrong usage, or the request cannot be expressed in FastCGI."),
        (Self::BadUrl as u8, "ADDRESS or TARGET is malformed."),
        (Self::Resolve as u8, "The host of ADDRESS is not known."),
        (Self::Connect as u8, "Cannot connect, or cannot listen."),
        (Self::Foreign as u8, "What came back is not FastCGI, or no CGI response."),
        (
            Self::Refused as u8,
            "The application refused the request: FCGI_OVERLOADED, FCGI_UNKNOWN_ROLE, FCGI_CANT_MPX_CONN.",
        ),
        (Self::Partial as u8, "The response ended before it was complete."),
        (Self::Status as u8, "With --fail: the status is 400 or above."),
        (Self::Write as u8, "Output cannot be written. Nothing is said when its reader has gone."),
        (Self::Read as u8, "A file to be sent, or standard input, cannot be read."),
        (Self::Timeout as u8, "Time is up (--max-time, --connect-timeout)."),
        (Self::Empty as u8, "The application closed the connection without an answer."),
        (
            Self::Receive as u8,
            "The connection failed while the request was sent or the response received.",
        ),
    ];
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), advice: None, is_silent: false }
    }

    /// Says what to do next.
    pub(crate) fn advise(mut self, advice: impl fmt::Display) -> Self {
        self.advice = Some(advice.to_string());
        self
    }

    /// Standard output, or what else `name` says, cannot be written. When its reader has gone, as `head` does, nobody wants to hear
    /// of it.
    pub(crate) fn output(name: impl fmt::Display, error: &io::Error) -> Self {
        let failure = Self::new(Exit::Write, format_args!("cannot write to {name}: {error}"));
        match error.kind() {
            io::ErrorKind::BrokenPipe => failure.silenced(),
            io::ErrorKind::StorageFull => failure.advise("make room on the disk"),
            io::ErrorKind::NotFound => failure.advise("does the folder exist?"),
            _ => failure,
        }
    }

    /// What was to be found out is told already, and it is nothing good.
    pub(crate) fn findings() -> Self {
        Self::new(Exit::Findings, "").silenced()
    }

    /// Only the exit status tells.
    pub(crate) fn silenced(mut self) -> Self {
        self.is_silent = true;
        self
    }

    pub(crate) fn exit(&self) -> u8 {
        self.exit as u8
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// Tells what happened on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.is_silent {
            terminal::error(&self.message, self.advice.as_deref());
        }
        ExitCode::from(self.exit())
    }
}
