use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use hyper::rt::{Read, ReadBufCursor, Write};

/// The application's end of a connection in memory, with the state that the web server's end controls.
///
/// Like a socket it wakes only the task that polled last in each direction, and only when it said `Pending` before.
#[derive(Debug)]
pub struct Pipe {
    state: Shared,
}

/// What the application did with its end, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Read(usize),
    ReadPending,
    ReadEof,
    ReadError,
    Write(usize),
    WritePending,
    WriteError,
    Flush,
    Shutdown,
    Drop,
}

pub fn pipe() -> (Pipe, Shared) {
    let state = Shared(Arc::new(Mutex::new(State::default())));
    (Pipe { state: state.clone() }, state)
}

/// The web server's hold on the pipe.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

#[derive(Debug)]
pub struct State {
    /// One element is what one read gives at most: cuts survive.
    input: VecDeque<Vec<u8>>,
    input_end: Option<End>,
    pub output: VecDeque<u8>,
    pub events: Vec<Event>,
    write_error: Option<ErrorKind>,
    write_cap: usize,
    write_room: usize,
    vectored: bool,
    hold_shutdown: bool,
    is_shut_down: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug)]
pub enum End {
    Eof,
    Error(ErrorKind),
}

impl Default for State {
    fn default() -> Self {
        Self {
            input: VecDeque::new(),
            input_end: None,
            output: VecDeque::new(),
            events: Vec::new(),
            write_error: None,
            write_cap: usize::MAX,
            write_room: usize::MAX,
            vectored: true,
            hold_shutdown: false,
            is_shut_down: false,
            reader: None,
            writer: None,
        }
    }
}

impl State {
    pub fn send(&mut self, chunk: Vec<u8>) {
        assert!(self.input_end.is_none(), "nothing is sent after the end");
        if !chunk.is_empty() {
            self.input.push_back(chunk);
            self.wake_reader();
        }
    }

    pub fn end_input(&mut self, end: End) {
        self.input_end = Some(end);
        self.wake_reader();
    }

    pub fn fail_writes(&mut self, error: ErrorKind) {
        self.write_error = Some(error);
        self.wake_writer();
    }

    /// From now on one call takes at most `bytes`.
    pub fn cap_writes(&mut self, bytes: usize) {
        self.write_cap = bytes;
    }

    /// Takes `bytes` more and then blocks.
    pub fn give_room(&mut self, bytes: usize) {
        self.write_room = bytes;
        if bytes > 0 {
            self.wake_writer();
        }
    }

    pub fn set_vectored(&mut self, vectored: bool) {
        self.vectored = vectored;
    }

    pub fn hold_shutdown(&mut self, hold: bool) {
        self.hold_shutdown = hold;
        if !hold {
            self.wake_writer();
        }
    }

    /// Lets go of what the application wrote, of the events, and of the memory that they took.
    pub fn forget(&mut self) {
        self.output = VecDeque::new();
        self.events = Vec::new();
        self.input.shrink_to_fit();
    }

    /// Sent, and not yet read by the application.
    pub fn unread(&self) -> usize {
        self.input.iter().map(Vec::len).sum()
    }

    fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    fn read(&mut self, cx: &Context<'_>, buf: &mut ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        assert!(buf.remaining() > 0, "a read into no space cannot be told from the end");
        if let Some(chunk) = self.input.front_mut() {
            let len = chunk.len().min(buf.remaining());
            buf.put_slice(&chunk[..len]);
            chunk.drain(..len);
            if chunk.is_empty() {
                self.input.pop_front();
            }
            self.events.push(Event::Read(len));
            return Poll::Ready(Ok(()));
        }
        match self.input_end {
            None => {
                self.reader = Some(cx.waker().clone());
                self.events.push(Event::ReadPending);
                Poll::Pending
            }
            Some(End::Eof) => {
                self.events.push(Event::ReadEof);
                Poll::Ready(Ok(()))
            }
            Some(End::Error(kind)) => {
                self.events.push(Event::ReadError);
                Poll::Ready(Err(kind.into()))
            }
        }
    }

    fn write<'a>(
        &mut self,
        cx: &Context<'_>,
        bufs: impl Iterator<Item = &'a [u8]>,
    ) -> Poll<io::Result<usize>> {
        assert!(!self.is_shut_down, "nothing is written after the write half was shut");
        if let Some(kind) = self.write_error {
            self.events.push(Event::WriteError);
            return Poll::Ready(Err(kind.into()));
        }
        let room = self.write_cap.min(self.write_room);
        if room == 0 {
            self.writer = Some(cx.waker().clone());
            self.events.push(Event::WritePending);
            return Poll::Pending;
        }
        let before = self.output.len();
        self.output.extend(bufs.flatten().take(room));
        let written = self.output.len() - before;
        assert!(written > 0, "a write of nothing");
        if self.write_room != usize::MAX {
            self.write_room -= written;
        }
        self.events.push(Event::Write(written));
        Poll::Ready(Ok(written))
    }

    fn shutdown(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.hold_shutdown {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        assert!(!self.is_shut_down, "the write half is shut once");
        self.is_shut_down = true;
        self.events.push(Event::Shutdown);
        Poll::Ready(Ok(()))
    }
}

impl Read for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.state.lock().read(cx, &mut buf)
    }
}

impl Write for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.state.lock().write(cx, [buf].into_iter())
    }

    fn is_write_vectored(&self) -> bool {
        self.state.lock().vectored
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.lock();
        assert!(state.vectored, "a vectored write to an IO that does not take them");
        // No kernel takes more than IOV_MAX.
        state.write(cx, bufs.iter().take(1024).map(|buf| &**buf))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.lock().events.push(Event::Flush);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.lock().shutdown(cx)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.state.lock().events.push(Event::Drop);
    }
}
