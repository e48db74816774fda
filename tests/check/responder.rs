//! A FastCGI application of bytes and threads that can be told to depart in one way.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What the application does otherwise than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Permitted: it takes one request at a time and says so.
    NoMultiplexing,
    AnswersNothing,
    SpeaksHttp,
    Dies,
    TakesPaddingForContent,
    WantsReservedZero,
    ReadsOnceForHeader,
    IdOfOneByte,
    ClosesOnStrays,
    AnyVersion,
    ShortLengthsOnly,
    PairsInOneRecord,
    NoLongParams,
    NeverCloses,
    AlwaysCloses,
    FlagsAreKeep,
    WantsReservedBeginZero,
    NoValues,
    EchoesUnknownNames,
    AlwaysTells,
    ValuesTwice,
    ClosesBehindValues,
    UnknownTypeIsItsOwn,
    IgnoresUnknownTypes,
    AnyRole,
    FirstStdinOnly,
    LosesLargeRecords,
    IgnoresAborts,
    EndsTwice,
    TalksAfterEnd,
    EndIsShort,
    Overloaded,
    NoEnd,
    NoStdoutEnd,
    NoStderrEnd,
    GoesOnAfterStdoutEnd,
    OtherId,
    ForeignRecord,
    RefusesSecond,
    MixesRequests,
    OneAfterTheOther,
    AbortsAll,
    NoHead,
    BareHead,
    LyingLength,
    CutsLarge,
    WaitsForLength,
    RefusesRolesByClosing,
}

/// Serves on threads, until the process ends.
pub(crate) fn start(fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let is_dead = Arc::new(AtomicBool::new(false));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if is_dead.load(Ordering::SeqCst) {
                return;
            }
            let is_dead = is_dead.clone();
            thread::spawn(move || {
                let mut connection = Connection { fault, stream, requests: BTreeMap::new() };
                // The web server closes connections as it likes.
                let _ = connection.run(&is_dead);
            });
        }
    });
    address
}

struct Connection {
    fault: Fault,
    stream: TcpStream,
    requests: BTreeMap<u16, Request>,
}

#[derive(Default)]
struct Request {
    role: u16,
    is_kept: bool,
    params: Vec<u8>,
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
    has_params: bool,
    body: Vec<u8>,
    stdin_records: usize,
}

struct Record {
    version: u8,
    record_type: u8,
    id: u16,
    content: Vec<u8>,
    reserved: u8,
}

enum Next {
    Read,
    Close,
}

const BEGIN: u8 = 1;
const ABORT: u8 = 2;
const END: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;
const GET_VALUES: u8 = 9;
const RESULT: u8 = 10;
const UNKNOWN_TYPE: u8 = 11;

impl Connection {
    fn run(&mut self, is_dead: &AtomicBool) -> io::Result<()> {
        loop {
            let record = self.read()?;
            if self.fault == Fault::Dies && record.record_type == ABORT {
                is_dead.store(true, Ordering::SeqCst);
                // The listener sees it with the next connection, and nobody hears of the end before it has gone.
                let address = self.stream.local_addr()?;
                while TcpStream::connect(address).is_ok() {}
                return Ok(());
            }
            if let Next::Close = self.take(record)? {
                return Ok(());
            }
        }
    }

    fn read(&mut self) -> io::Result<Record> {
        let mut header = [0; 8];
        if self.fault == Fault::ReadsOnceForHeader {
            let read = self.stream.read(&mut header)?;
            if read < 8 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        } else {
            self.stream.read_exact(&mut header)?;
        }
        let [version, record_type, id1, id0, len1, len0, padding, reserved] = header;
        let len = usize::from(u16::from_be_bytes([len1, len0]));
        let mut content = vec![0; len + usize::from(padding)];
        self.stream.read_exact(&mut content)?;
        if self.fault != Fault::TakesPaddingForContent {
            content.truncate(len);
        }
        let id = match self.fault {
            Fault::IdOfOneByte => u16::from(id0),
            _ => u16::from_be_bytes([id1, id0]),
        };
        Ok(Record { version, record_type, id, content, reserved })
    }

