use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::trace::warn;

/// Where the text goes that an application writes to FCGI_STDERR.
///
/// Set for all requests with [`conn::Builder::stderr`](super::conn::Builder::stderr), and for a single one by putting it into the
/// request's extensions. By default it is logged.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::client::Stderr;
///
/// let (stderr, captured) = Stderr::capture(64 * 1024);
/// let mut request = http::Request::get("/").body(String::new()).unwrap();
/// request.extensions_mut().insert(stderr);
/// // Once the response has come:
/// println!("{captured}");
/// ```
#[derive(Clone, Default)]
pub struct Stderr(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Log,
    Discard,
    Call(Arc<Function>),
}

type Function = dyn Fn(&[u8]) + Send + Sync;

impl Stderr {
    /// Logs each line with `tracing` as a warning: escaped, cut after 4 KiB, and no more than 64 KiB of a request.
    pub fn log() -> Self {
        Self(Kind::Log)
    }

    /// Drops it.
    pub fn discard() -> Self {
        Self(Kind::Discard)
    }

    /// Hands it to a function, in the pieces in which it comes.
    ///
    /// The function is called on the task of the connection, so it must be quick and must not block.
    pub fn call(function: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self(Kind::Call(Arc::new(function)))
    }

    /// Keeps the first `max` bytes.
    pub fn capture(max: usize) -> (Self, Captured) {
        let captured = Captured(Arc::default());
        let state = captured.0.clone();
        let stderr = Self::call(move |text| {
            let mut state = lock(&state);
            let room = max - state.text.len();
            state.is_truncated |= room < text.len();
            state.text.extend_from_slice(&text[..room.min(text.len())]);
        });
        (stderr, captured)
    }
}

impl fmt::Debug for Stderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Log => "Stderr::log",
            Kind::Discard => "Stderr::discard",
            Kind::Call(_) => "Stderr::call",
        })
    }
}

/// What [`Stderr::capture`] has kept so far. Shown, it is [`Escaped`].
#[derive(Clone)]
pub struct Captured(Arc<Mutex<Capture>>);

#[derive(Default)]
struct Capture {
    text: Vec<u8>,
    is_truncated: bool,
}

impl Captured {
    /// The bytes as they came.
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.0).text.clone()
    }

    /// Whether there was more than is kept.
    pub fn is_truncated(&self) -> bool {
        lock(&self.0).is_truncated
    }
}

impl fmt::Display for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&lock(&self.0).text).fmt(f)
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.0);
        f.debug_struct("Captured")
            .field("len", &state.text.len())
            .field("is_truncated", &state.is_truncated)
            .finish()
    }
}

/// Shows bytes of an application so that they cannot harm a terminal or forge a line of a log: what is no UTF-8, controls,
/// invisible characters and the backslash are escaped as in Rust's strings. Line feeds and tabs, too.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::client::Escaped;
///
/// assert_eq!(Escaped(b"caf\xc3\xa9 \x1b[31m\xff\n").to_string(), r"café \u{1b}[31m\xff\n");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for char in chunk.valid().chars() {
                match char {
                    '"' | '\'' => f.write_char(char)?,
                    char => char.escape_debug().try_for_each(|char| f.write_char(char))?,
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

/// The FCGI_STDERR stream of one request.
pub(super) struct StderrStream {
    to: Stderr,
    line: Vec<u8>,
    logged: usize,
}

impl StderrStream {
    pub(super) fn new(to: Stderr) -> Self {
        Self { to, line: Vec::new(), logged: 0 }
    }

    pub(super) fn write(&mut self, text: &[u8]) {
        match &self.to.0 {
            Kind::Log => self.log(text),
            Kind::Discard => {}
            Kind::Call(function) => function(text),
        }
    }

    /// Gathers lines. What is beyond a limit is not even kept.
    fn log(&mut self, text: &[u8]) {
        for part in text.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE_MAX - self.line.len();
            self.line.extend_from_slice(&part[..room.min(part.len())]);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii_end();
        if line.is_empty() || self.logged >= REQUEST_MAX {
            return;
        }
        self.logged += line.len();
        warn!(stderr = %Escaped(line), "the application wrote to its error stream");
        if self.logged >= REQUEST_MAX {
            warn!("the rest of the application's error stream is left out");
        }
    }
}

/// The last line may have no end.
impl Drop for StderrStream {
    fn drop(&mut self) {
        self.end_line();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const LINE_MAX: usize = 4 * 1024;
const REQUEST_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_harm_is_escaped() {
        let escaped = |bytes: &[u8]| Escaped(bytes).to_string();
        assert_eq!(escaped(b"it's \"fine\""), "it's \"fine\"");
        assert_eq!(escaped(b"a\r\nb\tc\0\x7f"), r"a\r\nb\tc\0\u{7f}");
        assert_eq!(escaped(b"\\n"), r"\\n");
        assert_eq!(escaped("\u{202e}\u{200b}\u{85}".as_bytes()), r"\u{202e}\u{200b}\u{85}");
        assert_eq!(escaped(b"\xff\xc3x\xe2\x82"), r"\xff\xc3x\xe2\x82");
    }

    #[test]
    fn a_capture_is_bounded() {
        let (stderr, captured) = Stderr::capture(5);
        let mut stream = StderrStream::new(stderr);
        stream.write(b"abc");
        assert!(!captured.is_truncated());
        stream.write(b"defg");
        stream.write(b"h");
        assert_eq!(captured.bytes(), b"abcde");
        assert!(captured.is_truncated());
    }

    #[test]
    fn lines_are_gathered_within_bounds() {
        let mut stream = StderrStream::new(Stderr::log());
        stream.write(b"half ");
        assert_eq!(stream.line, b"half ");
        stream.write(b"a line\nnext");
        assert_eq!((&stream.line[..], stream.logged), (&b"next"[..], 11));
        stream.write(&[b'x'; 10_000]);
        assert_eq!(stream.line.len(), LINE_MAX);
        for _ in 0..100 {
            stream.write(&[b'y'; 10_000]);
            stream.write(b"\n");
        }
        assert!(stream.logged < REQUEST_MAX + LINE_MAX, "{}", stream.logged);
    }
}
