use std::error::Error;
use std::fmt;

use tower_fastcgi::record::{DecodeError, RecordType};

use super::Protocol;

/// One answer, checked as it comes: its head, its length, each byte of its body.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// A head whose end has not come yet.
    head: Vec<u8>,
    /// How much of the body was right so far; none before the head is complete.
    body: Option<usize>,
}

impl Reply {
    /// Takes head and body off the front of `input`; `answer` is the right body. What it leaves does not belong to the answer.
    pub(crate) fn take(
        &mut self,
        input: &mut &[u8],
        protocol: Protocol,
        answer: &[u8],
    ) -> Result<(), WrongAnswer> {
        if self.body.is_none() && self.take_head(input, protocol, answer.len())? {
            self.body = Some(0);
        }
        let Some(received) = self.body else { return Ok(()) };
        let expected = &answer[received..];
        let (body, rest) = input.split_at(input.len().min(expected.len()));
        if body != &expected[..body.len()] {
            return Err(WrongAnswer::Body);
        }
        self.body = Some(received + body.len());
        *input = rest;
        Ok(())
    }

    pub(crate) fn is_complete(&self, answer: &[u8]) -> bool {
        self.body == Some(answer.len())
    }

    /// Whether the head is complete.
    fn take_head(
        &mut self,
        input: &mut &[u8],
        protocol: Protocol,
        length: usize,
    ) -> Result<bool, WrongAnswer> {
        let before = self.head.len();
        let head = match before {
            0 => input,
            _ => {
                self.head.extend_from_slice(input);
                &self.head[..]
            }
        };
        let Some(end) = end_of_head(head) else {
            if before == 0 {
                self.head.extend_from_slice(input);
            }
            *input = &[];
            return Ok(false);
        };
        check_head(&head[..end], protocol, length)?;
        *input = &input[end - before..];
        Ok(true)
    }
}

/// What a server should not have sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WrongAnswer {
    /// A head that says something else than 200 and the right length.
    Head(String),
    /// Another byte than there should be.
    Body,
    /// Its end came before all of the body.
    Short,
    /// Bytes after the body.
    Long,
    /// A record that does not belong there.
    Record(RecordType),
    /// FCGI_STDERR.
    Stderr(String),
    /// FCGI_END_REQUEST with another status than FCGI_REQUEST_COMPLETE.
    Refused(String),
    /// A record of a request that is not under way.
    Id,
    NotFastCgi(DecodeError),
}

impl fmt::Display for WrongAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => write!(f, "an unexpected head: {head:?}"),
            Self::Body => f.write_str("a body with wrong content"),
            Self::Short => f.write_str("a body that is too short"),
            Self::Long => f.write_str("bytes after the end of a body"),
            Self::Record(record_type) => write!(f, "an unexpected {record_type}"),
            Self::Stderr(text) => write!(f, "FCGI_STDERR: {text}"),
            Self::Refused(status) => write!(f, "a request that ended with {status}"),
            Self::Id => f.write_str("a record of a request that is not under way"),
            Self::NotFastCgi(error) => error.fmt(f),
        }
    }
}

impl Error for WrongAnswer {}

impl From<DecodeError> for WrongAnswer {
    fn from(error: DecodeError) -> Self {
        Self::NotFastCgi(error)
    }
}

/// Where the body begins; CGI allows lines that end in a line feed alone.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    (1..bytes.len()).find_map(|at| match bytes[..=at] {
        [.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n'] => Some(at + 1),
        _ => None,
    })
}

fn check_head(head: &[u8], protocol: Protocol, length: usize) -> Result<(), WrongAnswer> {
    let wrong = || WrongAnswer::Head(String::from_utf8_lossy(head).into_owned());
    let mut lines = std::str::from_utf8(head).map_err(|_| wrong())?.lines();
    if protocol == Protocol::Http && lines.next() != Some("HTTP/1.1 200 OK") {
        return Err(wrong());
    }
    let mut announced: Option<usize> = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        if name.eq_ignore_ascii_case("status") && !value.trim().starts_with("200") {
            return Err(wrong());
        }
        if name.eq_ignore_ascii_case("content-length") {
            announced = Some(value.trim().parse().map_err(|_| wrong())?);
        }
    }
    match announced {
        None if protocol == Protocol::FastCgi => Ok(()),
        Some(announced) if length == announced => Ok(()),
        _ => Err(wrong()),
    }
}
