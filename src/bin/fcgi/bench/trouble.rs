use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use tower_fastcgi::Error;
use tower_fastcgi::record::ProtocolStatus;

/// Why a response does not count.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    pub(super) message: String,
}

/// What errors are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Connect,
    Timeout,
    /// The connection ended before the response did.
    Incomplete,
    Io,
    /// What came is against the protocol, or no CGI response.
    Protocol,
    /// FCGI_OVERLOADED and the like.
    Refused,
    Status,
    Body,
    Request,
}

impl Trouble {
    pub(super) fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string() }
    }

    pub(super) fn connect(error: &io::Error) -> Self {
        Self::new(Kind::Connect, error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        Self::new(kind(&error), format_args!("{error}{cause}"))
    }
}

/// Gives a response up that takes too long.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let message = format!("no complete response within {} s", limit.as_secs_f64());
        Err(Trouble::new(Kind::Timeout, message))
    })
}

fn kind(error: &Error) -> Kind {
    if error.refusal().is_some_and(|status| status != ProtocolStatus::RequestComplete) {
        return Kind::Refused;
    }
    if error.is_user() {
        return Kind::Request;
    }
    if error.is_protocol() || error.is_too_large() {
        return Kind::Protocol;
    }
    if error.is_timeout() || error.is_stalled() {
        return Kind::Timeout;
    }
    if error.is_io() { Kind::Io } else { Kind::Incomplete }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Incomplete => "incomplete",
            Self::Io => "io",
            Self::Protocol => "protocol",
            Self::Refused => "refused",
            Self::Status => "status",
            Self::Body => "body",
            Self::Request => "request",
        }
    }
}
