use std::collections::VecDeque;
use std::io::ErrorKind;

use super::pipe::{End, Event, Shared};
use super::wire::{Rec, Record, bytes_of};

/// The web server: it writes records, and reads what the application wrote.
#[derive(Debug)]
pub struct Client {
    pipe: Shared,
    received: VecDeque<Record>,
}

impl Client {
    pub fn new(pipe: Shared) -> Self {
        Self { pipe, received: VecDeque::new() }
    }

    /// Writes the records so that one read gives them all.
    pub fn send(&self, records: impl IntoIterator<Item = Rec>) {
        self.send_bytes(bytes_of(records));
    }

    pub fn send_bytes(&self, bytes: impl AsRef<[u8]>) {
        self.pipe.lock().send(bytes.as_ref().to_vec());
    }

    /// Writes the bytes so that each read gives at most `len` of them.
    pub fn send_in_chunks(&self, bytes: &[u8], len: usize) {
        bytes.chunks(len).for_each(|chunk| self.send_bytes(chunk));
    }

    /// Closes the web server's end: the application reads all that was sent, then the end.
    pub fn close(&self) {
        self.pipe.lock().end_input(End::Eof);
    }

    /// As after a RST: reads and writes fail.
    pub fn reset(&self) {
        let mut pipe = self.pipe.lock();
        pipe.end_input(End::Error(ErrorKind::ConnectionReset));
        pipe.fail_writes(ErrorKind::BrokenPipe);
    }

    /// Writes fail; reads go on.
    pub fn break_writes(&self) {
        self.pipe.lock().fail_writes(ErrorKind::BrokenPipe);
    }

    /// From now on one write of the application takes at most `bytes`.
    pub fn cap_writes(&self, bytes: usize) {
        self.pipe.lock().cap_writes(bytes);
    }

    /// Reads nothing from now on.
    pub fn stop_reading(&self) {
        self.pipe.lock().give_room(0);
    }

    /// Reads `bytes` more and then nothing.
    pub fn read_only(&self, bytes: usize) {
        self.pipe.lock().give_room(bytes);
    }

    pub fn read_on(&self) {
        self.pipe.lock().give_room(usize::MAX);
    }

    pub fn without_vectored_writes(&self) {
        self.pipe.lock().set_vectored(false);
    }

    /// Makes the shutting of the write half wait, as a TLS stream does.
    pub fn hold_shutdown(&self, hold: bool) {
        self.pipe.lock().hold_shutdown(hold);
    }

    /// The next whole record.
    pub fn recv(&mut self) -> Option<Record> {
        self.receive();
        self.received.pop_front()
    }

    /// All whole records.
    pub fn recv_all(&mut self) -> Vec<Record> {
        self.receive();
        self.received.drain(..).collect()
    }

    /// All bytes as they are.
    pub fn recv_bytes(&mut self) -> Vec<u8> {
        assert!(self.received.is_empty(), "the bytes were taken for records");
        self.pipe.lock().output.drain(..).collect()
    }

    /// Nothing whole was written beyond what was taken, nor a part of a record.
    pub fn has_nothing(&mut self) -> bool {
        self.receive();
        self.received.is_empty() && self.pipe.lock().output.is_empty()
    }

    /// Takes the records of a response up to its FCGI_END_REQUEST, and leaves those of other requests.
    ///
    /// # Panics
    ///
    /// If the response is not whole.
    pub fn response(&mut self, id: u16) -> Response {
        match self.try_response(id) {
            Some(response) => response,
            None => panic!("no whole response for id {id} among {:?}", self.summary()),
        }
    }

    pub fn try_response(&mut self, id: u16) -> Option<Response> {
        self.receive();
        let is_end =
            |record: &Record| matches!(record, Record::End { id: ended, .. } if *ended == id);
        let end = self.received.iter().position(is_end)?;
        let rest = self.received.split_off(end + 1);
        let (mine, others): (Vec<Record>, Vec<Record>) =
            self.received.drain(..).partition(|record| record.request_id() == Some(id));
        self.received = others.into();
        self.received.extend(rest);
        Some(Response::new(mine))
    }

    /// Takes the records of `id` up to its FCGI_END_REQUEST, whatever they are; whether it came.
    pub fn drop_response(&mut self, id: u16) -> bool {
        self.receive();
        let is_end =
            |record: &Record| matches!(record, Record::End { id: ended, .. } if *ended == id);
        let Some(mut before_end) = self.received.iter().position(is_end) else { return false };
        self.received.remove(before_end);
        self.received.retain(|record| {
            let is_before_end = before_end > 0;
            before_end = before_end.saturating_sub(1);
            !is_before_end || record.request_id() != Some(id)
        });
        true
    }

    /// Takes the answers to FCGI_GET_VALUES and counts them.
    pub fn drop_values(&mut self) -> usize {
        self.receive();
        let before = self.received.len();
        self.received.retain(|record| !matches!(record, Record::Values(_)));
        before - self.received.len()
    }

