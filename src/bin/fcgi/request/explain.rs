//! What an error means, and what to do about it.

use std::error::Error as _;

use http::StatusCode;
use tower_fastcgi::Error;
use tower_fastcgi::record::ProtocolStatus;

use crate::failure::{Exit, Failure};
use crate::wire::quoted;

/// The failure that an error of the client is. `start` is what came first, `is_answered` whether a head has come.
pub(super) fn explain(error: &Error, start: &[u8], is_answered: bool) -> Failure {
    if let Some(status) = error.refusal() {
        return refused(error, status);
    }
    if error.is_user() {
        return unsendable(error);
    }
    if error.is_protocol() {
        return foreign(error, start);
    }
    if start.is_empty() && !is_answered && (error.is_closed() || error.is_incomplete()) {
        return empty();
    }
    if error.is_incomplete() {
        return Failure::new(Exit::Partial, error)
            .advise("see the application's log: it may have crashed");
    }
    let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
    Failure::new(Exit::Receive, format_args!("{error}{cause}"))
        .advise("see the application's log: it may have crashed, or refuse this client")
}

fn refused(error: &Error, status: ProtocolStatus) -> Failure {
    let advice = match status {
        ProtocolStatus::Overloaded => "try again when the application is less busy",
        ProtocolStatus::UnknownRole => "the application does not serve this role: see --role",
        _ => "see the application's log",
    };
    Failure::new(Exit::Refused, error).advise(advice)
}

fn unsendable(error: &Error) -> Failure {
    let failure = Failure::new(Exit::Usage, error);
    match error.is_too_large() {
        true => failure.advise("send fewer or shorter headers and params"),
        false => failure.advise("see what -H says of Content-Length and Host"),
    }
}

fn foreign(error: &Error, start: &[u8]) -> Failure {
    let failure = Failure::new(Exit::Foreign, error);
    match start {
        [b'H', b'T', b'T', b'P', ..] => {
            failure.advise("ask it with curl, or find the port that speaks FastCGI")
        }
        // An alert of TLS (RFC 8446 section 5.1).
        [0x15, 3, ..] => {
            failure.advise("a TLS server answers there; find the port that speaks FastCGI")
        }
        [1, ..] => failure.advise("-v shows what came"),
        _ => failure.advise(format_args!(
            "no FastCGI application is there; it says {}",
            quoted(start, START)
        )),
    }
}

fn empty() -> Failure {
    let message = "the application closed the connection without an answer";
    Failure::new(Exit::Empty, message).advise(
        "see its log: it may have crashed, or let in certain addresses only (php-fpm: listen.allowed_clients, others: \
         FCGI_WEB_SERVER_ADDRS)",
    )
}

pub(super) fn failed_status(status: StatusCode) -> Failure {
    Failure::new(Exit::Status, format_args!("the application answered {status}"))
}

/// What to do when PHP has not found a script.
pub(super) fn script_hint(body: &[u8]) -> Option<&'static str> {
    let is_missing =
        body.starts_with(b"File not found.") || body.starts_with(b"No input file specified.");
    is_missing.then_some(
        "PHP does not find the script: name it with --script-filename /PATH/SCRIPT.php, or its folder with --document-root; both \
         as PHP sees them, and readable for PHP's user",
    )
}

/// So much is shown of what is not FastCGI.
const START: usize = 40;
