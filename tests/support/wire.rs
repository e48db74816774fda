use std::collections::VecDeque;

/// A record as the web server writes it, right or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rec {
    version: u8,
    kind: u8,
    id: u16,
    content: Vec<u8>,
    padding: u8,
}

impl Rec {
    pub fn keep_conn(mut self) -> Self {
        assert_eq!(self.kind, BEGIN_REQUEST, "only FCGI_BEGIN_REQUEST has flags");
        self.content[2] |= 1;
        self
    }

    pub fn role(mut self, role: u16) -> Self {
        assert_eq!(self.kind, BEGIN_REQUEST, "only FCGI_BEGIN_REQUEST has a role");
        self.content[..2].copy_from_slice(&role.to_be_bytes());
        self
    }

    pub fn padding(self, padding: u8) -> Self {
        Self { padding, ..self }
    }

    pub fn version(self, version: u8) -> Self {
        Self { version, ..self }
    }

    pub fn id(self, id: u16) -> Self {
        Self { id, ..self }
    }

    pub fn is_begin(&self) -> bool {
        self.kind == BEGIN_REQUEST
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        let [id1, id0] = self.id.to_be_bytes();
        let len = u16::try_from(self.content.len()).expect("a record holds at most 65,535 bytes");
        let [len1, len0] = len.to_be_bytes();
        out.extend([self.version, self.kind, id1, id0, len1, len0, self.padding, 0]);
        out.extend(&self.content);
        // Not zeros: padding that is taken for a record must not pass unseen.
        out.extend(std::iter::repeat_n(0xa5, usize::from(self.padding)));
    }
}

impl IntoIterator for Rec {
    type Item = Rec;
    type IntoIter = std::iter::Once<Rec>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}

pub fn bytes_of(records: impl IntoIterator<Item = Rec>) -> Vec<u8> {
    let mut out = Vec::new();
    records.into_iter().for_each(|record| record.put(&mut out));
    out
}

pub fn record(kind: u8, id: u16, content: impl AsRef<[u8]>) -> Rec {
    Rec { version: 1, kind, id, content: content.as_ref().to_vec(), padding: 0 }
}

/// FCGI_BEGIN_REQUEST for a Responder, without KEEP_CONN.
pub fn begin(id: u16) -> Rec {
    record(BEGIN_REQUEST, id, [0, 1, 0, 0, 0, 0, 0, 0])
}

pub fn abort(id: u16) -> Rec {
    record(ABORT_REQUEST, id, [])
}

pub fn params(id: u16, content: impl AsRef<[u8]>) -> Rec {
    record(PARAMS, id, content)
}

pub fn end_params(id: u16) -> Rec {
    record(PARAMS, id, [])
}

pub fn stdin(id: u16, content: impl AsRef<[u8]>) -> Rec {
    assert!(!content.as_ref().is_empty(), "empty content ends the stream: `end_stdin` says so");
    record(STDIN, id, content)
}

pub fn end_stdin(id: u16) -> Rec {
    record(STDIN, id, [])
}

pub fn data(id: u16, content: impl AsRef<[u8]>) -> Rec {
    assert!(!content.as_ref().is_empty(), "empty content ends the stream: `end_data` says so");
    record(DATA, id, content)
}

pub fn end_data(id: u16) -> Rec {
    record(DATA, id, [])
}

/// FCGI_STDIN records for a body of any size, without the end.
pub fn body_of(id: u16, body: &[u8]) -> Vec<Rec> {
    body.chunks(32 * 1024).map(|chunk| stdin(id, chunk)).collect()
}

pub fn get_values(names: &[&str]) -> Rec {
    record(GET_VALUES, 0, pairs(names.iter().map(|&name| (name, ""))))
}

/// Name-value pairs as the specification's section 3.4 lays them out.
pub fn pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in pairs {
        put_length(&mut out, name.as_ref().len());
        put_length(&mut out, value.as_ref().len());
        out.extend(name.as_ref());
        out.extend(value.as_ref());
    }
    out
}

fn put_length(out: &mut Vec<u8>, len: usize) {
    match u8::try_from(len) {
        Ok(short) if short < 128 => out.push(short),
        _ => out.extend((u32::try_from(len).unwrap() | 0x8000_0000).to_be_bytes()),
    }
}

