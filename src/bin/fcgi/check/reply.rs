use tower_fastcgi::record::{EndRequest, ProtocolStatus, RecordType};

use super::case::{Found, departs};
use super::head::{self, Head};
use super::link::Record;

/// What came for one request.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
    end: Option<EndRequest>,
}

/// One of its streams.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) bytes: Vec<u8>,
    pub(super) is_ended: bool,
}

impl Reply {
    pub(super) fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Takes a record of this request.
    pub(super) fn take(&mut self, record: &Record) -> Found<()> {
        if self.is_ended() {
            return departs(format!("{} came behind FCGI_END_REQUEST", record.record_type()));
        }
        match record.record_type() {
            RecordType::Stdout => self.stdout.take("FCGI_STDOUT", &record.content),
            RecordType::Stderr => self.stderr.take("FCGI_STDERR", &record.content),
            RecordType::EndRequest => self.take_end(&record.content),
            other => departs(format!("{other} came, which is no part of a response")),
        }
    }

    fn take_end(&mut self, content: &[u8]) -> Found<()> {
        let Some(end) = EndRequest::decode(content) else {
            return departs(format!("FCGI_END_REQUEST has {} bytes instead of 8", content.len()));
        };
        self.end = Some(end);
        Ok(())
    }

    /// How the request ended.
    pub(super) fn protocol_status(&self) -> ProtocolStatus {
        self.end.expect("replies are handed out when they have ended").protocol_status
    }

    /// The request was answered and not refused.
    pub(super) fn completed(&self) -> Found<()> {
        match self.protocol_status() {
            ProtocolStatus::RequestComplete => Ok(()),
            status => departs(format!("the request ended with {status}")),
        }
    }

    pub(super) fn head(&self) -> Found<Head> {
        head::parse(&self.stdout.bytes)
    }

    pub(super) fn body(&self) -> Found<&[u8]> {
        Ok(&self.stdout.bytes[self.head()?.len..])
    }
}

impl Stream {
    fn take(&mut self, name: &str, content: &[u8]) -> Found<()> {
        if self.is_ended {
            return departs(format!("{name} goes on behind its empty record"));
        }
        self.is_ended = content.is_empty();
        self.bytes.extend_from_slice(content);
        Ok(())
    }
}
