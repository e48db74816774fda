use std::sync::Arc;

use tower_fastcgi::client::Escaped;

use super::options::Options;
use super::progress::Progress;
use crate::terminal::{self, Colour, Style};

/// What the application writes to FCGI_STDERR, which comes in any pieces.
#[derive(Debug)]
pub(super) struct Lines {
    to: To,
    line: Vec<u8>,
    progress: Arc<Progress>,
}

#[derive(Debug)]
enum To {
    Terminal,
    /// Kept for a report.
    Report(Vec<u8>),
    /// The transcript has it.
    Nowhere,
}

impl Lines {
    pub(super) fn new(options: &Options, progress: Arc<Progress>) -> Self {
        let to = match options {
            Options { json: true, .. } => To::Report(Vec::new()),
            Options { verbose: true, .. } => To::Nowhere,
            _ => To::Terminal,
        };
        Self { to, line: Vec::new(), progress }
    }

    pub(super) fn write(&mut self, text: &[u8]) {
        match &mut self.to {
            To::Nowhere => {}
            To::Report(kept) => kept.extend_from_slice(text),
            To::Terminal => {
                for part in text.split_inclusive(|&byte| byte == b'\n') {
                    self.line.extend_from_slice(part);
                    if part.ends_with(b"\n") || self.line.len() >= LINE_MAX {
                        self.end();
                    }
                }
            }
        }
    }

    /// Prints the last line, which may have no end.
    pub(super) fn end(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii_end();
        if !line.is_empty() {
            let prefix = Style::of(&std::io::stderr()).paint(Colour::Yellow, "stderr:");
            self.progress.suspend(|| terminal::note(format_args!("{prefix} {}", Escaped(line))));
        }
    }

    /// What is kept.
    pub(super) fn kept(&self) -> &[u8] {
        if let To::Report(kept) = &self.to { kept } else { &[] }
    }
}

/// A longer line is printed in parts.
const LINE_MAX: usize = 64 * 1024;
