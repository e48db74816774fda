use std::sync::Arc;

use super::exchange::cut;
use crate::body::{self, Budget, Incoming, Sender};
use crate::codec::Block;
use crate::error::Kind;
use crate::record::{RecordType, RequestId};

/// FCGI_DATA of a Filter's request, as it comes in.
pub(super) struct DataStream {
    sender: Sender,
    /// So many bytes are still to come, if FCGI_DATA_LENGTH told.
    remaining: Option<u64>,
    /// Nothing more goes to the consumer.
    is_complete: bool,
    /// The end of the stream has arrived,
    pub(super) has_ended: bool,
    /// and so has that of FCGI_STDIN.
    pub(super) has_stdin_ended: bool,
}

impl DataStream {
    /// A stream, and what reads it.
    pub(super) fn new(budget: &Arc<Budget>, length: Option<u64>) -> (Self, Incoming) {
        let (sender, incoming) = body::channel(budget, length);
        let mut stream = Self {
            sender,
            remaining: length,
            is_complete: false,
            has_ended: false,
            has_stdin_ended: false,
        };
        if length == Some(0) {
            stream.complete(Sender::finish);
        }
        (stream, incoming)
    }

    /// Takes a part of it, which arrived in `block`.
    #[cold]
    pub(super) fn push(&mut self, id: RequestId, content: &[u8], block: &Block) {
        if self.is_complete {
            return;
        }
        let content = cut(content, &mut self.remaining, "FCGI_DATA exceeds FCGI_DATA_LENGTH");
        match block.share_beside(RecordType::Data, id, content) {
            Some(shared) => self.sender.push_shared(shared),
            None => self.sender.push_copy(content),
        }
        if self.remaining == Some(0) {
            self.complete(Sender::finish);
        }
    }

    pub(super) fn end(&mut self) {
        self.has_ended = true;
        match self.remaining {
            Some(1..) => self.complete(|sender| sender.fail(Kind::Incomplete)),
            _ => self.complete(Sender::finish),
        }
    }

    /// Fails it if it is not complete, behind what arrived of it.
    pub(super) fn fail(&mut self, kind: Kind) {
        self.complete(|sender| sender.fail(kind));
    }

    /// Fails it, complete or not, and drops what nobody read of it.
    pub(super) fn discard(&mut self, kind: Kind) {
        self.is_complete = true;
        self.sender.discard(kind);
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(super) fn unread(&self) -> usize {
        self.sender.unread()
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.sender.is_awaited()
    }

    fn complete(&mut self, complete: impl FnOnce(&Sender)) {
        if !self.is_complete {
            self.is_complete = true;
            complete(&self.sender);
        }
    }
}
