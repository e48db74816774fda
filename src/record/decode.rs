use std::fmt;

use super::{BeginRequest, EndRequest, Header, RecordType, UnknownType, bounded};

/// Turns bytes into records, wherever the bytes are cut.
///
/// Streams (FCGI_PARAMS, FCGI_STDIN, ...) come in fragments, as far as the bytes at hand go, so a record of 64 KiB is never
/// gathered. All other records come whole. The decoder holds at most one header and the content of one FCGI_GET_VALUES or
/// FCGI_GET_VALUES_RESULT record, 64 KiB.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    /// Bytes of a header, or of a record that comes whole, which earlier input ended within.
    partial: Vec<u8>,
}

/// A record, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The record's header. With `content_length` 0, a stream's record is the end of that stream.
    pub header: Header,
    /// For streams the next part of the content, never empty unless the record is. For FCGI_ABORT_REQUEST and unknown types
    /// empty, whatever the record held. Else the whole content.
    pub content: &'a [u8],
}

impl Decoder {
    /// A decoder at the boundary between two records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether all input so far was whole records: the only place where a connection may end.
    pub fn is_at_boundary(&self) -> bool {
        match self.state {
            State::Header => self.partial.is_empty(),
            State::Gathered(header) => header.padding_length == 0,
            _ => false,
        }
    }

    /// Takes the next fragment off the front of `input`, or takes all of `input` and returns `None` when it needs more.
    ///
    /// # Errors
    ///
    /// When the bytes are not FastCGI. There is no way to find the next record then, and the same error is returned for ever.
    #[inline]
    pub fn decode<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Fragment<'a>>, DecodeError> {
        if matches!(self.state, State::Header) && self.partial.is_empty() {
            if input.is_empty() {
                return Ok(None);
            }
            if let Some(fragment) = take_record(input) {
                return Ok(Some(fragment));
            }
        }
        self.decode_parts(input)
    }

    fn decode_parts<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Fragment<'a>>, DecodeError> {
        loop {
            match self.state {
                State::Header => match self.take_header(input)? {
                    None => return Ok(None),
                    Some(header) => self.state = State::after_header(header),
                },
                State::Empty(header) => {
                    let content_length = u32::from(header.content_length);
                    self.state = State::skip(content_length + u32::from(header.padding_length));
                    return Ok(Some(Fragment { header, content: &[] }));
                }
                State::Stream { header, remaining } => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let content = take(input, usize::from(remaining));
                    // The part is no longer than `remaining`, so the length fits.
                    let remaining = remaining - content.len() as u16;
                    self.state = match remaining {
                        0 => State::padding(header),
                        _ => State::Stream { header, remaining },
                    };
                    return Ok(Some(Fragment { header, content }));
                }
                State::Whole(header) => return Ok(self.take_whole(header, input)),
                State::Gathered(header) => {
                    self.partial = Vec::new();
                    self.state = State::padding(header);
                }
                State::Skip(remaining) => {
                    let skipped = take(input, remaining as usize).len() as u32;
                    if skipped < remaining {
                        self.state = State::Skip(remaining - skipped);
                        return Ok(None);
                    }
                    self.state = State::Header;
                }
                State::Failed(error) => return Err(error),
            }
        }
    }

    fn take_header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, DecodeError> {
        let bytes = if let (true, Some((bytes, rest))) =
            (self.partial.is_empty(), input.split_first_chunk::<{ Header::LEN }>())
        {
            *input = rest;
            *bytes
        } else {
            self.partial.extend_from_slice(take(input, Header::LEN - self.partial.len()));
            let Ok(bytes) = self.partial[..].try_into() else { return Ok(None) };
            self.partial = Vec::new();
            bytes
        };
        let header = Header::decode(bytes).ok_or(DecodeError::Version(bytes));
        header.map(Some).inspect_err(|&error| self.state = State::Failed(error))
    }

    fn take_whole<'a, 'i: 'a>(
        &'a mut self,
        header: Header,
        input: &mut &'i [u8],
    ) -> Option<Fragment<'a>> {
        let len = usize::from(header.content_length);
        if self.partial.is_empty() && input.len() >= len {
            self.state = State::padding(header);
            return Some(Fragment { header, content: take(input, len) });
        }
        let part = take(input, len - self.partial.len());
        bounded::append(&mut self.partial, part, len);
        if self.partial.len() < len {
            return None;
        }
        self.state = State::Gathered(header);
        Some(Fragment { header, content: &self.partial })
    }
}

/// The input was not FastCGI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A record header does not start with version 1. Its bytes tell what was sent instead, if it was another protocol.
    Version([u8; Header::LEN]),
    /// A record whose content has a fixed length announced another one.
    Length {
        /// The type of the record.
        record_type: RecordType,
        /// The length it announced.
        content_length: u16,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version([version, ..]) => {
                write!(f, "a record starts with version {version} instead of 1")
            }
            Self::Length { record_type, content_length } => {
                write!(f, "a record {record_type} has a content of {content_length} bytes")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Header,
    /// A record that is reported without content.
    Empty(Header),
    Stream {
        header: Header,
        remaining: u16,
    },
    Whole(Header),
    /// A whole record was handed out of `partial`, which is cleared with the next call.
    Gathered(Header),
    /// Content nobody wants, and padding.
    Skip(u32),
    Failed(DecodeError),
}

impl State {
    fn after_header(header: Header) -> Self {
        let fixed = match header.record_type {
            RecordType::BeginRequest => Some(BeginRequest::LEN),
            RecordType::EndRequest => Some(EndRequest::LEN),
            RecordType::UnknownType => Some(UnknownType::LEN),
            _ => None,
        };
        let Header { record_type, content_length, .. } = header;
        match record_type {
            _ if fixed.is_some_and(|len| len != usize::from(content_length)) => {
                Self::Failed(DecodeError::Length { record_type, content_length })
            }
            RecordType::AbortRequest | RecordType::Other(_) => Self::Empty(header),
            _ if content_length == 0 => Self::Empty(header),
            _ if record_type.is_stream() => Self::Stream { header, remaining: content_length },
            _ => Self::Whole(header),
        }
    }

    fn padding(header: Header) -> Self {
        Self::skip(u32::from(header.padding_length))
    }

    fn skip(bytes: u32) -> Self {
        if bytes == 0 { Self::Header } else { Self::Skip(bytes) }
    }
}

/// Takes one of the usual records at once if all of it is there, which spares it the way through the states.
#[inline]
fn take_record<'i>(input: &mut &'i [u8]) -> Option<Fragment<'i>> {
    let (bytes, rest) = input.split_first_chunk()?;
    let header = Header::decode(*bytes)?;
    let is_usual = match header.record_type {
        RecordType::BeginRequest => usize::from(header.content_length) == BeginRequest::LEN,
        record_type => record_type.is_stream(),
    };
    if !is_usual {
        return None;
    }
    let (content, rest) = rest.split_at_checked(usize::from(header.content_length))?;
    let rest = rest.get(usize::from(header.padding_length)..)?;
    *input = rest;
    Some(Fragment { header, content })
}

/// Takes at most `len` bytes off the front of `input`.
fn take<'a>(input: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(len.min(input.len()));
    *input = rest;
    taken
}
