use std::collections::HashMap;

use tower_fastcgi::record::{BeginRequest, EndRequest, Pairs, RecordType, UnknownType};

use super::Record;

/// A name and a value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Begin(BeginRequest),
    End(EndRequest),
    UnknownType(u8),
    /// The pairs that this record completes; the last one may go on in the next record.
    Pairs {
        pairs: Vec<Pair>,
        goes_on: bool,
    },
    /// The pairs end within a pair.
    BrokenPairs(Vec<Pair>),
    /// A stream goes on, or whatever a type has that the specification does not name.
    Content,
    /// A stream ends, or there is nothing to say.
    Empty,
    /// The type has another length by the specification.
    WrongLength {
        expected: usize,
    },
}

/// Finds out what the records of one direction say. A pair may go on in the next record (section 3.4).
#[derive(Debug, Default)]
pub(crate) struct Interpreter {
    /// Parts of pairs, by request id.
    pending: HashMap<u16, Vec<u8>>,
    pending_len: usize,
}

impl Interpreter {
    pub(crate) fn read(&mut self, record: &Record) -> Meaning {
        let content = &record.content[..];
        match record.header.record_type {
            RecordType::BeginRequest => {
                fixed(BeginRequest::decode(content), BeginRequest::LEN, Meaning::Begin)
            }
            RecordType::EndRequest => {
                fixed(EndRequest::decode(content), EndRequest::LEN, Meaning::End)
            }
            RecordType::UnknownType => {
                fixed(UnknownType::decode(content), UnknownType::LEN, |it| {
                    Meaning::UnknownType(it.0)
                })
            }
            RecordType::Params => self.params(record),
            RecordType::GetValues | RecordType::GetValuesResult => values(content),
            _ if content.is_empty() => Meaning::Empty,
            _ => Meaning::Content,
        }
    }

    fn params(&mut self, record: &Record) -> Meaning {
        let id = record.header.request_id.map_or(0, |id| id.value());
        let mut bytes = self.pending.remove(&id).unwrap_or_default();
        self.pending_len -= bytes.len();
        if record.content.is_empty() {
            return if bytes.is_empty() {
                Meaning::Empty
            } else {
                Meaning::BrokenPairs(Vec::new())
            };
        }
        bytes.extend_from_slice(&record.content);
        let (pairs, rest) = decode(&bytes);
        let goes_on = !rest.is_empty();
        if self.pending_len + rest.len() > PENDING_MAX {
            return Meaning::BrokenPairs(pairs);
        }
        if goes_on {
            self.pending_len += rest.len();
            self.pending.insert(id, rest.to_vec());
        }
        Meaning::Pairs { pairs, goes_on }
    }
}

fn fixed<T>(decoded: Option<T>, expected: usize, meaning: impl FnOnce(T) -> Meaning) -> Meaning {
    decoded.map_or(Meaning::WrongLength { expected }, meaning)
}

fn values(content: &[u8]) -> Meaning {
    match decode(content) {
        (pairs, []) => Meaning::Pairs { pairs, goes_on: false },
        (pairs, _) => Meaning::BrokenPairs(pairs),
    }
}

/// The whole pairs, and what is left.
fn decode(bytes: &[u8]) -> (Vec<Pair>, &[u8]) {
    let mut taken = 0;
    let mut decoded = Vec::new();
    for (name, value) in Pairs::new(bytes).map_while(|pair| pair.ok()) {
        taken = value.as_ptr_range().end.addr() - bytes.as_ptr().addr();
        decoded.push((name.to_vec(), value.to_vec()));
    }
    (decoded, &bytes[taken..])
}

/// So many bytes of pairs are held until the rest comes: more than any web server sends, and a bound for what is no web server.
const PENDING_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use tower_fastcgi::record::{Header, RequestId, put_pair};

    use super::*;

    fn record(record_type: RecordType, id: u16, content: &[u8]) -> Record {
        let header = Header {
            record_type,
            request_id: RequestId::new(id),
            content_length: content.len() as u16,
            padding_length: 0,
        };
        Record { header, content: content.to_vec() }
    }

    fn pair(name: &str, value: &str) -> Pair {
        (name.into(), value.into())
    }

    #[test]
    fn pairs_go_on_in_the_next_record_of_their_request() {
        let mut wire = Vec::new();
        put_pair(&mut wire, b"A", b"");
        put_pair(&mut wire, b"B", "b".repeat(200).as_bytes());
        let mut interpreter = Interpreter::default();
        let mut read =
            |id, content: &[u8]| interpreter.read(&record(RecordType::Params, id, content));
        let first = Meaning::Pairs { pairs: vec![pair("A", "")], goes_on: true };
        assert_eq!(read(1, &wire[..50]), first);
        assert_eq!(read(2, &wire[..50]), first);
        let second = Meaning::Pairs { pairs: vec![pair("B", &"b".repeat(200))], goes_on: false };
        assert_eq!(read(1, &wire[50..]), second);
        assert_eq!(read(1, b""), Meaning::Empty);
        assert_eq!(read(2, b""), Meaning::BrokenPairs(Vec::new()));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut interpreter = Interpreter::default();
        let part = [&[0xff, 0xff, 0xff, 0xff, 0][..], &[b'x'; 60_000]].concat();
        let mut broken = 0;
        for id in 1..100 {
            let meaning = interpreter.read(&record(RecordType::Params, id, &part));
            broken += usize::from(meaning == Meaning::BrokenPairs(Vec::new()));
            assert!(interpreter.pending_len <= PENDING_MAX);
        }
        assert_eq!(broken, 99 - PENDING_MAX / part.len());
    }

    #[test]
    fn lengths_are_checked() {
        let mut interpreter = Interpreter::default();
        let mut read = |record_type, content| interpreter.read(&record(record_type, 1, content));
        assert_eq!(read(RecordType::EndRequest, b"short"), Meaning::WrongLength { expected: 8 });
        assert_eq!(read(RecordType::GetValues, b"\x01"), Meaning::BrokenPairs(Vec::new()));
        assert_eq!(
            read(RecordType::UnknownType, &[9, 0, 0, 0, 0, 0, 0, 0]),
            Meaning::UnknownType(9)
        );
        assert_eq!(read(RecordType::AbortRequest, b""), Meaning::Empty);
        assert_eq!(read(RecordType::Stdin, b"x"), Meaning::Content);
    }
}
