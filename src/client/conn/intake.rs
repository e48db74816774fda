use http::{Response, StatusCode};
use http_body::Body;

use super::dispatch::Dispatch;
use super::exchange::{Exchange, Response as Answer};
use crate::body::{self, Incoming};
use crate::cgi::MappedHead;
use crate::codec::Block;
use crate::error::{BadHead, BoxError, Error, Failure, Result};
use crate::record::{DecodeError, EndRequest, Fragment, ProtocolStatus, RecordType, RequestId};
use crate::trace::{debug, trace};

impl<B: Body<Error: Into<BoxError>>> Dispatch<B> {
    /// Takes one fragment of a record that arrived in `block`.
    pub(super) fn on_fragment(&mut self, fragment: Fragment<'_>, block: &Block) -> Result<()> {
        let Fragment { header, content } = fragment;
        trace!(record = %header.record_type, id = ?header.request_id, len = content.len(), "received");
        self.is_fastcgi = true;
        let is_end = header.content_length == 0;
        let index = header.request_id.and_then(|id| self.exchanges.index_of(id));
        match (header.record_type, index) {
            (RecordType::Stdout, Some(index)) if is_end => {
                self.exchanges.exchange(index).is_stdout_ended = true;
            }
            (RecordType::Stdout, Some(index)) => self.on_stdout(index, content, block),
            (RecordType::Stderr, Some(index)) => {
                self.exchanges.exchange(index).stderr.write(content);
            }
            (RecordType::EndRequest, Some(index)) => self.on_end(index, content),
            (RecordType::Stdout | RecordType::Stderr | RecordType::EndRequest, None) => {
                self.on_stray(header.record_type, header.request_id);
            }
            (RecordType::GetValuesResult | RecordType::UnknownType | RecordType::Other(_), _) => {}
            (
                RecordType::BeginRequest
                | RecordType::AbortRequest
                | RecordType::Params
                | RecordType::Stdin
                | RecordType::Data
                | RecordType::GetValues,
                _,
            ) => return Err(Error::client(Failure::UnexpectedRecord(header.record_type))),
        }
        Ok(())
    }

    /// What a [`DecodeError`] stands for.
    pub(super) fn explain(&self, error: DecodeError) -> Error {
        if self.is_fastcgi { error.into() } else { explain_first(error) }
    }

    /// A record of a request that has ended, or never was. Were the connection used on, the rest could pass for a part of the next
    /// response.
    fn on_stray(&mut self, record_type: RecordType, id: Option<RequestId>) {
        debug!(record = %record_type, ?id, "record of no request: the connection is not used on");
        self.take_no_more();
    }

    fn on_stdout(&mut self, index: usize, mut content: &[u8], block: &Block) {
        let limits = self.config.head;
        let exchange = self.exchanges.exchange(index);
        exchange.received += content.len() as u64;
        if let Answer::Head(reader) = &mut exchange.response {
            match reader.read(&mut content, limits) {
                Ok(None) => return,
                Ok(Some(head)) => self.on_head(index, head),
                Err(bad) => return self.on_broken(index, Failure::Head(bad)),
            }
        }
        self.on_body(index, content, block);
    }

    fn on_head(&mut self, index: usize, head: MappedHead) {
        let MappedHead { parts, content_length } = head;
        let budget = &self.budget;
        let exchange = self.exchanges.exchange(index);
        let has_body = !exchange.is_head
            && parts.status != StatusCode::NO_CONTENT
            && parts.status != StatusCode::NOT_MODIFIED;
        let body = if has_body {
            let (sender, incoming) = body::channel(budget, content_length);
            exchange.response = Answer::Body(sender, content_length);
            incoming
        } else {
            exchange.response = Answer::Ignored;
            Incoming::empty()
        };
        exchange.reply(Response::from_parts(parts, body));
    }

    fn on_body(&mut self, index: usize, content: &[u8], block: &Block) {
        let exchange = self.exchanges.exchange(index);
        let Answer::Body(sender, remaining) = &mut exchange.response else { return };
        let (content, excess) = match remaining {
            Some(remaining) => {
                let len = usize::try_from(*remaining).unwrap_or(usize::MAX).min(content.len());
                *remaining -= len as u64;
                content.split_at(len)
            }
            None => (content, &[][..]),
        };
        if !content.is_empty() {
            match block.share(RecordType::Stdout, exchange.id, content) {
                Some(shared) => sender.push_shared(shared),
                None => sender.push_copy(content),
            }
        }
        if !excess.is_empty() {
            self.on_broken(index, Failure::TooLong);
        }
    }

    /// The application does not keep to the rules, and may not with the next response.
    fn on_broken(&mut self, index: usize, failure: Failure) {
        self.exchanges.exchange(index).fail(Error::client(failure));
        self.abort(index);
        self.take_no_more();
    }

    fn on_end(&mut self, index: usize, content: &[u8]) {
        let exchange = self.remove(index);
        let end = EndRequest::decode(content).expect("the decoder has checked the length");
        trace!(id = %exchange.id, app_status = end.app_status, status = %end.protocol_status, "ended");
        match end.protocol_status {
            ProtocolStatus::RequestComplete => finish(exchange),
            status => exchange.give_back(Error::client(Failure::Refused(status))),
        }
    }
}

/// What a [`DecodeError`] stands for where no record has come yet: it may be another protocol.
pub(super) fn explain_first(error: DecodeError) -> Error {
    match error {
        DecodeError::Version([b'H', b'T', b'T', b'P', b'/', ..]) => {
            Error::client(Failure::HttpServer)
        }
        error => error.into(),
    }
}

fn finish<B>(mut exchange: Exchange<B>) {
    match &exchange.response {
        Answer::Head(reader) if reader.is_empty() => {
            exchange.fail(Error::client(Failure::Head(BadHead::Empty)));
        }
        Answer::Head(_) => exchange.fail(Error::client(Failure::Incomplete)),
        Answer::Body(_, Some(1..)) => exchange.fail(Error::client(Failure::TooShort)),
        Answer::Body(..) | Answer::Ignored => exchange.complete(),
    }
}
