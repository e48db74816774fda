use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};
use tower_fastcgi::client::Escaped;
use tower_fastcgi::listener::AnyAddr;

use super::Options;
use crate::failure::{Failure, Outcome};
use crate::terminal::{self, Style};
use crate::wire::{
    Direction, Interpreter, Line, Piece, Splitter, bytes_as_json, quoted, record_as_json,
};

/// One direction of a connection, which prints what passes.
#[derive(Debug)]
pub(super) struct Tap<'a> {
    direction: Direction,
    splitter: Splitter,
    interpreter: Interpreter,
    teller: &'a Teller,
}

/// Prints what happens on a connection.
#[derive(Debug)]
pub(super) struct Teller {
    number: u64,
    begin: Instant,
    options: Arc<Options>,
    style: Style,
}

impl<'a> Tap<'a> {
    pub(super) fn new(direction: Direction, teller: &'a Teller) -> Self {
        Self {
            direction,
            splitter: Splitter::default(),
            interpreter: Interpreter::default(),
            teller,
        }
    }

    /// Prints what these bytes complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Outcome {
        let mut pieces = Vec::new();
        self.splitter.push(bytes, |piece| pieces.push(piece));
        pieces.into_iter().try_for_each(|piece| self.on_piece(piece))
    }

    /// Prints that no more comes, and what is incomplete then.
    pub(super) fn ends(&mut self, error: Option<&io::Error>) -> Outcome {
        let (bytes, records) = (self.splitter.offset(), self.splitter.records());
        let within = self.splitter.unfinished();
        if self.teller.options.json {
            let mut members = self.members();
            members.insert("bytes".into(), bytes.into());
            members.insert("records".into(), records.into());
            members.insert("within".into(), within.into());
            members.insert("error".into(), error.map(ToString::to_string).into());
            return self.teller.object("end", members);
        }
        let within = within.map_or_else(String::new, |part| format!(", within {part}"));
        let error = error.map_or_else(String::new, |error| format!(": {error}"));
        self.teller.note(format_args!(
            "{} is done{within}: {records} records, {bytes} bytes{error}",
            self.direction.sender()
        ))
    }

    fn on_piece(&mut self, piece: Piece) -> Outcome {
        let record = match piece {
            Piece::Record(record) => record,
            Piece::Foreign { offset, start } => return self.on_foreign(offset, &start),
        };
        let meaning = self.interpreter.read(&record);
        let (direction, max_content) = (self.direction, self.teller.options.max_content);
        if self.teller.options.json {
            let members = record_as_json(direction, &record, &meaning, max_content);
            return self.teller.object("record", members);
        }
        let (prefix, style) = (&self.teller.prefix(), self.teller.style);
        let line =
            Line { prefix, direction, record: &record, meaning: &meaning, max_content, style };
        terminal::print(line.to_string().as_bytes())
    }

    fn on_foreign(&self, offset: u64, start: &[u8]) -> Outcome {
        if self.teller.options.json {
            let mut members = self.members();
            members.insert("offset".into(), offset.into());
            members.extend([bytes_as_json("start", start)]);
            return self.teller.object("foreign", members);
        }
        self.teller.note(format_args!(
            "from byte {offset} on, what {} says is not FastCGI: {}; it is passed on unread",
            self.direction.sender(),
            quoted(start, usize::MAX)
        ))
    }

    fn members(&self) -> Map<String, Value> {
        Map::from_iter([("direction".to_owned(), self.direction.to_string().into())])
    }
}

impl Teller {
    pub(super) fn new(number: u64, begin: Instant, options: Arc<Options>) -> Self {
        Self { number, begin, options, style: Style::of(&io::stdout()) }
    }

    /// Whoever connects chooses the name of its own socket.
    pub(super) fn connects(&self, peer: &AnyAddr) -> Outcome {
        if self.options.json {
            return self
                .object("connect", Map::from_iter([("peer".to_owned(), peer.to_string().into())]));
        }
        self.note(format_args!("connection from {}", Escaped(peer.to_string().as_bytes())))
    }

    /// The application cannot be connected to.
    pub(super) fn fails(&self, failure: &Failure) -> Outcome {
        let advice = failure.advice().unwrap_or_default();
        if self.options.json {
            let members = [("message", failure.message()), ("hint", advice)];
            let members = members.map(|(name, text)| (name.to_owned(), text.into()));
            return self.object("error", Map::from_iter(members));
        }
        self.note(format_args!("{}; {advice}. The connection is closed", failure.message()))
    }

    fn prefix(&self) -> String {
        format!("[{}] {:.6} ", self.number, self.begin.elapsed().as_secs_f64())
    }

    fn note(&self, text: fmt::Arguments<'_>) -> Outcome {
        terminal::print(format!("{}* {text}\n", self.prefix()).as_bytes())
    }

    fn object(&self, event: &str, mut members: Map<String, Value>) -> Outcome {
        members.insert("event".to_owned(), event.into());
        members.insert("connection".to_owned(), self.number.into());
        members.insert("time".to_owned(), self.begin.elapsed().as_secs_f64().into());
        terminal::print(format!("{}\n", Value::Object(members)).as_bytes())
    }
}
