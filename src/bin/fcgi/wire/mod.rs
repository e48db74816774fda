//! What is on the wire, made readable.

mod describe;
mod json;
mod meaning;
mod splitter;

pub(crate) use self::describe::{Line, quoted};
pub(crate) use self::json::{bytes_as_json, pairs_as_json, record_as_json};
pub(crate) use self::meaning::{Interpreter, Meaning, Pair};
pub(crate) use self::splitter::{Piece, Record, Splitter};

use std::fmt;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The web server, or this program in its place.
    Request,
    /// The application.
    Response,
}

impl Direction {
    /// `>` and `<`, as curl has it.
    pub(crate) fn arrow(self) -> char {
        match self {
            Self::Request => '>',
            Self::Response => '<',
        }
    }

    pub(crate) fn sender(self) -> &'static str {
        match self {
            Self::Request => "the web server",
            Self::Response => "the application",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Response => "response",
        })
    }
}
