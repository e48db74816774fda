use tower_fastcgi::record::{Decoder, EndRequest, Fragment, ProtocolStatus, RecordType};

use super::Protocol;
use super::reply::{Reply, WrongAnswer};

/// The answers of one connection, with ids from 1 on.
#[derive(Debug)]
pub(crate) struct Replies {
    decoder: Decoder,
    streams: Vec<Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    reply: Reply,
    stdout_ended: bool,
}

impl Replies {
    pub(crate) fn new(ids: usize) -> Self {
        let streams = (0..ids).map(|_| Stream::default()).collect();
        Self { decoder: Decoder::new(), streams }
    }

    /// Calls `complete` with the index of each request that `input` ends, which is its id less 1.
    pub(crate) fn take(
        &mut self,
        mut input: &[u8],
        answer: &[u8],
        mut complete: impl FnMut(usize),
    ) -> Result<(), WrongAnswer> {
        while let Some(fragment) = self.decoder.decode(&mut input)? {
            let id = fragment.header.request_id.map_or(0, |id| usize::from(id.value()));
            let index = id.checked_sub(1).ok_or(WrongAnswer::Id)?;
            let stream = self.streams.get_mut(index).ok_or(WrongAnswer::Id)?;
            if stream.take(fragment, answer)? {
                *stream = Stream::default();
                complete(index);
            }
        }
        Ok(())
    }
}

impl Stream {
    /// Whether the request has ended.
    fn take(&mut self, fragment: Fragment<'_>, answer: &[u8]) -> Result<bool, WrongAnswer> {
        let Fragment { header, mut content } = fragment;
        match header.record_type {
            RecordType::Stdout if self.stdout_ended => Err(WrongAnswer::Long),
            RecordType::Stdout => {
                self.stdout_ended = header.content_length == 0;
                self.reply.take(&mut content, Protocol::FastCgi, answer)?;
                if content.is_empty() { Ok(false) } else { Err(WrongAnswer::Long) }
            }
            RecordType::Stderr if content.is_empty() => Ok(false),
            RecordType::Stderr => {
                Err(WrongAnswer::Stderr(String::from_utf8_lossy(content).into_owned()))
            }
            RecordType::EndRequest => {
                check_end(content)?;
                if self.reply.is_complete(answer) { Ok(true) } else { Err(WrongAnswer::Short) }
            }
            other => Err(WrongAnswer::Record(other)),
        }
    }
}

fn check_end(content: &[u8]) -> Result<(), WrongAnswer> {
    match EndRequest::decode(content).map(|end| end.protocol_status) {
        Some(ProtocolStatus::RequestComplete) => Ok(()),
        Some(status) => Err(WrongAnswer::Refused(status.to_string())),
        None => Err(WrongAnswer::Record(RecordType::EndRequest)),
    }
}
