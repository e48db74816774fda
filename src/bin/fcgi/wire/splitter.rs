use tower_fastcgi::record::{Header, VERSION};

/// A whole record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) content: Vec<u8>,
}

/// What a stream of bytes is made of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Record(Record),
    /// From this offset on the bytes are not FastCGI, beginning with these.
    Foreign {
        offset: u64,
        start: Vec<u8>,
    },
}

/// Splits one direction of a connection into records, wherever its bytes are cut.
///
/// Unlike [`tower_fastcgi::record::Decoder`] it keeps the contents of all types, and takes lengths that a type must not have.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    state: State,
    offset: u64,
    records: u64,
}

#[derive(Debug)]
enum State {
    /// So much of a header has come.
    Header(Vec<u8>),
    Content(Record),
    Padding(usize),
    Foreign,
}

impl Splitter {
    /// Takes bytes in, and hands out what they complete.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut on: impl FnMut(Piece)) {
        while !bytes.is_empty() {
            let before = bytes.len();
            let piece = self.step(&mut bytes);
            self.offset += (before - bytes.len()) as u64;
            piece.into_iter().for_each(&mut on);
        }
    }

    /// How many bytes have come.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// How many whole records have come.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// What the bytes so far end within, if that is a record.
    pub(crate) fn unfinished(&self) -> Option<String> {
        match &self.state {
            State::Header(part) if part.is_empty() => None,
            State::Header(part) => Some(format!("a header: {} of 8 bytes", part.len())),
            State::Content(Record { header, content }) => Some(format!(
                "{}: {} of {} bytes",
                header.record_type,
                content.len(),
                header.content_length
            )),
            State::Padding(rest) => Some(format!("a record's padding: {rest} bytes are missing")),
            State::Foreign => None,
        }
    }

    fn step(&mut self, bytes: &mut &[u8]) -> Option<Piece> {
        match &mut self.state {
            State::Header(part) if part.is_empty() && bytes[0] != VERSION => {
                let start = bytes[..bytes.len().min(START)].to_vec();
                *bytes = &[];
                self.state = State::Foreign;
                return Some(Piece::Foreign { offset: self.offset, start });
            }
            State::Header(part) => {
                part.extend_from_slice(take(bytes, Header::LEN - part.len()));
                let header = part[..].try_into().ok().and_then(Header::decode)?;
                self.state = State::Content(Record { header, content: Vec::new() });
            }
            State::Content(Record { header, content }) => {
                let rest = usize::from(header.content_length) - content.len();
                content.extend_from_slice(take(bytes, rest));
            }
            State::Padding(rest) => {
                *rest -= take(bytes, *rest).len();
                if *rest == 0 {
                    self.state = State::default();
                }
            }
            State::Foreign => *bytes = &[],
        }
        self.whole()
    }

    /// The record, once all of its content has come.
    fn whole(&mut self) -> Option<Piece> {
        let State::Content(Record { header, content }) = &self.state else { return None };
        if content.len() < usize::from(header.content_length) {
            return None;
        }
        let after = match usize::from(header.padding_length) {
            0 => State::default(),
            padding => State::Padding(padding),
        };
        self.records += 1;
        match std::mem::replace(&mut self.state, after) {
            State::Content(record) => Some(Piece::Record(record)),
            _ => None,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Header(Vec::new())
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(len.min(bytes.len()));
    *bytes = rest;
    taken
}

/// So much is shown of what is not FastCGI.
const START: usize = 64;

#[cfg(test)]
mod tests {
    use tower_fastcgi::record::{RecordType, RequestId, put_record};

    use super::*;

    fn split(wire: &[u8], step: usize) -> (Vec<Piece>, Splitter) {
        let (mut splitter, mut pieces) = (Splitter::default(), Vec::new());
        wire.chunks(step).for_each(|chunk| splitter.push(chunk, |piece| pieces.push(piece)));
        (pieces, splitter)
    }

    fn wire() -> Vec<u8> {
        let mut wire = vec![1, 6, 0, 1, 0, 2, 3, 0, b'h', b'i', 0, 0, 0];
        put_record(&mut wire, RecordType::Stdout, RequestId::new(1), b"");
        put_record(&mut wire, RecordType::Other(99), None, b"kept");
        put_record(&mut wire, RecordType::EndRequest, RequestId::new(1), b"bad");
        wire
    }

    #[test]
    fn records_come_whole_wherever_the_bytes_are_cut() {
        let whole = split(&wire(), usize::MAX).0;
        assert_eq!(whole.len(), 4);
        let contents = whole.iter().map(|piece| match piece {
            Piece::Record(record) => &record.content[..],
            Piece::Foreign { .. } => panic!("all of it is FastCGI"),
        });
        assert_eq!(contents.collect::<Vec<_>>(), [&b"hi"[..], b"", b"kept", b"bad"]);
        for step in 1..20 {
            let (pieces, splitter) = split(&wire(), step);
            assert_eq!(pieces, whole, "in steps of {step}");
            assert_eq!((splitter.offset(), splitter.records()), (wire().len() as u64, 4));
            assert_eq!(splitter.unfinished(), None);
        }
    }

    #[test]
    fn what_is_not_fastcgi_is_told_once() {
        let mut bytes = wire();
        let offset = bytes.len() as u64;
        bytes.extend_from_slice(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let (pieces, splitter) = split(&bytes, 1);
        assert_eq!(pieces.len(), 5);
        assert_eq!(pieces[4], Piece::Foreign { offset, start: b"H".to_vec() });
        assert_eq!((splitter.offset(), splitter.records()), (bytes.len() as u64, 4));
    }

    #[test]
    fn an_end_within_a_record_is_told() {
        let unfinished = |len: usize| split(&wire()[..len], usize::MAX).1.unfinished();
        assert_eq!(unfinished(3).as_deref(), Some("a header: 3 of 8 bytes"));
        assert_eq!(unfinished(9).as_deref(), Some("FCGI_STDOUT: 1 of 2 bytes"));
        assert_eq!(unfinished(11).as_deref(), Some("a record's padding: 2 bytes are missing"));
        assert_eq!(unfinished(13), None);
    }
}
