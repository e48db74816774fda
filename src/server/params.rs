use std::cell::Cell;

use bytes::{Bytes, BytesMut};

use crate::record::bounded;

/// Collects the content of FCGI_PARAMS.
///
/// What is small ends in memory that requests share and use again, so that a request allocates nothing for its params. One that
/// takes long keeps no more of it alive than [`ROOM_LEN`].
#[derive(Debug, Default)]
pub(super) struct ParamsBuffer {
    content: Vec<u8>,
}

impl ParamsBuffer {
    pub(super) fn len(&self) -> usize {
        self.content.len()
    }

    /// Appends a part. The whole keeps to `most` bytes.
    pub(super) fn append(&mut self, part: &[u8], most: usize) {
        if self.content.capacity() == 0 {
            self.content = SPARE.take();
        }
        bounded::append(&mut self.content, part, most);
    }

    pub(super) fn finish(mut self) -> Bytes {
        if self.content.len() > ROOM_LEN / 2 {
            return self.content.into();
        }
        let mut room = ROOM.take();
        if room.capacity() < self.content.len() {
            room.reserve(ROOM_LEN);
        }
        room.extend_from_slice(&self.content);
        let content = room.split().freeze();
        ROOM.set(room);
        self.content.clear();
        SPARE.set(self.content);
        content
    }
}

/// So much is allocated at a time: the params of a few requests.
const ROOM_LEN: usize = 4 * 1024;

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
