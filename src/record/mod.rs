//! The FastCGI 1.0 wire format: records, their bodies and name-value pairs.
//!
//! Pure code: no IO, no clock, no state beyond the bytes handed in. The server is built on it, and other FastCGI tools may be.
//!
//! # Examples
//!
//! ```
//! use tower_fastcgi::record::{Decoder, RecordType, RequestId, put_stream};
//!
//! let mut wire = Vec::new();
//! put_stream(&mut wire, RecordType::Stdout, RequestId::new(1).unwrap(), b"hello");
//!
//! let mut input = &wire[..];
//! let mut decoder = Decoder::new();
//! let fragment = decoder.decode(&mut input)?.unwrap();
//! assert_eq!(fragment.header.record_type, RecordType::Stdout);
//! assert_eq!(fragment.content, b"hello");
//! # Ok::<(), tower_fastcgi::record::DecodeError>(())
//! ```

mod bodies;
pub(crate) mod bounded;
mod decode;
mod encode;
mod header;
mod pairs;

pub use self::bodies::{BeginRequest, EndRequest, ProtocolStatus, Role, UnknownType};
pub use self::decode::{DecodeError, Decoder, Fragment};
pub use self::encode::{
    MAX_STREAM_CONTENT, put_end_request, put_record, put_stream, put_stream_end, stream_header,
};
pub use self::header::{Header, RecordType, RequestId, VERSION};
pub use self::pairs::{PairError, Pairs, put_pair};

/// The variables a web server may ask for with FCGI_GET_VALUES (section 4.1).
pub mod values {
    /// How many transport connections the application accepts at a time.
    pub const MAX_CONNS: &str = "FCGI_MAX_CONNS";
    /// How many requests the application accepts at a time.
    pub const MAX_REQS: &str = "FCGI_MAX_REQS";
    /// `0` when a connection carries one request at a time, `1` when it multiplexes.
    pub const MPXS_CONNS: &str = "FCGI_MPXS_CONNS";
}
