use std::fmt;

/// What the application is asked to do (section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// FCGI_RESPONDER: answer an HTTP request.
    Responder,
    /// FCGI_AUTHORIZER: decide whether an HTTP request may pass.
    Authorizer,
    /// FCGI_FILTER: answer with a file that the web server sends along, transformed.
    Filter,
}

impl Role {
    /// The role of this number, if the specification names it.
    pub fn new(role: u16) -> Option<Self> {
        match role {
            1 => Some(Self::Responder),
            2 => Some(Self::Authorizer),
            3 => Some(Self::Filter),
            _ => None,
        }
    }

    /// The number that stands on the wire.
    pub fn value(self) -> u16 {
        match self {
            Self::Responder => 1,
            Self::Authorizer => 2,
            Self::Filter => 3,
        }
    }
}

/// The content of FCGI_BEGIN_REQUEST (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeginRequest {
    /// The role's number, which [`Role::new`] may not know.
    pub role: u16,
    /// FCGI_KEEP_CONN: whether the connection stays open after the answer.
    pub keep_conn: bool,
}

impl BeginRequest {
    /// The size of the content in bytes.
    pub const LEN: usize = 8;
    const KEEP_CONN: u8 = 1;

    /// The content as it stands on the wire.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [role1, role0] = self.role.to_be_bytes();
        let flags = if self.keep_conn { Self::KEEP_CONN } else { 0 };
        [role1, role0, flags, 0, 0, 0, 0, 0]
    }

    /// Reads the content; `None` when it is not eight bytes long. Unknown flags are ignored.
    pub fn decode(content: &[u8]) -> Option<Self> {
        let &[role1, role0, flags, _, _, _, _, _] = content else { return None };
        Some(Self {
            role: u16::from_be_bytes([role1, role0]),
            keep_conn: flags & Self::KEEP_CONN != 0,
        })
    }
}

/// How the application ended a request, on the protocol's level (section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolStatus {
    /// FCGI_REQUEST_COMPLETE: the normal end.
    RequestComplete,
    /// FCGI_CANT_MPX_CONN: refused, the connection takes one request at a time.
    CantMpxConn,
    /// FCGI_OVERLOADED: refused, out of some resource. No web server retries; answer HTTP 503 instead.
    Overloaded,
    /// FCGI_UNKNOWN_ROLE: refused, the application does not serve this role.
    UnknownRole,
    /// A status the specification does not name.
    Other(u8),
}

impl From<u8> for ProtocolStatus {
    fn from(byte: u8) -> Self {
        match byte {
            0 => Self::RequestComplete,
            1 => Self::CantMpxConn,
            2 => Self::Overloaded,
            3 => Self::UnknownRole,
            other => Self::Other(other),
        }
    }
}

impl From<ProtocolStatus> for u8 {
    fn from(status: ProtocolStatus) -> Self {
        match status {
            ProtocolStatus::RequestComplete => 0,
            ProtocolStatus::CantMpxConn => 1,
            ProtocolStatus::Overloaded => 2,
            ProtocolStatus::UnknownRole => 3,
            ProtocolStatus::Other(byte) => byte,
        }
    }
}

impl fmt::Display for ProtocolStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestComplete => "FCGI_REQUEST_COMPLETE",
            Self::CantMpxConn => "FCGI_CANT_MPX_CONN",
            Self::Overloaded => "FCGI_OVERLOADED",
            Self::UnknownRole => "FCGI_UNKNOWN_ROLE",
            Self::Other(byte) => return write!(f, "protocol status {byte}"),
        })
    }
}

/// The content of FCGI_END_REQUEST (section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndRequest {
    /// The exit status a CGI program would have had. Every surveyed web server ignores it.
    pub app_status: u32,
    /// How the request ended.
    pub protocol_status: ProtocolStatus,
}

impl EndRequest {
    /// The size of the content in bytes.
    pub const LEN: usize = 8;

    /// The content as it stands on the wire.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [a, b, c, d] = self.app_status.to_be_bytes();
        [a, b, c, d, self.protocol_status.into(), 0, 0, 0]
    }

    /// Reads the content; `None` when it is not eight bytes long.
    pub fn decode(content: &[u8]) -> Option<Self> {
        let &[a, b, c, d, status, _, _, _] = content else { return None };
        Some(Self { app_status: u32::from_be_bytes([a, b, c, d]), protocol_status: status.into() })
    }
}

/// The content of FCGI_UNKNOWN_TYPE (section 4.2): the type that was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownType(pub u8);

impl UnknownType {
    /// The size of the content in bytes.
    pub const LEN: usize = 8;

    /// The content as it stands on the wire.
    pub fn encode(&self) -> [u8; Self::LEN] {
        [self.0, 0, 0, 0, 0, 0, 0, 0]
    }

    /// Reads the content; `None` when it is not eight bytes long.
    pub fn decode(content: &[u8]) -> Option<Self> {
        let &[record_type, _, _, _, _, _, _, _] = content else { return None };
        Some(Self(record_type))
    }
}
