use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tower_fastcgi::record::EndRequest;

use crate::terminal::{self, Style};
use crate::wire::{Direction, Interpreter, Line, Meaning, Pair, Piece, Splitter, quoted};

/// What goes over a connection, printed if that is wanted, and the parts of it that reports need.
#[derive(Clone, Debug)]
pub(super) struct Transcript(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Whether records are looked at: by default their bytes are only counted.
    reads: bool,
    prints: bool,
    request: Side,
    response: Side,
    params: Vec<Pair>,
    end: Option<EndRequest>,
    /// The first bytes that came.
    start: Vec<u8>,
}

#[derive(Debug, Default)]
struct Side {
    splitter: Splitter,
    interpreter: Interpreter,
}

impl Transcript {
    pub(super) fn new(prints: bool, reads: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            reads: reads || prints,
            prints,
            request: Side::default(),
            response: Side::default(),
            params: Vec::new(),
            end: None,
            start: Vec::new(),
        })))
    }

    /// The transport, with each of its bytes in this transcript.
    pub(super) fn of<I>(&self, io: I) -> Recorded<I> {
        Recorded { io, transcript: self.clone() }
    }

    /// Prints what is no record.
    pub(super) fn note(&self, text: std::fmt::Arguments<'_>) {
        if self.lock().prints {
            terminal::note(format_args!("* {text}"));
        }
    }

    /// The params that were sent.
    pub(super) fn params(&self) -> Vec<Pair> {
        self.lock().params.clone()
    }

    /// How the application ended the request.
    pub(super) fn end(&self) -> Option<EndRequest> {
        self.lock().end
    }

    /// The first bytes of the application's.
    pub(super) fn start(&self) -> Vec<u8> {
        self.lock().start.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, direction: Direction, bytes: &[u8]) {
        if direction == Direction::Response && self.start.len() < START {
            let room = START - self.start.len();
            self.start.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        if !self.reads {
            return;
        }
        let mut pieces = Vec::new();
        self.side(direction).splitter.push(bytes, |piece| pieces.push(piece));
        pieces.into_iter().for_each(|piece| self.on_piece(direction, piece));
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    fn on_piece(&mut self, direction: Direction, piece: Piece) {
        let record = match piece {
            Piece::Record(record) => record,
            Piece::Foreign { offset, start } => {
                if self.prints {
                    let start = quoted(&start, START);
                    terminal::note(format_args!("< not FastCGI from byte {offset} on: {start}"));
                }
                return;
            }
        };
        let meaning = self.side(direction).interpreter.read(&record);
        if self.prints {
            let style = Style::of(&io::stderr());
            let max_content = SHOWN;
            let line = Line {
                prefix: "",
                direction,
                record: &record,
                meaning: &meaning,
                max_content,
                style,
            };
            terminal::note(format_args!("{}", line.to_string().trim_end()));
        }
        match meaning {
            Meaning::Pairs { pairs, .. } if direction == Direction::Request => {
                self.params.extend(pairs);
            }
            Meaning::End(end) => self.end = Some(end),
            _ => {}
        }
    }
}

/// A transport whose bytes are recorded.
#[derive(Debug)]
pub(super) struct Recorded<I> {
    io: I,
    transcript: Transcript,
}

impl<I: Read + Unpin> Read for Recorded<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut block = [0; BLOCK];
        let len = room.remaining().min(BLOCK);
        let mut buffer = ReadBuf::new(&mut block[..len]);
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer.unfilled()))?;
        self.transcript.lock().take(Direction::Response, buffer.filled());
        room.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl<I: Write + Unpin> Write for Recorded<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.transcript.lock().take(Direction::Request, &bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices))?;
        let mut rest = written;
        let mut state = self.transcript.lock();
        for slice in slices {
            let len = slice.len().min(rest);
            state.take(Direction::Request, &slice[..len]);
            rest -= len;
        }
        Poll::Ready(Ok(written))
    }
}

/// So much is read at a time.
const BLOCK: usize = 16 * 1024;

/// So many bytes of a record's content are printed.
const SHOWN: usize = 200;

/// So many of the first bytes are kept.
const START: usize = 64;
