//! What is printed, and how it looks there.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use crate::failure::{Failure, Outcome};

/// Prints to standard output.
pub(crate) fn print(bytes: &[u8]) -> Outcome {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| Failure::output("standard output", &error))
}

/// Prints an error and what to do about it to standard error.
pub(crate) fn error(message: &str, advice: Option<&str>) {
    let style = Style::of(&io::stderr());
    note(format_args!("{} {message}", style.paint(Colour::Red, "error:")));
    advice.into_iter().for_each(hint);
}

/// Prints what to do next to standard error.
pub(crate) fn hint(advice: &str) {
    note(format_args!("{} {advice}", Style::of(&io::stderr()).paint(Colour::Yellow, "hint:")));
}

/// Prints a line to standard error. That it cannot be written can be told nobody.
pub(crate) fn note(line: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Whether output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Coloured,
}

#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
}

impl Style {
    /// Coloured on a terminal that can show it, unless NO_COLOR is set (no-color.org).
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match stream.is_terminal() && !is_set("NO_COLOR") && !is_dumb {
            true => Self::Coloured,
            false => Self::Plain,
        }
    }

    pub(crate) fn paint<T: fmt::Display>(self, colour: Colour, text: T) -> Painted<T> {
        Painted { style: self, colour, text }
    }
}

/// Text in a colour.
#[derive(Debug)]
pub(crate) struct Painted<T> {
    style: Style,
    colour: Colour,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style {
            Style::Plain => self.text.fmt(f),
            Style::Coloured => write!(f, "\x1b[{}m{}\x1b[0m", self.colour as u8, self.text),
        }
    }
}