    fn take(&mut self, record: Record) -> io::Result<Next> {
        let is_wrong = record.version != 1 && self.fault != Fault::AnyVersion;
        if is_wrong || (record.reserved != 0 && self.fault == Fault::WantsReservedZero) {
            return Ok(Next::Close);
        }
        match (self.fault, record.record_type) {
            (Fault::AnswersNothing, _) => Ok(Next::Read),
            (Fault::SpeaksHttp, _) => {
                self.stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
                Ok(Next::Close)
            }
            _ if record.id == 0 => self.manage(&record),
            (_, BEGIN) => self.begin(&record),
            _ => self.continued(record),
        }
    }

    fn manage(&mut self, record: &Record) -> io::Result<Next> {
        match (record.record_type, self.fault) {
            (GET_VALUES, Fault::NoValues) => {}
            (GET_VALUES, fault) => {
                let answer = self.values(&record.content);
                self.write(RESULT, 0, &answer)?;
                if fault == Fault::ValuesTwice {
                    self.write(RESULT, 0, &[])?;
                }
                if fault == Fault::ClosesBehindValues {
                    return Ok(Next::Close);
                }
            }
            (_, Fault::IgnoresUnknownTypes) => {}
            (_, Fault::UnknownTypeIsItsOwn) => {
                self.write(UNKNOWN_TYPE, 0, &[UNKNOWN_TYPE, 0, 0, 0, 0, 0, 0, 0])?
            }
            (unknown, _) => self.write(UNKNOWN_TYPE, 0, &[unknown, 0, 0, 0, 0, 0, 0, 0])?,
        }
        Ok(Next::Read)
    }

    fn values(&self, query: &[u8]) -> Vec<u8> {
        let asked: Vec<_> = pairs(query).unwrap_or_default();
        let mpxs: &[u8] = if self.multiplexes() { b"1" } else { b"0" };
        let known: [(&[u8], &[u8]); 2] = [(b"FCGI_MAX_REQS", b"8"), (b"FCGI_MPXS_CONNS", mpxs)];
        let mut answer = Vec::new();
        for (name, value) in known {
            if self.fault == Fault::AlwaysTells || asked.iter().any(|(asked, _)| asked == name) {
                put(&mut answer, name, value);
            }
        }
        for (name, _) in asked {
            let is_known = known.iter().any(|known| known.0 == name) || name == b"FCGI_MAX_CONNS";
            if self.fault == Fault::EchoesUnknownNames && !is_known {
                put(&mut answer, &name, b"");
            }
        }
        answer
    }

    fn multiplexes(&self) -> bool {
        self.fault != Fault::NoMultiplexing
    }

    fn begin(&mut self, record: &Record) -> io::Result<Next> {
        let [_, role, flags, reserved, _, _, _, _] = record.content[..] else {
            return Ok(Next::Close);
        };
        if self.fault == Fault::WantsReservedBeginZero && reserved != 0 {
            return Ok(Next::Close);
        }
        let is_kept = match self.fault {
            Fault::FlagsAreKeep => flags != 0,
            Fault::NeverCloses => true,
            Fault::AlwaysCloses => false,
            _ => flags & 1 != 0,
        };
        let is_refused = matches!(self.fault, Fault::RefusesSecond | Fault::NoMultiplexing);
        if is_refused && !self.requests.is_empty() {
            return self.end(record.id, 1, true);
        }
        if role != 1 && self.fault == Fault::RefusesRolesByClosing {
            return Ok(Next::Close);
        }
        if role != 1 && self.fault != Fault::AnyRole {
            return self.end(record.id, 3, is_kept);
        }
        if self.fault == Fault::MixesRequests && !self.requests.is_empty() {
            return Ok(Next::Read);
        }
        let request = Request { role: role.into(), is_kept, ..Request::default() };
        self.requests.insert(record.id, request);
        Ok(Next::Read)
    }

