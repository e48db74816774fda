use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
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
    segments: VecDeque<Segment>,
    queued: usize,
    written: u64,
}

#[derive(Debug)]
enum Segment {
    /// So many bytes of `flat`, behind those of the flat segments before.
    Flat(usize),
    Shared(Bytes),
}

impl RecordWriter {
    /// How many bytes wait to be written.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// How many bytes the transport has accepted so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// Appends one FCGI_STDOUT record with what `put` appends, or nothing if it fails or appends nothing. `put` keeps to
    /// [`MAX_STREAM_CONTENT`].
    pub(crate) fn stdout_record<R, E>(
        &mut self,
        id: RequestId,
        put: impl FnOnce(&mut Vec<u8>) -> Result<R, E>,
    ) -> Result<R, E> {
        self.flat(|flat| {
            let start = flat.len();
            let content = start + Header::LEN;
            flat.resize(content, 0);
            let result = put(flat);
            if result.is_err() || flat.len() == content {
                flat.truncate(start);
                return result;
            }
            let header = stream_header(RecordType::Stdout, id, flat.len() - content);
            flat[start..content].copy_from_slice(&header);
            result
        })
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
            self.flat(|flat| flat.extend_from_slice(&header));
            self.queued += content.len();
            self.segments.push_back(Segment::Shared(content));
        }
        self.flat(|flat| put_stream(flat, record_type, id, &data));
    }

    /// Appends something for the web server's error log.
    pub(crate) fn stderr(&mut self, id: RequestId, content: &[u8]) {
        self.flat(|flat| put_stream(flat, RecordType::Stderr, id, content));
    }

    /// Appends a record of a request as it is.
    #[cfg(feature = "client")]
    pub(crate) fn record(&mut self, record_type: RecordType, id: RequestId, content: &[u8]) {
        self.flat(|flat| put_record(flat, record_type, Some(id), content));
    }

    /// Ends the response: FCGI_STDOUT's end and FCGI_END_REQUEST.
    pub(crate) fn end_response(&mut self, id: RequestId) {
        self.flat(|flat| {
            put_stream_end(flat, RecordType::Stdout, id);
            put_end_request(flat, id, COMPLETE);
        });
    }

    /// Appends FCGI_END_REQUEST alone.
    pub(crate) fn end_request(&mut self, id: RequestId, protocol_status: ProtocolStatus) {
        let end = EndRequest { app_status: 0, protocol_status };
        self.flat(|flat| put_end_request(flat, id, end));
    }

    /// Appends a management record.
    pub(crate) fn management(&mut self, record_type: RecordType, content: &[u8]) {
        self.flat(|flat| put_record(flat, record_type, None, content));
    }

    /// Appends bytes that are no record.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.flat(|flat| flat.extend_from_slice(bytes));
    }

    /// Writes until nothing is queued, then flushes the transport.
    pub(crate) fn poll_flush<I: Write + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
    ) -> Poll<io::Result<()>> {
        while self.queued > 0 {
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
        if flat.len() == self.queued {
            return Pin::new(io).poll_write(cx, flat);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = IoSlice::new(match segment {
                Segment::Flat(len) => {
                    let (segment, rest) = flat.split_at(*len);
                    flat = rest;
                    segment
                }
                Segment::Shared(bytes) => bytes,
            });
            count += 1;
        }
        Pin::new(io).poll_write_vectored(cx, &slices[..count])
    }

    fn advance(&mut self, mut written: usize) {
        self.queued -= written;
        self.written += written as u64;
        while written > 0 {
            let segment = self.segments.front_mut().expect("no more is written than was queued");
            let len = match segment {
                Segment::Flat(len) => *len,
                Segment::Shared(bytes) => bytes.len(),
            };
            let step = len.min(written);
            written -= step;
            match segment {
                Segment::Flat(len) => {
                    *len -= step;
                    self.flat_written += step;
                }
                Segment::Shared(bytes) => drop(bytes.split_to(step)),
            }
            if step == len {
                self.segments.pop_front();
            }
        }
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

    fn flat<R>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        if self.flat.capacity() == 0 {
            self.flat = SPARE.take();
        }
        let before = self.flat.len();
        let result = append(&mut self.flat);
        let added = self.flat.len() - before;
        self.queued += added;
        match self.segments.back_mut() {
            _ if added == 0 => {}
            Some(Segment::Flat(len)) => *len += added,
            _ => self.segments.push_back(Segment::Flat(added)),
        }
        result
    }

    /// A connection with nothing to write holds no buffer: the thread keeps one for all.
    fn give_back(&mut self) {
        let mut flat = std::mem::take(&mut self.flat);
        self.flat_written = 0;
        if flat.capacity() > 0 && flat.capacity() <= FLAT_KEEP {
            flat.clear();
            SPARE.set(flat);
        }
        if self.segments.capacity() > MAX_SLICES {
            self.segments = VecDeque::new();
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
