use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::record::{DecodeError, ProtocolStatus, RecordType, RequestId};

mod client;

pub(crate) use self::client::Failure;
#[cfg(feature = "client")]
pub(crate) use self::client::{BadHead, Timeout as ClientTimeout, Unsendable};

/// The result of an operation that fails with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// What went wrong on a connection or with a body.
///
/// Its `Display` tells its own level only; the cause, if there is one, is its [`source`](StdError::source).
pub struct Error {
    inner: Box<ErrorImpl>,
}

struct ErrorImpl {
    kind: Kind,
    cause: Option<BoxError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The bytes are no records.
    Decode(DecodeError),
    /// Records that must not come, or not now.
    Protocol(Protocol),
    /// The request body is shorter than CONTENT_LENGTH said, or the connection ended within a request.
    Incomplete,
    /// FCGI_ABORT_REQUEST.
    Aborted,
    /// A body was not read for so long that its siblings had to be freed of it.
    Stalled,
    Timeout(Timeout),
    /// The connection ended while handlers ran.
    Canceled,
    Io,
    /// The service's response body.
    UserBody,
    #[cfg_attr(not(feature = "client"), allow(dead_code))]
    Client(Failure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Tls,
    ProxyHeader,
    NullRequestId,
    DuplicateBegin(RequestId),
    StreamBeforeParamsEnd(RecordType, RequestId),
    UnexpectedRecord(RecordType),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeout {
    Params,
    Write,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { inner: Box::new(ErrorImpl { kind, cause: None }) }
    }

    pub(crate) fn with(mut self, cause: impl Into<BoxError>) -> Self {
        self.inner.cause = Some(cause.into());
        self
    }

    pub(crate) fn new_io(cause: io::Error) -> Self {
        Self::new(Kind::Io).with(cause)
    }

    pub(crate) fn protocol(protocol: Protocol) -> Self {
        Self::new(Kind::Protocol(protocol))
    }

    #[cfg(feature = "client")]
    pub(crate) fn client(failure: Failure) -> Self {
        Self::new(Kind::Client(failure))
    }

    /// What the error says, for another one of the same meaning. It has no cause.
    #[cfg(feature = "client")]
    pub(crate) fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// Whether the peer did not speak FastCGI, or broke its rules or those of CGI.
    pub fn is_protocol(&self) -> bool {
        matches!(self.inner.kind, Kind::Decode(_) | Kind::Protocol(_))
            || self.is(Failure::is_protocol)
    }

    /// Whether the connection ended within a request or a response, or a body before the length that was announced.
    pub fn is_incomplete(&self) -> bool {
        matches!(self.inner.kind, Kind::Incomplete) || self.is(Failure::is_incomplete)
    }

    /// Whether the web server aborted the request with FCGI_ABORT_REQUEST.
    pub fn is_aborted(&self) -> bool {
        matches!(self.inner.kind, Kind::Aborted)
    }

    /// Whether a body was given up because nobody read it while other requests of the connection, or a Filter's own data, waited behind
    /// it.
    pub fn is_stalled(&self) -> bool {
        matches!(self.inner.kind, Kind::Stalled)
    }

    /// Whether the peer took longer than an option of the builder allows.
    pub fn is_timeout(&self) -> bool {
        matches!(self.inner.kind, Kind::Timeout(_)) || self.is(Failure::is_timeout)
    }

    /// Whether the connection ended, or was dropped, while requests on it were being served; or, from a client, that its connection
    /// was not ready for the request.
    pub fn is_canceled(&self) -> bool {
        matches!(self.inner.kind, Kind::Canceled) || self.is(Failure::is_canceled)
    }

    /// Whether reading from or writing to the transport failed; the source is the [`io::Error`].
    pub fn is_io(&self) -> bool {
        matches!(self.inner.kind, Kind::Io)
    }

    /// Whether what this program itself provides is at fault.
    ///
    /// For a server this is the service's response body, which failed after the head was sent; the source is its error. For a
    /// client it is the request: its body, or what makes that it cannot be sent.
    pub fn is_user(&self) -> bool {
        matches!(self.inner.kind, Kind::UserBody) || self.is(Failure::is_user)
    }

    /// Whether a client met something beyond a limit: with [`is_user`](Self::is_user) the request's params, or a body that was
    /// to be buffered; else the head of the response.
    pub fn is_too_large(&self) -> bool {
        self.is(Failure::is_too_large)
    }

    /// Whether a client could not connect to the application; the source is the [`io::Error`].
    pub fn is_connect(&self) -> bool {
        self.is(Failure::is_connect)
    }

    /// Whether a client's connection was closed before anything of the request was sent, so that it may be sent again.
    pub fn is_closed(&self) -> bool {
        self.is(Failure::is_closed)
    }

    /// Whether a client did not send a request because its body's length is not known, and the application must know it first.
    pub fn is_length_required(&self) -> bool {
        self.is(Failure::is_length_required)
    }

    /// Whether all connections that a client may have were busy for too long.
    #[cfg(feature = "gateway")]
    pub(crate) fn is_busy(&self) -> bool {
        self.is(Failure::is_busy)
    }

    #[cfg(feature = "gateway")]
    pub(crate) fn is_body_too_large(&self) -> bool {
        self.is(Failure::is_body_too_large)
    }

    /// How the application ended a client's request instead of answering it: FCGI_OVERLOADED, FCGI_CANT_MPX_CONN,
    /// FCGI_UNKNOWN_ROLE.
    pub fn refusal(&self) -> Option<ProtocolStatus> {
        if let Kind::Client(failure) = self.inner.kind { failure.refusal() } else { None }
    }

    fn is(&self, question: fn(Failure) -> bool) -> bool {
        if let Kind::Client(failure) = self.inner.kind { question(failure) } else { false }
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::new(Kind::Decode(error))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("tower_fastcgi::Error");
        debug.field(&self.inner.kind);
        if let Some(cause) = &self.inner.cause {
            debug.field(cause);
        }
        debug.finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.inner.kind {
            Kind::Decode(error) => return error.fmt(f),
            Kind::Protocol(protocol) => return protocol.fmt(f),
            Kind::Incomplete => "connection or body ended before the request was complete",
            Kind::Aborted => "request aborted by the web server",
            Kind::Stalled => "body not read while others waited behind it",
            Kind::Timeout(Timeout::Params) => "the request's params took too long to arrive",
            Kind::Timeout(Timeout::Write) => "the web server took too long to read the response",
            Kind::Canceled => "connection ended while requests were being served",
            Kind::Io => "connection error",
            Kind::UserBody => "error from the service's response body",
            Kind::Client(failure) => return failure.fmt(f),
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => f.write_str(
                "HTTP arrived on a FastCGI port: use the web server's FastCGI module instead of its HTTP proxy \
                 (nginx: fastcgi_pass, not proxy_pass; Caddy: transport fastcgi)",
            ),
            Self::Tls => f.write_str(
                "TLS arrived on a FastCGI port: FastCGI runs in the clear, behind a web server that ends TLS \
                 (nginx: fastcgi_pass, not proxy_pass; Caddy: transport fastcgi)",
            ),
            Self::ProxyHeader => f.write_str(
                "the PROXY protocol arrived on a FastCGI port: FastCGI has the client's address in REMOTE_ADDR \
                 (HAProxy: no send-proxy)",
            ),
            Self::NullRequestId => f.write_str("a record of a request has request id 0"),
            Self::DuplicateBegin(id) => {
                write!(f, "FCGI_BEGIN_REQUEST for request id {id}, which is being served")
            }
            Self::StreamBeforeParamsEnd(stream, id) => {
                write!(f, "{stream} for request id {id} before the end of its FCGI_PARAMS")
            }
            Self::UnexpectedRecord(record_type) => {
                write!(f, "{record_type} came from the web server; only applications send it")
            }
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.cause.as_ref().map(|cause| &**cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_pointer_wide_and_crosses_threads() {
        fn assert_send_sync<T: Send + Sync + 'static>() {}
        assert_send_sync::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn the_cause_is_the_source_and_not_in_the_text() {
        let error = Error::new_io(io::ErrorKind::BrokenPipe.into());
        assert!(error.is_io());
        assert_eq!(error.to_string(), "connection error");
        assert_eq!(error.source().unwrap().to_string(), "broken pipe");
    }
}