    fn continued(&mut self, record: Record) -> io::Result<Next> {
        let fault = self.fault;
        let id = match fault {
            Fault::MixesRequests => self.requests.keys().next().copied().unwrap_or(record.id),
            _ => record.id,
        };
        let Some(request) = self.requests.get_mut(&id) else {
            return Ok(if fault == Fault::ClosesOnStrays { Next::Close } else { Next::Read });
        };
        match record.record_type {
            ABORT if fault == Fault::IgnoresAborts => return Ok(Next::Read),
            ABORT if fault == Fault::AbortsAll => {
                let ids: Vec<u16> = self.requests.keys().copied().collect();
                self.requests.clear();
                for id in ids {
                    self.end(id, 0, true)?;
                }
                return Ok(Next::Read);
            }
            ABORT => {
                let is_kept = request.is_kept;
                self.requests.remove(&id);
                return self.end(id, 0, is_kept);
            }
            PARAMS if !request.take_params(fault, &record.content) => return Ok(Next::Close),
            STDIN => request.take_stdin(fault, &record.content),
            _ => {}
        }
        if !(record.record_type == STDIN && record.content.is_empty()) {
            return Ok(Next::Read);
        }
        if fault == Fault::OneAfterTheOther && self.requests.keys().next() != Some(&id) {
            // It stays in the table, and nobody comes back to it.
            return Ok(Next::Read);
        }
        let request = self.requests.remove(&id).expect("it was there");
        self.answer(id, &request)
    }

    fn answer(&mut self, id: u16, request: &Request) -> io::Result<Next> {
        let length = request.param(b"CONTENT_LENGTH");
        let length = length.and_then(|length| String::from_utf8_lossy(length).parse().ok());
        if self.fault == Fault::WaitsForLength
            && length.is_some_and(|length| request.body.len() < length)
        {
            return Ok(Next::Read);
        }
        let path = request.param(b"PATH_INFO").unwrap_or_default().to_vec();
        let body = match &path[..] {
            b"/echo" => request.body.clone(),
            b"/params" => request.lines(),
            b"/large" => vec![b'x'; 150_000],
            _ => b"hello".to_vec(),
        };
        if path == b"/stderr" {
            self.write(STDERR, id, b"a line")?;
            if self.fault != Fault::NoStderrEnd {
                self.write(STDERR, id, b"")?;
            }
        }
        self.respond(id, &path, &body, request.is_kept)
    }

    fn respond(&mut self, id: u16, path: &[u8], body: &[u8], is_kept: bool) -> io::Result<Next> {
        let sent = match (self.fault, path) {
            (Fault::CutsLarge, b"/large") => &body[..70_000],
            _ => body,
        };
        let told = body.len() + usize::from(self.fault == Fault::LyingLength);
        let head = match self.fault {
            Fault::NoHead => String::new(),
            Fault::BareHead => "X-Nothing: 1\r\n\r\n".to_owned(),
            _ => format!("Content-Type: text/plain\r\nContent-Length: {told}\r\n\r\n"),
        };
        for part in [head.as_bytes(), sent].concat().chunks(60_000) {
            self.write(STDOUT, id, part)?;
        }
        match self.fault {
            Fault::NoStdoutEnd => {}
            Fault::GoesOnAfterStdoutEnd => {
                self.write(STDOUT, id, b"")?;
                self.write(STDOUT, id, b"more")?;
            }
            Fault::OtherId => self.write(STDOUT, 77, b"stray")?,
            Fault::ForeignRecord => self.write(STDIN, id, b"back")?,
            _ => self.write(STDOUT, id, b"")?,
        }
        match self.fault {
            Fault::NoEnd => Ok(Next::Close),
            Fault::Overloaded => self.end(id, 2, is_kept),
            _ => self.end(id, 0, is_kept),
        }
    }

