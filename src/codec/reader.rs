use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::rt::{Read, ReadBuf};

use crate::record::{DecodeError, Decoder, Fragment};

/// Reads a transport in blocks and finds the records in them.
///
/// A connection that waits holds no buffer: blocks are lent by the thread and go back to it once nothing points into them.
#[derive(Debug, Default)]
pub(crate) struct RecordReader {
    decoder: Decoder,
    /// A block that body frames may still point into.
    lent: Option<Bytes>,
}

/// What one read brought.
#[derive(Debug)]
pub(crate) struct Block {
    buffer: Buffer,
    taken: usize,
    len: usize,
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
    pub(crate) fn poll_block<I: Read + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
    ) -> Poll<io::Result<Block>> {
        let mut buffer = self.take_buffer();
        let mut read = ReadBuf::new(&mut buffer);
        let polled = Pin::new(io).poll_read(cx, read.unfilled());
        let len = read.filled().len();
        if !matches!(polled, Poll::Ready(Ok(()))) {
            give_back(buffer);
            ready!(polled)?;
            unreachable!("neither pending nor an error");
        }
        let buffer = match len {
            ..SHARE_MIN => Buffer::Exclusive(buffer),
            _ => Buffer::Shared(buffer.freeze()),
        };
        Poll::Ready(Ok(Block { buffer, taken: 0, len }))
    }

    /// Takes the next fragment off the front of `rest`, which is what is left of a block.
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

    /// Shares `content`, which must be a part of this block, if it is not a small one: that would keep all of the block's
    /// memory alive.
    pub(crate) fn share(&self, content: &[u8]) -> Option<Bytes> {
        match &self.buffer {
            Buffer::Shared(buffer) if content.len() >= SHARE_MIN => Some(buffer.slice_ref(content)),
            _ => None,
        }
    }
}

fn give_back(buffer: BytesMut) {
    debug_assert_eq!(buffer.len(), BLOCK_LEN, "blocks are never cut");
    SPARE.set(Some(buffer));
}

/// Takes a record of any size in two reads at most and stays within a core's second-level cache.
pub(crate) const BLOCK_LEN: usize = 64 * 1024;

/// A shared part may keep so many times its size alive: four times. Records of 32 KiB, which nginx sends, lie across the blocks in
/// parts of all sizes.
const SHARE_MIN: usize = BLOCK_LEN / 4;

thread_local! {
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}
