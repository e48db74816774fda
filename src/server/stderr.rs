use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The way to the web server's error log: lines for a request's FCGI_STDERR.
///
/// It is in the extensions of each request when [`Builder::stderr`](super::Builder::stderr) is set, which it is not by default. With
/// axum, `Extension<Stderr>` or `Option<Extension<Stderr>>` extracts it. `StderrLayer` (feature `tracing-subscriber`) writes warnings
/// and errors there by itself.
///
/// Each line becomes a record of its own, soon after it is written and in any case before the end of the response. Where it shows:
///
/// | | |
/// |---|---|
/// | nginx | `error_log`, level error: `FastCGI sent in stderr: "…"` |
/// | Apache | `ErrorLog`: `AH01071: Got error '…'` with mod_proxy_fcgi, `mod_fcgid: stderr: …` with mod_fcgid |
/// | lighttpd | `server.errorlog`: `FastCGI-stderr: …` |
/// | Caddy 2.6 | nowhere, not even with `capture_stderr` where the response is a success |
/// | HAProxy 2.6 | it crashes, with all it serves |
/// | HAProxy 3.0 | its log, with `log-stderr global` in the section `fcgi-app` |
///
/// It can be cloned and used from any thread. Once the response has ended, what is written goes nowhere.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::server::{Builder, Stderr};
///
/// let mut builder = Builder::new();
/// builder.stderr(8 * 1024);
///
/// async fn handler(request: http::Request<()>) -> &'static str {
///     if let Some(stderr) = request.extensions().get::<Stderr>() {
///         stderr.write_line(format_args!("the database took {} ms", 1200));
///     }
///     "done"
/// }
/// ```
#[derive(Clone)]
pub struct Stderr(Arc<Shared>);

struct Shared {
    lines: Mutex<Lines>,
    exchange: Waker,
}

#[derive(Default)]
struct Lines {
    /// Each with its line feed, which no line has within.
    pending: Vec<u8>,
    /// How many bytes more the request may write; 0 once it has ended.
    left: usize,
}

impl Stderr {
    /// Writes a line.
    ///
    /// Control characters and what reorders text (CR, LF, ESC, U+202E, …) are escaped as in Rust's literals, so that nobody forges
    /// lines or commands terminals by what ends up in a log; a backslash is doubled. A line that exceeds what the request may write
    /// is cut, `…` at its end tells so, and those that follow are dropped.
    pub fn write_line(&self, line: impl fmt::Display) {
        let left = self.lock().left;
        // Not while the lines are locked: what formats itself may log.
        let line = escaped(line, left);
        let mut lines = self.lock();
        if lines.push(&line) {
            drop(lines);
            self.0.exchange.wake_by_ref();
        }
    }

    /// The handle of the request that is being handled on this thread at this very moment, for those to whom nobody gave it.
    ///
    /// There is one while the service's future or its response body is being polled. In a task that a handler has spawned there is
    /// none.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stderr").finish_non_exhaustive()
    }
}

impl Lines {
    /// Whether there is something new to be sent.
    fn push(&mut self, line: &str) -> bool {
        let with_line_feed = line.len() + 1;
        if with_line_feed <= self.left {
            self.left -= with_line_feed;
            self.append(line, "");
            return true;
        }
        let room = self.left.checked_sub(CUT.len() + 1);
        self.left = 0;
        if let Some(room) = room {
            self.append(&line[..floor_char_boundary(line, room)], CUT);
        }
        room.is_some()
    }

    fn append(&mut self, line: &str, end: &str) {
        for part in [line, end, "\n"] {
            self.pending.extend_from_slice(part.as_bytes());
        }
    }
}

/// The connection's end of it. Dropped, it closes the other.
pub(super) struct Outlet {
    stderr: Stderr,
    has_sent: bool,
}

impl Outlet {
    /// For a request that may write so many bytes. `exchange` is woken when it has.
    pub(super) fn new(max: usize, exchange: Waker) -> Self {
        let lines = Mutex::new(Lines { pending: Vec::new(), left: max });
        Self { stderr: Stderr(Arc::new(Shared { lines, exchange })), has_sent: false }
    }

    pub(super) fn handle(&self) -> Stderr {
        self.stderr.clone()
    }

    /// What was written since the last time, line by line.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let lines = std::mem::take(&mut self.stderr.lock().pending);
        self.has_sent |= !lines.is_empty();
        lines
    }

    /// Whether there ever was something, so that FCGI_STDERR has an end.
    pub(super) fn has_sent(&self) -> bool {
        self.has_sent
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        *self.stderr.lock() = Lines::default();
    }
}

/// While it lives, its request is the [current](Stderr::current) one of this thread.
pub(super) struct Entered(Option<Stderr>);

