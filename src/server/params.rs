use std::cell::Cell;
use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};

use crate::record::bounded;

/// Collects the content of FCGI_PARAMS.
///
/// What is small ends in memory that requests share and use again, so that a request allocates nothing for its params. One that
/// takes long keeps no more of it alive than [`ROOM_LEN`].
#[derive(Debug)]
pub(super) enum ParamsBuffer {
    /// What came in one piece, where it stays.
    Piece(BytesMut),
    Gathered(Vec<u8>),
}

impl ParamsBuffer {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Piece(content) => content.len(),
            Self::Gathered(content) => content.len(),
        }
    }

    /// Appends a part. The whole keeps to `most` bytes.
    pub(super) fn append(&mut self, part: &[u8], most: usize) {
        match self {
            Self::Gathered(content) if content.is_empty() && PIECE_LENS.contains(&part.len()) => {
                *self = Self::Piece(put_into_room(part));
            }
            Self::Gathered(content) => {
                if content.capacity() == 0 {
                    *content = SPARE.take();
                }
                bounded::append(content, part, most);
            }
            Self::Piece(piece) => {
                let mut content = SPARE.take();
                bounded::append(&mut content, piece, most);
                bounded::append(&mut content, part, most);
                *self = Self::Gathered(content);
            }
        }
    }

    pub(super) fn finish(self) -> Bytes {
        match self {
            Self::Piece(content) => content.freeze(),
            Self::Gathered(content) if content.len() > ROOM_LEN / 2 => content.into(),
            Self::Gathered(mut content) => {
                let finished = put_into_room(&content).freeze();
                content.clear();
                SPARE.set(content);
                finished
            }
        }
    }
}

impl Default for ParamsBuffer {
    fn default() -> Self {
        Self::Gathered(Vec::new())
    }
}

fn put_into_room(content: &[u8]) -> BytesMut {
    let mut room = ROOM.take();
    if room.capacity() < content.len() {
        room.reserve(ROOM_LEN);
    }
    room.extend_from_slice(content);
    let content = room.split();
    ROOM.set(room);
    content
}

/// So much is allocated at a time: the params of a few requests.
const ROOM_LEN: usize = 4 * 1024;

/// The size of a first part that is put where it can stay: one that is smaller is not all, and would keep the whole room alive
/// while a slow web server sends the rest.
const PIECE_LENS: RangeInclusive<usize> = ROOM_LEN / 16..=ROOM_LEN / 2;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static ROOM: Cell<BytesMut> = Cell::new(BytesMut::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(parts: &[&[u8]]) -> Bytes {
        let mut buffer = ParamsBuffer::default();
        parts.iter().for_each(|part| buffer.append(part, 100_000));
        assert_eq!(buffer.len(), parts.iter().map(|part| part.len()).sum::<usize>());
        buffer.finish()
    }

    #[test]
    fn parts_become_one_whatever_its_size() {
        for len in [0, 1, 900, ROOM_LEN / 2, ROOM_LEN / 2 + 1, ROOM_LEN, 100_000] {
            let content: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let (first, second) = content.split_at(len / 3);
            assert_eq!(collect(&[first, second]), content);
        }
    }

    #[test]
    fn what_is_kept_is_not_written_over() {
        let kept: Vec<_> = (0..40).map(|i| (i, collect(&[&[i; 300]]))).collect();
        drop(collect(&[&[200; 300]]));
        assert!(kept.iter().all(|(i, content)| content[..] == [*i; 300]));
    }

    #[test]
    fn requests_one_after_the_other_use_the_same_memory() {
        let mut places: Vec<_> = (0..100).map(|_| collect(&[&[1; 900]]).as_ptr().addr()).collect();
        places.sort_unstable();
        places.dedup();
        assert!(places.last().unwrap() - places[0] < ROOM_LEN, "{places:?}");
    }
}
