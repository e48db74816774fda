//! As much of HTTP/2 as one request takes, with fields as they are given: libraries refuse to send what is wrong.

/// A whole request on stream 1, from the connection's preface on.
pub(crate) fn request(fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, b""));
    bytes.extend(frame(HEADERS, END_HEADERS, 1, &block));
    bytes.extend(frame(DATA, END_STREAM, 1, body));
    bytes
}

/// The fields of a GET.
pub(crate) fn get(path: &'static str) -> [(&'static str, &'static str); 4] {
    [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "app")]
}

/// The fields of the first request in what [`request`] makes, when they are there.
pub(crate) fn fields_of(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut rest = bytes.strip_prefix(PREFACE)?;
    loop {
        let (head, others) = rest.split_at_checked(9)?;
        let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (content, others) = others.split_at_checked(len)?;
        if head[3] == HEADERS {
            return fields_in(content);
        }
        rest = others;
    }
}

fn fields_in(mut block: &[u8]) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    while let Some(rest) = block.strip_prefix(&[LITERAL]) {
        let (name, rest) = string(rest)?;
        let (value, rest) = string(rest)?;
        fields.push((name, value));
        block = rest;
    }
    Some(fields)
}

fn string(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(len))?;
    Some((String::from_utf8_lossy(text).into_owned(), rest))
}

/// Without an index and without compression.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![LITERAL];
    for text in [name, value] {
        assert!(text.len() < 127, "a length of one byte: {text}");
        bytes.push(text.len() as u8);
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).expect("short").to_be_bytes();
    let head = [&len[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, content].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const LITERAL: u8 = 0;
