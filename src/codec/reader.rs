use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::rt::{Read, ReadBuf};

use crate::record::{DecodeError, Decoder, Fragment, Header, RecordType, RequestId};

/// Reads a transport in blocks and finds the records in them.
///
/// A connection that waits holds no buffer: blocks are lent by the thread and go back to it once nothing points into them.
#[derive(Debug, Default)]
pub(crate) struct RecordReader {
    decoder: Decoder,
    /// A block that body frames may still point into.
    lent: Option<Bytes>,
}

/// Reads into a buffer, all of which may be overwritten, and tells how much.
pub(crate) type PollRead<I> = fn(&mut I, &mut Context<'_>, &mut [u8]) -> Poll<io::Result<usize>>;

/// Reads from what has hyper's trait.
pub(crate) fn poll_read<I: Read + Unpin>(
    io: &mut I,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut read = ReadBuf::new(buffer);
    ready!(Pin::new(io).poll_read(cx, read.unfilled()))?;
    Poll::Ready(Ok(read.filled().len()))
}

/// What one read brought.
#[derive(Debug)]
pub(crate) struct Block {
    buffer: Buffer,
    taken: usize,
    len: usize,
    /// Whose body was found last, and how much of it in a row.
    run: Cell<Option<(RequestId, usize)>>,
}

#[derive(Debug)]
enum Buffer {
    /// Too little was read for any of it to be shared.
    Exclusive(BytesMut),
    Shared(Bytes),
}

impl RecordReader {
    pub(crate) fn is_at_boundary(&self) -> bool {
        self.decoder.is_at_boundary()
    }

    /// The next bytes of the transport; an empty block is its end.
    #[cfg(feature = "client")]
    pub(crate) fn poll_block<I: Read + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
    ) -> Poll<io::Result<Block>> {
        self.poll_block_by(cx, io, poll_read)
    }

    /// The same, read in a way of the caller's.
    pub(crate) fn poll_block_by<I>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
        poll_read: PollRead<I>,
    ) -> Poll<io::Result<Block>> {
        let mut buffer = self.take_buffer();
        let len = match poll_read(io, cx, &mut buffer) {
            Poll::Ready(Ok(len)) => len,
            Poll::Ready(Err(error)) => {
                give_back(buffer);
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {
                give_back(buffer);
                return Poll::Pending;
            }
        };
        let buffer = match len {
            ..SHARE_MIN => Buffer::Exclusive(buffer),
            _ => Buffer::Shared(buffer.freeze()),
        };
        Poll::Ready(Ok(Block { buffer, taken: 0, len, run: Cell::new(None) }))
    }

    /// Takes the next fragment off the front of `rest`, which is what is left of a block.
    #[inline]
    pub(crate) fn decode<'a, 'i: 'a>(
        &'a mut self,
        rest: &mut &'i [u8],
    ) -> Result<Option<Fragment<'a>>, DecodeError> {
        self.decoder.decode(rest)
    }

    /// Takes a block back; parts of it that were shared stay valid.
    pub(crate) fn recycle(&mut self, block: Block) {
        match block.buffer {
            Buffer::Exclusive(buffer) => give_back(buffer),
            Buffer::Shared(buffer) => match buffer.try_into_mut() {
                Ok(buffer) => give_back(buffer),
                Err(shared) => self.lent = Some(shared),
            },
        }
    }

    fn take_buffer(&mut self) -> BytesMut {
        let lent = self.lent.take().and_then(|block| block.try_into_mut().ok());
        lent.or_else(|| SPARE.take()).unwrap_or_else(|| BytesMut::zeroed(BLOCK_LEN))
    }
}

impl Block {
    /// What was read, without what was taken already.
    pub(crate) fn rest(&self) -> &[u8] {
        let bytes: &[u8] = match &self.buffer {
            Buffer::Exclusive(buffer) => buffer,
            Buffer::Shared(buffer) => buffer,
        };
        &bytes[self.taken..self.len]
    }

    /// Counts all but the last `len` bytes as taken.
    pub(crate) fn keep(&mut self, len: usize) {
        self.taken = self.len - len;
    }

    /// Shares `content`, a part of this block that belongs to that stream of `id`, if at least half of the block belongs to it: else a
    /// small part would keep all of the block's memory alive.
    pub(crate) fn share(&self, stream: RecordType, id: RequestId, content: &[u8]) -> Option<Bytes> {
        let Buffer::Shared(buffer) = &self.buffer else { return None };
        if content.len() < PART_MIN {
            return None;
        }
        let start = content.as_ptr().addr() - buffer.as_ptr().addr();
        let end = start + content.len();
        let run = match self.run.get() {
            Some((of, len)) if of == id => len,
            _ => content.len() + run_len(stream, id, &buffer[end..self.len]),
        };
        self.run.set(Some((id, run)));
        (run >= SHARE_MIN).then(|| buffer.slice(start..end))
    }

    /// As [`share`](Self::share), for a stream that a request has beside its body.
    #[cold]
    pub(crate) fn share_beside(
        &self,
        stream: RecordType,
        id: RequestId,
        content: &[u8],
    ) -> Option<Bytes> {
        self.run.set(None);
        let shared = self.share(stream, id, content);
        self.run.set(None);
        shared
    }
}

/// How much content the records at the front of `input` have that continue that stream of `id`.
fn run_len(stream: RecordType, id: RequestId, mut input: &[u8]) -> usize {
    let mut len = 0;
    while let Some((header, rest)) = input.split_first_chunk() {
        let Some(header) = Header::decode(*header) else { break };
        if header.record_type != stream || header.request_id != Some(id) {
            break;
        }
        let content = usize::from(header.content_length);
        len += content.min(rest.len());
        let Some(rest) = rest.get(content + usize::from(header.padding_length)..) else { break };
        input = rest;
    }
    len
}

fn give_back(buffer: BytesMut) {
    debug_assert_eq!(buffer.len(), BLOCK_LEN, "blocks are never cut");
    SPARE.set(Some(buffer));
}

/// Takes a record of any size in two reads at most and stays within a core's second-level cache.
pub(crate) const BLOCK_LEN: usize = 64 * 1024;

/// What is shared of a block is at least so much of it, so that a body that nobody reads keeps no more than twice its size alive.
const SHARE_MIN: usize = BLOCK_LEN / 2;

/// Smaller parts are copied all the same: many of them need less room when they are gathered.
const PART_MIN: usize = 1024;

thread_local! {
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}