impl Entered {
    pub(super) fn new(stderr: Stderr) -> Self {
        Self(CURRENT.replace(Some(stderr)))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// The text in one line of visible characters, no longer than about `max` bytes.
fn escaped(text: impl fmt::Display, max: usize) -> String {
    let mut line = Escaped { line: String::new(), max };
    // It ends with an error when it is long enough, and that is all that was asked for.
    let _ = write!(line, "{text}");
    line.line
}

struct Escaped {
    line: String,
    max: usize,
}

impl fmt::Write for Escaped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.line.len() > self.max {
                return Err(fmt::Error);
            }
            match character {
                '\\' | '\n' | '\r' | '\t' => self.line.extend(character.escape_default()),
                _ if is_invisible(character) => self.line.extend(character.escape_unicode()),
                _ => self.line.push(character),
            }
        }
        Ok(())
    }
}

/// Control characters of ASCII and Latin-1, line and paragraph separators, marks that change the direction of text, and the
/// characters of no width.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || character.is_control()
}

fn floor_char_boundary(text: &str, most: usize) -> usize {
    (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0)
}

/// What stands at the end of a line that was cut.
const CUT: &str = "…";

thread_local! {
    static CURRENT: RefCell<Option<Stderr>> = const { RefCell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(max: usize) -> (Outlet, Stderr) {
        let outlet = Outlet::new(max, Waker::noop().clone());
        let stderr = outlet.handle();
        (outlet, stderr)
    }

    fn written(outlet: &mut Outlet) -> String {
        String::from_utf8(outlet.take()).unwrap()
    }

    #[test]
    fn a_line_stays_one_line_whatever_is_in_it() {
        let (mut outlet, stderr) = outlet(1000);
        stderr.write_line("plain, grün, 日本");
        stderr.write_line("a\r\nb\n2026/11/22 [error] forged");
        stderr.write_line("\u{1b}[2J\u{9b}31m\u{7}\u{7f}\0\t");
        stderr.write_line("x\u{202e}y\u{2028}z\u{200b}");
        stderr.write_line(r"C:\n");
        let expected = [
            "plain, grün, 日本",
            r"a\r\nb\n2026/11/22 [error] forged",
            r"\u{1b}[2J\u{9b}31m\u{7}\u{7f}\u{0}\t",
            r"x\u{202e}y\u{2028}z\u{200b}",
            r"C:\\n",
        ];
        assert_eq!(written(&mut outlet), expected.map(|line| format!("{line}\n")).concat());
        assert_eq!(written(&mut outlet), "");
    }

    #[test]
    fn a_request_writes_no_more_than_it_may() {
        let (mut outlet, stderr) = outlet(16);
        stderr.write_line("12345");
        assert_eq!(written(&mut outlet), "12345\n");
        stderr.write_line("12345678");
        stderr.write_line("dropped, for one byte is left");
        assert_eq!(written(&mut outlet), "12345678\n");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_between_characters() {
        let (mut outlet, stderr) = outlet(10);
        stderr.write_line("ü".repeat(1000));
        stderr.write_line("dropped");
        let line = written(&mut outlet);
        assert_eq!(line, "üüü…\n");
        assert!(line.len() <= 10);
    }

    #[test]
    fn no_limit_lets_more_than_itself_through() {
        for max in 0..40 {
            let (mut outlet, stderr) = outlet(max);
            for line in ["", "ü\n", "日本", "12345678"] {
                stderr.write_line(line);
            }
            assert!(outlet.take().len() <= max, "{max}");
        }
    }

    #[test]
    fn a_text_without_end_is_not_written_out() {
        struct Endless;

        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("and so on ")?;
                }
            }
        }

        let (mut outlet, stderr) = outlet(100);
        stderr.write_line(Endless);
        assert_eq!(outlet.take().len(), 100);
    }

    #[test]
    fn after_the_end_nothing_is_kept() {
        let (outlet, stderr) = outlet(100);
        stderr.write_line("before");
        drop(outlet);
        stderr.write_line("after");
        assert!(stderr.lock().pending.is_empty());
    }

    #[test]
    fn what_formats_itself_may_write_a_line_too() {
        struct Logs(Stderr);

        impl fmt::Display for Logs {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write_line("inner");
                f.write_str("outer")
            }
        }

        let (mut outlet, stderr) = outlet(100);
        stderr.write_line(Logs(stderr.clone()));
        assert_eq!(written(&mut outlet), "inner\nouter\n");
    }

    #[test]
    fn the_current_one_is_that_entered_last() {
        let is_current = |stderr: &Stderr| {
            Stderr::current().is_some_and(|current| Arc::ptr_eq(&current.0, &stderr.0))
        };
        let (_outer_outlet, outer) = outlet(100);
        let (_inner_outlet, inner) = outlet(100);
        assert!(Stderr::current().is_none());
        let entered = Entered::new(outer.clone());
        {
            let _entered = Entered::new(inner.clone());
            assert!(is_current(&inner));
        }
        assert!(is_current(&outer));
        drop(entered);
        assert!(Stderr::current().is_none());
    }
}