/// A whole request as nginx with its `fastcgi_params` sends it.
#[derive(Clone, Debug)]
pub struct Ask {
    id: u16,
    role: u16,
    keep_conn: bool,
    method: String,
    uri: String,
    content_length: Option<String>,
    extra: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Ask {
    pub fn get(uri: &str) -> Self {
        Self {
            id: 1,
            role: RESPONDER,
            keep_conn: false,
            method: "GET".into(),
            uri: uri.into(),
            content_length: Some(String::new()),
            extra: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A POST whose CONTENT_LENGTH is the body's length.
    pub fn post(uri: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        let content_length = Some(body.len().to_string());
        Self { method: "POST".into(), content_length, body, ..Self::get(uri) }
    }

    pub fn id(self, id: u16) -> Self {
        Self { id, ..self }
    }

    pub fn role(self, role: u16) -> Self {
        Self { role, ..self }
    }

    pub fn keep_conn(self) -> Self {
        Self { keep_conn: true, ..self }
    }

    pub fn method(self, method: &str) -> Self {
        Self { method: method.into(), ..self }
    }

    /// `None` leaves CONTENT_LENGTH out.
    pub fn content_length(self, content_length: Option<&str>) -> Self {
        Self { content_length: content_length.map(Into::into), ..self }
    }

    pub fn param(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.extra.push((name.into(), value.as_ref().to_vec()));
        self
    }

    pub fn params(&self) -> Vec<(String, Vec<u8>)> {
        let (path, query) = self.uri.split_once('?').unwrap_or((&self.uri, ""));
        let mut params: Vec<(String, Vec<u8>)> = [
            ("QUERY_STRING", query),
            ("REQUEST_METHOD", &self.method),
            ("CONTENT_TYPE", ""),
            ("SCRIPT_NAME", path),
            ("REQUEST_URI", &self.uri),
            ("DOCUMENT_URI", path),
            ("DOCUMENT_ROOT", "/var/www/html"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("REQUEST_SCHEME", "http"),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_SOFTWARE", "nginx/1.22.1"),
            ("REMOTE_ADDR", "192.0.2.7"),
            ("REMOTE_PORT", "50000"),
            ("SERVER_ADDR", "192.0.2.1"),
            ("SERVER_PORT", "80"),
            ("SERVER_NAME", "example.org"),
            ("REDIRECT_STATUS", "200"),
            ("HTTP_HOST", "example.org"),
            ("HTTP_USER_AGENT", "test"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .collect();
        if let Some(length) = &self.content_length {
            params.push(("CONTENT_LENGTH".into(), length.clone().into_bytes()));
        }
        params.extend(self.extra.iter().cloned());
        params
    }

    pub fn begin(&self) -> Rec {
        let begin = begin(self.id).role(self.role);
        if self.keep_conn { begin.keep_conn() } else { begin }
    }

    /// The request up to the end of its params: FCGI_STDIN is still to come.
    pub fn head(&self) -> Vec<Rec> {
        let content = pairs(self.params());
        let mut records = vec![self.begin()];
        records.extend(content.chunks(65_535).map(|chunk| params(self.id, chunk)));
        records.push(end_params(self.id));
        records
    }
}

impl IntoIterator for Ask {
    type Item = Rec;
    type IntoIter = std::vec::IntoIter<Rec>;

    fn into_iter(self) -> Self::IntoIter {
        let mut records = self.head();
        records.extend(body_of(self.id, &self.body));
        records.push(end_stdin(self.id));
        records.into_iter()
    }
}

/// What the application wrote, one record at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Stdout {
        id: u16,
        content: Vec<u8>,
    },
    Stderr {
        id: u16,
        content: Vec<u8>,
    },
    End {
        id: u16,
        app_status: u32,
        protocol_status: u8,
    },
    Values(Vec<(String, String)>),
    UnknownType(u8),
    /// Eight bytes with version 0, which is no record: the response was cut, and the web server is to notice.
    Cut,
}

impl Record {
    pub fn end(id: u16) -> Self {
        Self::End { id, app_status: 0, protocol_status: REQUEST_COMPLETE }
    }

    /// Takes the next record off the front. What only a web server sends is the application's error and fails the test.
    pub fn take(bytes: &mut VecDeque<u8>) -> Option<Self> {
        let bytes_at_hand = bytes.make_contiguous();
        let &[version, kind, id1, id0, len1, len0, padding, _] =
            bytes_at_hand.first_chunk::<8>()?;
        let id = u16::from_be_bytes([id1, id0]);
        let len = usize::from(u16::from_be_bytes([len1, len0]));
        if version == 0 {
            bytes.drain(..8);
            return Some(Self::Cut);
        }
        assert_eq!(version, 1, "the application's records have version 1");
        assert!(padding < 64, "the application pads to a cache line at most");
        let end = 8 + len + usize::from(padding);
        let content = bytes_at_hand.get(8..end)?[..len].to_vec();
        bytes.drain(..end);
        Some(Self::new(kind, id, content))
    }

    fn new(kind: u8, id: u16, content: Vec<u8>) -> Self {
        match kind {
            STDOUT if id != 0 => {
                assert!(content.len() <= 65_528, "a record of {} bytes", content.len());
                Self::Stdout { id, content }
            }
            STDERR if id != 0 => Self::Stderr { id, content },
            END_REQUEST if id != 0 => {
                let [a, b, c, d, protocol_status, 0, 0, 0] = content[..] else {
                    panic!("FCGI_END_REQUEST with {content:?}")
                };
                Self::End { id, app_status: u32::from_be_bytes([a, b, c, d]), protocol_status }
            }
            GET_VALUES_RESULT if id == 0 => Self::Values(parse_pairs(&content)),
            UNKNOWN_TYPE if id == 0 => {
                let [kind, 0, 0, 0, 0, 0, 0, 0] = content[..] else {
                    panic!("FCGI_UNKNOWN_TYPE with {content:?}")
                };
                Self::UnknownType(kind)
            }
            _ => panic!("the application wrote a record of type {kind} for id {id}"),
        }
    }

    pub fn request_id(&self) -> Option<u16> {
        match *self {
            Self::Stdout { id, .. } | Self::Stderr { id, .. } | Self::End { id, .. } => Some(id),
            Self::Values(_) | Self::UnknownType(_) | Self::Cut => None,
        }
    }
}

fn parse_pairs(mut bytes: &[u8]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    while let [name_len, value_len, rest @ ..] = bytes {
        assert!(*name_len < 128 && *value_len < 128, "the variables' names and values are short");
        let (name, rest) = rest.split_at(usize::from(*name_len));
        let (value, rest) = rest.split_at(usize::from(*value_len));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        pairs.push((text(name), text(value)));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "FCGI_GET_VALUES_RESULT ends within a pair");
    pairs
}

const BEGIN_REQUEST: u8 = 1;
const ABORT_REQUEST: u8 = 2;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;
const DATA: u8 = 8;
const GET_VALUES: u8 = 9;
const GET_VALUES_RESULT: u8 = 10;
const UNKNOWN_TYPE: u8 = 11;
const REQUEST_COMPLETE: u8 = 0;
const RESPONDER: u16 = 1;
