#![cfg_attr(not(all(feature = "client", feature = "tokio")), allow(dead_code))]

use std::fmt;

use crate::record::{ProtocolStatus, RecordType};

/// What only a client meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Connect,
    /// The connection takes no requests any more, and nothing of this one was sent.
    Closed,
    NotReady,
    Incomplete,
    /// Another status than FCGI_REQUEST_COMPLETE.
    Refused(ProtocolStatus),
    Head(BadHead),
    /// The body is not as long as Content-Length said.
    TooShort,
    TooLong,
    Unsendable(Unsendable),
    LengthRequired,
    BodyTooLarge,
    /// The request's body.
    Body,
    BodyLength,
    Timeout(Timeout),
    UnexpectedRecord(RecordType),
    HttpServer,
}

/// Why a response's head is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHead {
    TooLarge,
    TooManyHeaders,
    /// The empty line comes first, or the response is empty.
    Empty,
    Malformed,
    Status,
    /// 1xx is no final answer.
    Informational(u16),
    ContentLength,
}

/// Why a request cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsendable {
    /// The path has a NUL, or would leave the document root.
    Path,
    /// Content-Length is no number, or not that of the body.
    Length,
    /// Several different Host headers.
    Host,
    /// Some param fits no record.
    LongParam,
    Size,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    Connect,
    /// All connections that there may be were busy.
    Free,
    Send,
    Head,
    Body,
}

impl Failure {
    pub(super) fn is_protocol(self) -> bool {
        matches!(self, Self::Head(_) | Self::TooLong | Self::UnexpectedRecord(_) | Self::HttpServer)
    }

    pub(super) fn is_incomplete(self) -> bool {
        matches!(self, Self::Incomplete | Self::TooShort)
    }

    pub(super) fn is_timeout(self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    #[cfg(feature = "gateway")]
    pub(super) fn is_busy(self) -> bool {
        matches!(self, Self::Timeout(Timeout::Free))
    }

    #[cfg(feature = "gateway")]
    pub(super) fn is_body_too_large(self) -> bool {
        matches!(self, Self::BodyTooLarge)
    }

    pub(super) fn is_canceled(self) -> bool {
        matches!(self, Self::NotReady)
    }

    pub(super) fn is_user(self) -> bool {
        matches!(
            self,
            Self::Unsendable(_)
                | Self::LengthRequired
                | Self::BodyTooLarge
                | Self::Body
                | Self::BodyLength
        )
    }

    pub(super) fn is_too_large(self) -> bool {
        matches!(
            self,
            Self::Head(BadHead::TooLarge | BadHead::TooManyHeaders)
                | Self::Unsendable(Unsendable::LongParam | Unsendable::Size)
                | Self::BodyTooLarge
        )
    }

    pub(super) fn is_connect(self) -> bool {
        matches!(self, Self::Connect)
    }

    pub(super) fn is_closed(self) -> bool {
        matches!(self, Self::Closed)
    }

    pub(super) fn is_length_required(self) -> bool {
        matches!(self, Self::LengthRequired)
    }

    pub(super) fn refusal(self) -> Option<ProtocolStatus> {
        if let Self::Refused(status) = self { Some(status) } else { None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "cannot connect to the application",
            Self::Closed => "the connection was closed before the request was sent",
            Self::NotReady => "the connection was not ready for a request",
            Self::Incomplete => "the application closed the connection before the response was complete",
            Self::Refused(status) => return write!(f, "the application refused the request: {status}"),
            Self::Head(bad) => return bad.fmt(f),
            Self::TooShort => "the response's body is shorter than its Content-Length",
            Self::TooLong => "the response's body is longer than its Content-Length",
            Self::Unsendable(unsendable) => return unsendable.fmt(f),
            Self::LengthRequired => "the length of the request's body is not known beforehand",
            Self::BodyTooLarge => "the request's body is too large to be buffered",
            Self::Body => "error from the request's body",
            Self::BodyLength => "the request's body is not as long as it said",
            Self::Timeout(timeout) => return timeout.fmt(f),
            Self::UnexpectedRecord(record_type) => {
                return write!(f, "{record_type} came from the application; only web servers send it");
            }
            Self::HttpServer => "HTTP came back: the address is that of an HTTP server, not of a FastCGI application",
        })
    }
}

impl fmt::Display for BadHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the response's head is too large",
            Self::TooManyHeaders => "the response has too many headers",
            Self::Empty => "the response has no head",
            Self::Malformed => "the response's head is malformed",
            Self::Status => "the response's Status is no status",
            Self::Informational(status) => {
                return write!(f, "the response has the informational status {status}");
            }
            Self::ContentLength => "the response's Content-Length is no length",
        })
    }
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "the request's path has a NUL or leaves the document root",
            Self::Length => "the request's Content-Length is not the length of its body",
            Self::Host => "the request has several different Host headers",
            Self::LongParam => "a param of the request is longer than a record",
            Self::Size => "the request's params are too large",
        })
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "there was no connection to the application in time",
            Self::Free => "no connection to the application became free in time",
            Self::Send => "the application took too long to read the request",
            Self::Head => "the application took too long to begin its response",
            Self::Body => "the application took too long to go on with its response",
        })
    }
}
