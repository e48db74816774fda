use std::fmt::{self, Write};

use tower_fastcgi::client::Escaped;
use tower_fastcgi::record::{BeginRequest, RecordType, RequestId, Role};

use super::{Direction, Meaning, Pair, Record};
use crate::terminal::{Colour, Style};

/// Shows a record in a line, with a further line for each pair.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// What stands before each line.
    pub(crate) prefix: &'a str,
    pub(crate) direction: Direction,
    pub(crate) record: &'a Record,
    pub(crate) meaning: &'a Meaning,
    /// How many bytes of content are shown.
    pub(crate) max_content: usize,
    pub(crate) style: Style,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start(f)?;
        let header = &self.record.header;
        let colour = match self.direction {
            Direction::Request => Colour::Cyan,
            Direction::Response => Colour::Green,
        };
        let name = format!("{:<23}", header.record_type.to_string());
        let id = header.request_id.map_or(0, RequestId::value);
        write!(
            f,
            "{} id {id:<3} {:>5} bytes",
            self.style.paint(colour, name),
            header.content_length
        )?;
        if header.padding_length > 0 {
            write!(f, " + {} padding", header.padding_length)?;
        }
        let mut said = String::new();
        self.say(&mut said)?;
        if !said.is_empty() {
            write!(f, "  {said}")?;
        }
        f.write_char('\n')?;
        self.pairs().iter().try_for_each(|pair| self.pair(f, pair))
    }
}

impl Line<'_> {
    fn start(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} ", self.prefix, self.direction.arrow())
    }

    fn say(&self, said: &mut String) -> fmt::Result {
        match self.meaning {
            Meaning::Begin(begin) => said.write_str(&begun(begin)),
            Meaning::End(end) => {
                write!(said, "{}, exit status {}", end.protocol_status, end.app_status)
            }
            Meaning::UnknownType(record_type) => write!(said, "type {record_type} is not known"),
            Meaning::Pairs { goes_on: true, .. } => {
                said.write_str("a pair goes on in the next record")
            }
            Meaning::Pairs { .. } => Ok(()),
            Meaning::BrokenPairs(_) => said.write_str("malformed: ends within a pair"),
            Meaning::Content => said.write_str(&quoted(&self.record.content, self.max_content)),
            Meaning::Empty if self.record.header.record_type.is_stream() => {
                said.write_str("end of the stream")
            }
            Meaning::Empty => Ok(()),
            Meaning::WrongLength { expected } => {
                let content = quoted(&self.record.content, self.max_content);
                write!(said, "malformed: its length is {expected} by the specification; {content}")
            }
        }
    }

    fn pairs(&self) -> &[Pair] {
        match self.meaning {
            Meaning::Pairs { pairs, .. } | Meaning::BrokenPairs(pairs) => pairs,
            _ => &[],
        }
    }

    fn pair(&self, f: &mut fmt::Formatter<'_>, (name, value): &Pair) -> fmt::Result {
        self.start(f)?;
        write!(f, "    {}", Escaped(name))?;
        let is_question = self.record.header.record_type == RecordType::GetValues;
        match value.is_empty() {
            true if is_question => {}
            true => f.write_str(" =")?,
            false => write!(f, " = {}", Escaped(value))?,
        }
        f.write_char('\n')
    }
}

fn begun(begin: &BeginRequest) -> String {
    let role = match Role::new(begin.role) {
        Some(Role::Responder) => "FCGI_RESPONDER".to_owned(),
        Some(Role::Authorizer) => "FCGI_AUTHORIZER".to_owned(),
        Some(Role::Filter) => "FCGI_FILTER".to_owned(),
        _ => format!("role {}, which the specification does not name", begin.role),
    };
    if begin.keep_conn { format!("{role}, FCGI_KEEP_CONN") } else { role }
}

/// Bytes in quotes, escaped, and how many there are if that is more than is shown.
pub(crate) fn quoted(bytes: &[u8], max: usize) -> String {
    let shown = &bytes[..bytes.len().min(max)];
    match bytes.len() - shown.len() {
        0 => format!("\"{}\"", Escaped(shown)),
        rest if shown.is_empty() => format!("({rest} bytes)"),
        rest => format!("\"{}\" and {rest} more bytes", Escaped(shown)),
    }
}
