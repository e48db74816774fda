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

    /// Makes the FCGI_STDOUT record longer that was appended last and holds `len` bytes. `false` if it would not be one any more.
    pub(crate) fn extend_stdout(&mut self, id: RequestId, len: usize, data: &[u8]) -> bool {
        let content_length = len + data.len();
        if content_length > MAX_STREAM_CONTENT {
            return false;
        }
        let flat = self.flat();
        let content = flat.len() - len;
        let header = stream_header(RecordType::Stdout, id, content_length);
        flat[content - Header::LEN..content].copy_from_slice(&header);
        flat.extend_from_slice(data);
        true
    }

    /// Appends a part of a response body in as many records as it takes.
    pub(crate) fn stdout(&mut self, id: RequestId, data: Bytes) {
        self.stream(RecordType::Stdout, id, data);
    }

    /// Appends a part of a stream in as many records as it takes.
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
const COPY_MAX: usize = 4 * 1024;

/// A write takes so many parts at most, which is what a head and a body of 2 MiB need.
const MAX_SLICES: usize = 64;

/// The largest buffer that is kept for the next response, and how much may be written of a buffer before it is compacted.
const FLAT_KEEP: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
