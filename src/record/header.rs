use std::fmt;
use std::num::NonZeroU16;

/// The only protocol version there is (FCGI_VERSION_1).
pub const VERSION: u8 = 1;

/// What a record carries: the `type` byte of its header (section 3.3 and section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordType {
    /// FCGI_BEGIN_REQUEST: the web server opens a request.
    BeginRequest,
    /// FCGI_ABORT_REQUEST: the web server gives a request up.
    AbortRequest,
    /// FCGI_END_REQUEST: the application ends a request.
    EndRequest,
    /// FCGI_PARAMS: a stream of name-value pairs.
    Params,
    /// FCGI_STDIN: the request body.
    Stdin,
    /// FCGI_STDOUT: the CGI response.
    Stdout,
    /// FCGI_STDERR: text for the web server's error log.
    Stderr,
    /// FCGI_DATA: the file a Filter works on.
    Data,
    /// FCGI_GET_VALUES: the web server asks for the application's limits.
    GetValues,
    /// FCGI_GET_VALUES_RESULT: the answer to it.
    GetValuesResult,
    /// FCGI_UNKNOWN_TYPE: the answer to a management record of unknown type.
    UnknownType,
    /// A type the specification does not name.
    Other(u8),
}

impl RecordType {
    /// Whether the records of this type form a stream that an empty record ends (section 3.3).
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Params | Self::Stdin | Self::Stdout | Self::Stderr | Self::Data)
    }
}

impl From<u8> for RecordType {
    #[inline]
    fn from(byte: u8) -> Self {
        match byte {
            1 => Self::BeginRequest,
            2 => Self::AbortRequest,
            3 => Self::EndRequest,
            4 => Self::Params,
            5 => Self::Stdin,
            6 => Self::Stdout,
            7 => Self::Stderr,
            8 => Self::Data,
            9 => Self::GetValues,
            10 => Self::GetValuesResult,
            11 => Self::UnknownType,
            other => Self::Other(other),
        }
    }
}

impl From<RecordType> for u8 {
    fn from(record_type: RecordType) -> Self {
        match record_type {
            RecordType::BeginRequest => 1,
            RecordType::AbortRequest => 2,
            RecordType::EndRequest => 3,
            RecordType::Params => 4,
            RecordType::Stdin => 5,
            RecordType::Stdout => 6,
            RecordType::Stderr => 7,
            RecordType::Data => 8,
            RecordType::GetValues => 9,
            RecordType::GetValuesResult => 10,
            RecordType::UnknownType => 11,
            RecordType::Other(byte) => byte,
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeginRequest => "FCGI_BEGIN_REQUEST",
            Self::AbortRequest => "FCGI_ABORT_REQUEST",
            Self::EndRequest => "FCGI_END_REQUEST",
            Self::Params => "FCGI_PARAMS",
            Self::Stdin => "FCGI_STDIN",
            Self::Stdout => "FCGI_STDOUT",
            Self::Stderr => "FCGI_STDERR",
            Self::Data => "FCGI_DATA",
            Self::GetValues => "FCGI_GET_VALUES",
            Self::GetValuesResult => "FCGI_GET_VALUES_RESULT",
            Self::UnknownType => "FCGI_UNKNOWN_TYPE",
            Self::Other(byte) => return write!(f, "record type {byte}"),
        })
    }
}

/// The id of one request on a connection: 1 to 65535. Id 0 is the connection's own (management records).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(NonZeroU16);

impl RequestId {
    /// The id, unless it is 0.
    pub fn new(id: u16) -> Option<Self> {
        NonZeroU16::new(id).map(Self)
    }

    /// The id as it stands on the wire.
    pub fn value(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The eight bytes before each record's content (section 3.3). The version is not kept: it is always [`VERSION`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the record carries.
    pub record_type: RecordType,
    /// The request the record belongs to, or none (id 0) for a management record.
    pub request_id: Option<RequestId>,
    /// How many bytes of content follow.
    pub content_length: u16,
    /// How many bytes to skip after the content.
    pub padding_length: u8,
}

impl Header {
    /// The size of a header in bytes.
    pub const LEN: usize = 8;

    /// The header as it stands on the wire.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [id1, id0] = self.request_id.map_or(0, RequestId::value).to_be_bytes();
        let [len1, len0] = self.content_length.to_be_bytes();
        [VERSION, self.record_type.into(), id1, id0, len1, len0, self.padding_length, 0]
    }

    /// Reads a header; `None` when its first byte is not [`VERSION`]. The reserved byte may be anything.
    #[inline]
    pub fn decode(bytes: [u8; Self::LEN]) -> Option<Self> {
        let [version, record_type, id1, id0, len1, len0, padding_length, _reserved] = bytes;
        (version == VERSION).then(|| Self {
            record_type: record_type.into(),
            request_id: RequestId::new(u16::from_be_bytes([id1, id0])),
            content_length: u16::from_be_bytes([len1, len0]),
            padding_length,
        })
    }
}