    /// The content of the STDOUT records that came for `id` so far, which are taken.
    pub fn stdout(&mut self, id: u16) -> Vec<u8> {
        self.receive();
        let mut content_of_id = Vec::new();
        self.received.retain(|record| match record {
            Record::Stdout { id: of, content } if *of == id => {
                content_of_id.extend(content);
                false
            }
            _ => true,
        });
        content_of_id
    }

    pub fn events(&self) -> Vec<Event> {
        self.pipe.lock().events.clone()
    }

    pub fn forget_events(&self) {
        self.pipe.lock().events.clear();
    }

    /// Lets go of all memory that what was received takes.
    pub fn forget(&mut self) {
        let mut pipe = self.pipe.lock();
        pipe.forget();
        self.received = VecDeque::new();
    }

    /// The sizes of the application's writes, vectored or not.
    pub fn writes(&self) -> Vec<usize> {
        let size = |event| if let Event::Write(size) = event { Some(size) } else { None };
        self.events().into_iter().filter_map(size).collect()
    }

    pub fn bytes_read(&self) -> usize {
        let size = |event| if let Event::Read(size) = event { size } else { 0 };
        self.events().into_iter().map(size).sum()
    }

    pub fn unread(&self) -> usize {
        self.pipe.lock().unread()
    }

    pub fn write_half_is_shut(&self) -> bool {
        self.pipe.lock().events.contains(&Event::Shutdown)
    }

    pub fn is_closed(&self) -> bool {
        self.pipe.lock().events.contains(&Event::Drop)
    }

    fn receive(&mut self) {
        let mut pipe = self.pipe.lock();
        while let Some(record) = Record::take(&mut pipe.output) {
            self.received.push_back(record);
        }
    }

    fn summary(&self) -> Vec<String> {
        self.received
            .iter()
            .map(|record| format!("{record:?}").chars().take(160).collect())
            .collect()
    }
}

/// A whole response: STDOUT parsed as a CGI response, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub stderr: Vec<u8>,
    pub app_status: u32,
    pub protocol_status: u8,
}

impl Response {
    /// # Panics
    ///
    /// If the records are not what one request may be answered with: a head in one record, a STDOUT stream that ends once
    /// and before the one FCGI_END_REQUEST.
    fn new(records: Vec<Record>) -> Self {
        let mut stdout: Vec<Vec<u8>> = Vec::new();
        let mut stderr = Vec::new();
        let mut end = None;
        for record in records {
            assert!(end.is_none(), "{record:?} after the end");
            match record {
                Record::Stdout { content, .. } => {
                    assert!(
                        stdout.last().is_none_or(|last| !last.is_empty()),
                        "STDOUT after its end: {content:?}"
                    );
                    stdout.push(content);
                }
                Record::Stderr { content, .. } => stderr.extend(content),
                Record::End { app_status, protocol_status, .. } => {
                    end = Some((app_status, protocol_status));
                }
                other => panic!("{other:?} in a response"),
            }
        }
        let (app_status, protocol_status) = end.expect("records up to FCGI_END_REQUEST");
        let mut response = Self::parse(&stdout);
        (response.app_status, response.protocol_status) = (app_status, protocol_status);
        response.stderr = stderr;
        response
    }

    fn parse(stdout: &[Vec<u8>]) -> Self {
        let mut response = Self {
            status: 0,
            headers: Vec::new(),
            body: Vec::new(),
            stderr: Vec::new(),
            app_status: 0,
            protocol_status: 0,
        };
        let Some(first) = stdout.first().filter(|first| !first.is_empty()) else { return response };
        assert!(stdout.last().is_some_and(Vec::is_empty), "STDOUT without an end");
        let head_len = head_len(first).expect("the whole head in the first record");
        response.body = stdout.concat().split_off(head_len);
        response.headers = parse_head(&first[..head_len - 2]);
        let status = response.header("status").expect("a Status header");
        response.status = status[..3].parse().expect("a status code");
        response
    }

    /// The first header of this name, whatever its case, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let is_named = |(header, _): &&(String, Vec<u8>)| header.eq_ignore_ascii_case(name);
        let (_, value) = self.headers.iter().find(is_named)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub fn head_len(stdout: &[u8]) -> Option<usize> {
    stdout.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn parse_head(head: &[u8]) -> Vec<(String, Vec<u8>)> {
    let parse_line = |line: &[u8]| {
        let colon = line.iter().position(|&byte| byte == b':').expect("a header line has a colon");
        let name = String::from_utf8(line[..colon].to_vec()).expect("a header name is ASCII");
        (name, line[colon + 1..].trim_ascii().to_vec())
    };
    let mut headers = Vec::new();
    for line in head.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        headers.push(parse_line(line.strip_suffix(b"\r").expect("a line ends with CRLF")));
    }
    headers
}
