use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::rt::Write;

use crate::record::{
    EndRequest, Header, MAX_STREAM_CONTENT, ProtocolStatus, RecordType, RequestId, put_end_request,
    put_record, put_stream, put_stream_end, stream_header,
};

/// The records to write, in order: small ones gathered in one buffer, large contents as they are.
#[derive(Debug, Default)]
pub(crate) struct RecordWriter {
    flat: Vec<u8>,
    /// How much of `flat` was written.
    flat_written: usize,
    shared: VecDeque<Shared>,
    /// How many bytes of `flat` wait in front of the last of `shared`.
    flat_ahead: usize,
    shared_len: usize,
    written: u64,
}

/// A content that is written from where it is.
#[derive(Debug)]
struct Shared {
    /// How many bytes of `flat` are written first, behind those of the ones before.
    after: usize,
    content: Bytes,
}

impl RecordWriter {
    /// How many bytes wait to be written.
    pub(crate) fn queued(&self) -> usize {
        self.flat.len() - self.flat_written + self.shared_len
    }

    /// How many bytes the transport has accepted so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued() == 0
    }

    /// Appends one FCGI_STDOUT record with what `put` appends, or nothing if it fails or appends nothing. `put` keeps to
    /// [`MAX_STREAM_CONTENT`].
    pub(crate) fn stdout_record<R, E>(
        &mut self,
        id: RequestId,
        put: impl FnOnce(&mut Vec<u8>) -> Result<R, E>,
    ) -> Result<R, E> {
        let flat = self.flat();
        let start = flat.len();
        let content = start + Header::LEN;
        flat.extend_from_slice(&[0; Header::LEN]);
        let result = put(flat);
        if result.is_err() || flat.len() == content {
            flat.truncate(start);
            return result;
        }
        let header = stream_header(RecordType::Stdout, id, flat.len() - content);
        flat[start..content].copy_from_slice(&header);
        result
    }

    /// Appends one FCGI_STDOUT record with what `put` appends, which is all that there is, and the stream's end.
    pub(crate) fn stdout_whole(&mut self, id: RequestId, put: impl FnOnce(&mut Vec<u8>)) {
        let Ok(()) = self.stdout_record(id, |dst| {
            put(dst);
            Ok::<_, std::convert::Infallible>(())
        });
        put_stream_end(self.flat(), RecordType::Stdout, id);
    }

    /// Appends a part of a response body in as many records as it takes.
    pub(crate) fn stdout(&mut self, id: RequestId, data: Bytes) {
        if data.len() <= COPY_MAX {
            return put_stream(self.flat(), RecordType::Stdout, id, &data);
        }
        self.flat().extend_from_slice(&[0; Header::LEN]);
        self.stdout_shared(id, 0, data);
    }

    /// Appends a part of a response body to the FCGI_STDOUT record that was appended last and has `len` bytes: all of it if that is no more than
    /// `most`, else its beginning, and the rest in further records.
    #[inline]
    pub(crate) fn stdout_behind(&mut self, id: RequestId, len: usize, data: Bytes, most: usize) {
        if data.len() > most {
            self.stdout_shared(id, len, data);
        } else if len + data.len() > MAX_STREAM_CONTENT {
            self.stdout(id, data);
        } else {
            self.lengthen(id, len, &data);
        }
    }

    /// Begins with a copy of so much that the rest begins at a cache line, and pads it, so that there are whole lines before the rest in the write, too: so
    /// the kernel copies it in four fifths of the time that it takes from elsewhere to elsewhere.
    #[inline(never)]
    fn stdout_shared(&mut self, id: RequestId, len: usize, mut data: Bytes) {
        let copied = COPY_MIN + line_rest(data.as_ptr().addr() + COPY_MIN);
        if len + copied > MAX_STREAM_CONTENT {
            return self.stdout(id, data);
        }
        let mut header = self.lengthen(id, len, &data.split_to(copied));
        while !data.is_empty() {
            self.pad(header, Header::LEN);
            header = self.flat.len();
            let len = if data.len() <= MAX_STREAM_CONTENT { data.len() } else { WHOLE_LINES };
            self.flat.extend_from_slice(&stream_header(RecordType::Stdout, id, len));
            self.share(data.split_to(len));
        }
        self.pad(header, 0);
    }

    /// Appends to the FCGI_STDOUT record that was appended last and has `len` bytes. Returns where its header is.
    fn lengthen(&mut self, id: RequestId, len: usize, data: &[u8]) -> usize {
        let header = self.flat.len() - len - Header::LEN;
        let longer = stream_header(RecordType::Stdout, id, len + data.len());
        self.flat[header..][..Header::LEN].copy_from_slice(&longer);
        self.flat.extend_from_slice(data);
        header
    }

    /// Pads the record that was appended last, whose header is there in `flat`, so that what is queued and `behind` bytes more end where a cache line
    /// ends.
    fn pad(&mut self, header: usize, behind: usize) {
        let padding = line_rest(self.queued() + behind);
        self.flat[header + PADDING_LENGTH] = padding as u8;
        self.flat.extend_from_slice(&[0; CACHE_LINE][..padding]);
    }

    /// Appends a part of a stream in as many records as it takes.
    #[cfg(feature = "client")]
    pub(crate) fn stream(&mut self, record_type: RecordType, id: RequestId, mut data: Bytes) {
        while data.len() > COPY_MAX {
            let content = data.split_to(data.len().min(MAX_STREAM_CONTENT));
            let header = stream_header(record_type, id, content.len());
            self.flat().extend_from_slice(&header);
            self.share(content);
        }
        put_stream(self.flat(), record_type, id, &data);
    }

    /// Appends something for the web server's error log.
    pub(crate) fn stderr(&mut self, id: RequestId, content: &[u8]) {
        put_stream(self.flat(), RecordType::Stderr, id, content);
    }

    pub(crate) fn end_stderr(&mut self, id: RequestId) {
        put_stream_end(self.flat(), RecordType::Stderr, id);
    }

    /// Appends a record of a request as it is.
    #[cfg(feature = "client")]
    pub(crate) fn record(&mut self, record_type: RecordType, id: RequestId, content: &[u8]) {
        put_record(self.flat(), record_type, Some(id), content);
    }

    /// Ends the response: FCGI_STDOUT's end and FCGI_END_REQUEST.
    pub(crate) fn end_response(&mut self, id: RequestId) {
        let flat = self.flat();
        put_stream_end(flat, RecordType::Stdout, id);
        put_end_request(flat, id, COMPLETE);
        // Linux copies the last part of a write to where it is aligned if its end is.
        if !self.shared.is_empty() {
            self.pad(self.flat.len() - EndRequest::LEN - Header::LEN, 0);
        }
    }

    /// Appends FCGI_END_REQUEST alone.
    pub(crate) fn end_request(&mut self, id: RequestId, protocol_status: ProtocolStatus) {
        put_end_request(self.flat(), id, EndRequest { app_status: 0, protocol_status });
    }

    /// Appends a management record.
    pub(crate) fn management(&mut self, record_type: RecordType, content: &[u8]) {
        put_record(self.flat(), record_type, None, content);
    }

    /// Appends bytes that are no record.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.flat().extend_from_slice(bytes);
    }

    /// Writes until nothing is queued, then flushes the transport.
    pub(crate) fn poll_flush<I: Write + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let written = ready!(self.poll_write(cx, io))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        self.give_back();
        Pin::new(io).poll_flush(cx)
    }

    fn poll_write<I: Write + Unpin>(
        &self,
        cx: &mut Context<'_>,
        io: &mut I,
    ) -> Poll<io::Result<usize>> {
        let mut flat = &self.flat[self.flat_written..];
        if self.shared.is_empty() {
            return Pin::new(io).poll_write(cx, flat);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for Shared { after, content } in self.shared.iter().take(MAX_SLICES / 2) {
            let (before, rest) = flat.split_at(*after);
            slices[count] = IoSlice::new(before);
            slices[count + 1] = IoSlice::new(content);
            count += 2;
            flat = rest;
        }
        if count < MAX_SLICES {
            slices[count] = IoSlice::new(flat);
            count += 1;
        }
        Pin::new(io).poll_write_vectored(cx, &slices[..count])
    }

    fn advance(&mut self, mut written: usize) {
        self.written += written as u64;
        while let Some(Shared { after, content }) = self.shared.front_mut() {
            let step = written.min(*after);
            *after -= step;
            self.flat_ahead -= step;
            self.flat_written += step;
            written -= step;
            let step = written.min(content.len());
            content.advance(step);
            self.shared_len -= step;
            written -= step;
            if !content.is_empty() || *after > 0 {
                return self.compact();
            }
            self.shared.pop_front();
        }
        self.flat_written += written;
        debug_assert!(self.flat_written <= self.flat.len(), "no more is written than was queued");
        self.compact();
    }

    /// Drops what was written of `flat`, which otherwise grows for as long as something is queued. It waits until that is
    /// half of it, so that moving the rest costs no more than writing it did.
    fn compact(&mut self) {
        if self.flat_written >= FLAT_KEEP.max(self.flat.len() / 2) {
            self.flat.drain(..self.flat_written);
            self.flat_written = 0;
        }
    }

    /// Where records are appended.
    fn flat(&mut self) -> &mut Vec<u8> {
        if self.flat.capacity() == 0 {
            self.flat = SPARE.take();
        }
        &mut self.flat
    }

    fn share(&mut self, content: Bytes) {
        let after = self.flat.len() - self.flat_written - self.flat_ahead;
        self.flat_ahead += after;
        self.shared_len += content.len();
        self.shared.push_back(Shared { after, content });
    }

    /// A connection with nothing to write holds no buffer: the thread keeps one for all.
    fn give_back(&mut self) {
        let mut flat = std::mem::take(&mut self.flat);
        self.flat_written = 0;
        if flat.capacity() > 0 && flat.capacity() <= FLAT_KEEP {
            flat.clear();
            SPARE.set(flat);
        }
        if self.shared.capacity() > MAX_SLICES / 2 {
            self.shared = VecDeque::new();
        }
    }
}

