use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::options::Options;

/// How far a transfer has come, with a bar on the terminal for one that takes long.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
    begin: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sent: Count,
    received: Count,
    bar: Option<Bar>,
    broken: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    bytes: u64,
    expected: Option<u64>,
}

#[derive(Debug)]
struct Bar {
    phase: Phase,
    bar: ProgressBar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Sending,
    Receiving,
}

impl Progress {
    pub(super) fn new(options: &Options) -> Self {
        let is_body_shown = io::stdout().is_terminal() && options.output.is_none() && !options.json;
        let is_shown =
            io::stderr().is_terminal() && !is_body_shown && !options.silent && !options.verbose;
        Self { is_shown, begin: Instant::now(), state: Mutex::default() }
    }

    /// Sets how much there is to send, if that is known.
    pub(super) fn expect_upload(&self, length: Option<u64>) {
        self.lock().sent.expected = length;
    }

    /// Sets how much there is to receive, if that is known.
    pub(super) fn expect_download(&self, length: Option<u64>) {
        self.lock().received.expected = length;
    }

    pub(super) fn sent(&self, bytes: usize) {
        let mut state = self.lock();
        state.sent.bytes += bytes as u64;
        self.show(&mut state, Phase::Sending);
    }

    pub(super) fn received(&self, bytes: usize) {
        let mut state = self.lock();
        state.received.bytes += bytes as u64;
        self.show(&mut state, Phase::Receiving);
    }

    /// What is to be sent cannot be read any further.
    pub(super) fn upload_breaks(&self, error: &io::Error) {
        self.lock().broken = Some(error.to_string());
    }

    /// Why what was to be sent could not be read to its end, if so.
    pub(super) fn broken_upload(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// How many bytes of the body were sent, and how many were received.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let state = self.lock();
        (state.sent.bytes, state.received.bytes)
    }

    /// Prints something while the bar is out of the way.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        match &self.lock().bar {
            Some(bar) => bar.bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = self.lock().bar.take() {
            bar.bar.finish_and_clear();
        }
    }

    fn show(&self, state: &mut State, phase: Phase) {
        if !self.is_shown || self.begin.elapsed() < DELAY {
            return;
        }
        // An early answer does not hide how the upload goes on.
        let is_other = state.bar.as_ref().is_none_or(|bar| bar.phase != phase);
        let count = if phase == Phase::Sending { state.sent } else { state.received };
        if is_other {
            if let Some(bar) = state.bar.take() {
                bar.bar.finish_and_clear();
            }
            state.bar = Some(Bar { phase, bar: new_bar(phase, count.expected) });
        }
        if let Some(bar) = &state.bar {
            bar.bar.set_position(count.bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_bar(phase: Phase, expected: Option<u64>) -> ProgressBar {
    let (bar, template) = match expected {
        Some(expected) => (ProgressBar::new(expected), KNOWN),
        None => (ProgressBar::no_length(), UNKNOWN),
    };
    let style = ProgressStyle::with_template(template).expect("the template is right");
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(if phase == Phase::Sending { "sent" } else { "received" });
    bar
}

const DELAY: Duration = Duration::from_millis(500);
const KNOWN: &str = "{msg} {bytes} of {total_bytes} [{wide_bar}] {bytes_per_sec}, {eta} left";
const UNKNOWN: &str = "{spinner} {msg} {bytes}, {bytes_per_sec}";