    fn end(&mut self, id: u16, protocol_status: u8, is_kept: bool) -> io::Result<Next> {
        let content = [0, 0, 0, 0, protocol_status, 0, 0, 0];
        match self.fault {
            Fault::EndIsShort => self.write(END, id, &content[..5])?,
            _ => self.write(END, id, &content)?,
        }
        match self.fault {
            Fault::EndsTwice => self.write(END, id, &content)?,
            Fault::TalksAfterEnd => self.write(STDOUT, id, b"late")?,
            _ => {}
        }
        if is_kept {
            return Ok(Next::Read);
        }
        // What is still on its way would make the close a reset, which can overtake the response.
        self.stream.shutdown(std::net::Shutdown::Write)?;
        io::copy(&mut self.stream, &mut io::sink())?;
        Ok(Next::Close)
    }

    fn write(&mut self, record_type: u8, id: u16, content: &[u8]) -> io::Result<()> {
        let [id1, id0] = id.to_be_bytes();
        let len = u16::try_from(content.len()).expect("a record's worth");
        let [len1, len0] = len.to_be_bytes();
        let header = [1, record_type, id1, id0, len1, len0, 0, 0];
        self.stream.write_all(&[&header, content].concat())
    }
}

impl Request {
    /// Whether the params can be read.
    fn take_params(&mut self, fault: Fault, content: &[u8]) -> bool {
        self.params.extend_from_slice(content);
        if fault == Fault::NoLongParams && self.params.len() > 65_535 {
            return false;
        }
        let is_end = content.is_empty();
        self.has_params |= is_end;
        if fault != Fault::PairsInOneRecord && !is_end {
            return true;
        }
        let read = match fault {
            Fault::ShortLengthsOnly => short_pairs(&std::mem::take(&mut self.params)),
            _ => pairs(&std::mem::take(&mut self.params)),
        };
        read.map(|pairs| self.pairs.extend(pairs)).is_some()
    }

    fn take_stdin(&mut self, fault: Fault, content: &[u8]) {
        self.stdin_records += 1;
        let is_lost = match fault {
            Fault::FirstStdinOnly => self.stdin_records > 1,
            Fault::LosesLargeRecords => content.len() > 60_000,
            _ => false,
        };
        if !is_lost {
            self.body.extend_from_slice(content);
        }
    }

    fn param(&self, name: &[u8]) -> Option<&[u8]> {
        self.pairs.iter().find(|pair| pair.0 == name).map(|pair| &pair.1[..])
    }

    fn lines(&self) -> Vec<u8> {
        let line = |(name, value): &(Vec<u8>, Vec<u8>)| [name, &b"="[..], value, b"\n"].concat();
        assert_eq!(self.role, 1, "others are refused");
        self.pairs.iter().flat_map(line).collect()
    }
}

type Pair = (Vec<u8>, Vec<u8>);

fn pairs(bytes: &[u8]) -> Option<Vec<Pair>> {
    read_pairs(bytes, |bytes| {
        let (&first, rest) = bytes.split_first()?;
        if first < 128 {
            return Some((first.into(), rest));
        }
        let (long, rest) = bytes.split_first_chunk()?;
        Some((u32::from_be_bytes(*long) as usize & 0x7fff_ffff, rest))
    })
}

fn short_pairs(bytes: &[u8]) -> Option<Vec<Pair>> {
    read_pairs(bytes, |bytes| bytes.split_first().map(|(&len, rest)| (len.into(), rest)))
}

type Length = fn(&[u8]) -> Option<(usize, &[u8])>;

fn read_pairs(mut bytes: &[u8], length: Length) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    while !bytes.is_empty() {
        let (name_len, rest) = length(bytes)?;
        let (value_len, rest) = length(rest)?;
        let (name, rest) = rest.split_at_checked(name_len)?;
        let (value, rest) = rest.split_at_checked(value_len)?;
        pairs.push((name.to_vec(), value.to_vec()));
        bytes = rest;
    }
    Some(pairs)
}

fn put(pairs: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let lengths = [name, value].map(|text| u8::try_from(text.len()).expect("short"));
    pairs.extend(lengths);
    pairs.extend([name, value].concat());
}