/// How the application ended the request is in its response alone.
const COMPLETE: EndRequest =
    EndRequest { app_status: 0, protocol_status: ProtocolStatus::RequestComplete };

/// Contents up to this size are copied behind their header: cheaper than one more slice in the vectored write.
pub(crate) const COPY_MAX: usize = 4 * 1024;

/// So much is copied of larger ones all the same, and that far to a cache line: a body of 64 KiB then needs one record behind that of its head.
const COPY_MIN: usize = 8;

/// Of common processors.
const CACHE_LINE: usize = 64;

/// The largest content of a record behind which another one can begin at a cache line.
const WHOLE_LINES: usize = MAX_STREAM_CONTENT / CACHE_LINE * CACHE_LINE;

/// Where a header has the padding's length (section 3.3).
const PADDING_LENGTH: usize = 6;

fn line_rest(position: usize) -> usize {
    position.wrapping_neg() % CACHE_LINE
}

/// A write takes so many parts at most, which is what a head and a body of 2 MiB need.
const MAX_SLICES: usize = 64;

/// The largest buffer that is kept for the next response, and how much may be written of a buffer before it is compacted.
const FLAT_KEEP: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::record::Decoder;

    fn id() -> RequestId {
        RequestId::new(1).unwrap()
    }

    /// Takes at most so many bytes with each write. What is not small has to be aligned.
    struct Aligned {
        taken: Vec<u8>,
        most: usize,
    }

    impl Write for Aligned {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(buf)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let mut offset = 0;
            let before = self.taken.len();
            for buf in bufs {
                let room = self.most - (self.taken.len() - before);
                self.taken.extend_from_slice(&buf[..room.min(buf.len())]);
                if buf.len() > COPY_MAX / 2 {
                    assert_eq!(buf.as_ptr().addr() % CACHE_LINE, 0, "in memory");
                    assert_eq!(offset % CACHE_LINE, 0, "in the write");
                }
                offset += buf.len();
            }
            assert_eq!(offset % CACHE_LINE, 0, "its end");
            Poll::Ready(Ok(self.taken.len() - before))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// The contents of the records that `write` queues.
    fn written(most: usize, queue: impl FnOnce(&mut RecordWriter)) -> Vec<Vec<u8>> {
        let mut writer = RecordWriter::default();
        queue(&mut writer);
        let mut transport = Aligned { taken: Vec::new(), most };
        let polled = writer.poll_flush(&mut Context::from_waker(Waker::noop()), &mut transport);
        assert!(matches!(polled, Poll::Ready(Ok(()))));
        let (mut decoder, mut rest) = (Decoder::new(), &transport.taken[..]);
        let mut contents = Vec::new();
        while let Some(fragment) = decoder.decode(&mut rest).unwrap() {
            contents.push(fragment.content.to_vec());
        }
        assert!(decoder.is_at_boundary());
        contents
    }

    fn put_head(writer: &mut RecordWriter, head: &[u8]) {
        let put = |dst: &mut Vec<u8>| {
            dst.extend_from_slice(head);
            Ok::<_, ()>(())
        };
        writer.stdout_record(id(), put).unwrap();
    }

    #[test]
    fn what_is_not_copied_is_aligned_wherever_it_is_and_whatever_is_before_it() {
        let memory: Bytes = (0..1_100_000).map(|index| (index % 251) as u8).collect();
        for len in [COPY_MAX + 1, 65_456, 65_528, 65_536, 65_600, 131_072, 1_048_576] {
            for start in (0..130).step_by(if len > 70_000 { 13 } else { 1 }) {
                let body = memory.slice(start..start + len);
                let head = &memory[..100 + start % 64];
                let contents = written(usize::MAX, |writer| {
                    put_head(writer, head);
                    writer.stdout_behind(id(), head.len(), body.clone(), COPY_MAX);
                    writer.end_response(id());
                });
                assert_eq!(contents.concat()[..head.len() + len], [head, &body].concat());
                let records = contents.len() - 2;
                assert!(len > 65_536 || records <= 2, "{records} records for {len} bytes");
            }
        }
    }

    #[test]
    fn parts_of_a_body_are_aligned_when_each_is_written_alone_and_when_writes_stop_within() {
        let memory: Bytes = (0..200_000).map(|index| (index % 251) as u8).collect();
        for start in 0..64 {
            let body = memory.slice(start..start + 131_072);
            let whole = written(usize::MAX, |writer| writer.stdout(id(), body.clone()));
            assert_eq!(whole.concat(), body);
            for most in [COPY_MAX, 48_832, 65_536] {
                let parts = written(most, |writer| writer.stdout(id(), body.clone()));
                assert_eq!(parts, whole);
            }
        }
    }

    #[test]
    fn a_head_that_leaves_no_room_has_a_record_of_its_own() {
        let memory: Bytes = (0..80_000).map(|index| (index % 251) as u8).collect();
        let head = &memory[..MAX_STREAM_CONTENT];
        let mut writer = RecordWriter::default();
        put_head(&mut writer, head);
        let queued = writer.queued();
        writer.stdout_behind(id(), head.len(), memory.slice(..5), COPY_MAX);
        assert_eq!(writer.queued() - queued, Header::LEN + 5);
        let queued = writer.queued();
        writer.stdout_behind(id(), 5, memory.slice(..MAX_STREAM_CONTENT), MAX_STREAM_CONTENT);
        assert!(writer.queued() - queued > Header::LEN + MAX_STREAM_CONTENT);
    }
}
