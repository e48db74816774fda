//! An HTTP/1.1 backend that takes what it is given: each of its liberties is taken by servers that are in use.
//!
//! - Lines may end with LF alone.
//! - A header's name is what CGI and WSGI make of it: `_` is `-`.
//! - A Transfer-Encoding with `chunked` anywhere in it counts, and counts more than Content-Length. Of several lengths the last counts.
//! - The headers that Connection names are for the last hop only, and gone before anything else looks at them.
//! - GET and HEAD have no body, whatever the headers say.
//! - `Upgrade: h2c` is followed.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http2;
use super::witness::{Seen, Witness};

/// Answers requests until one is wrong or the connection ends.
pub(crate) async fn serve(mut stream: TcpStream, witness: Witness) {
    let mut input = Vec::new();
    loop {
        let answer = match take_request(&mut input) {
            Taken::Request { request, is_upgrade: true } => {
                note(&witness, request);
                let _ = stream.write_all(SWITCHING).await;
                return serve_http2(stream, input, &witness).await;
            }
            Taken::Request { request, .. } => {
                note(&witness, request);
                stream.write_all(OK).await
            }
            Taken::Wrong => {
                let _ = stream.write_all(BAD_REQUEST).await;
                return;
            }
            Taken::Nothing => match stream.read_buf(&mut input).await {
                Ok(0) => return,
                read => read.map(drop),
            },
        };
        if answer.is_err() {
            return;
        }
    }
}

/// One request is enough.
async fn serve_http2(mut stream: TcpStream, mut input: Vec<u8>, witness: &Witness) {
    let fields = loop {
        if let Some(fields) = http2::fields_of(&input) {
            break fields;
        }
        if !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
            return;
        }
    };
    let value =
        |name: &str| fields.iter().find(|field| field.0 == name).map(|field| field.1.clone());
    note(
        witness,
        Seen {
            id: value("x-front"),
            method: value(":method").unwrap_or_default(),
            target: value(":path").unwrap_or_default(),
            body: Some(Vec::new()),
        },
    );
}

fn note(witness: &Witness, request: Seen) {
    witness.began(request);
}

enum Taken {
    Request {
        request: Seen,
        is_upgrade: bool,
    },
    /// The request is not there yet.
    Nothing,
    Wrong,
}

/// Takes a whole request out of the input.
fn take_request(input: &mut Vec<u8>) -> Taken {
    let mut rest = &input[..];
    while let Some(others) = rest.strip_prefix(b"\n").or(rest.strip_prefix(b"\r\n")) {
        rest = others;
    }
    let Some(head) = Head::take(&mut rest) else { return Taken::Nothing };
    let Some((method, target)) = head.request_line() else { return Taken::Wrong };
    let body = match head.length(&method) {
        Length::Chunked => take_chunks(&mut rest),
        Length::Bytes(len) => take_bytes(&mut rest, len),
    };
    let Some(body) = body else { return Taken::Nothing };
    let is_upgrade = head.value("upgrade").is_some_and(|value| value.contains("h2c"));
    let id = head.value("x-front").map(Into::into);
    let request = Seen { id, method, target, body: Some(body) };
    *input = rest.to_vec();
    Taken::Request { request, is_upgrade }
}

struct Head {
    first_line: String,
    headers: Vec<(String, String)>,
}

enum Length {
    Chunked,
    Bytes(usize),
}

impl Head {
    fn take(input: &mut &[u8]) -> Option<Self> {
        let first_line = take_line(input)?;
        let mut headers = Vec::new();
        loop {
            let line = take_line(input)?;
            if line.is_empty() {
                return Some(Self { first_line, headers });
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let name = name.trim().to_ascii_lowercase().replace('_', "-");
            headers.push((name, value.trim().to_owned()));
        }
    }

    fn request_line(&self) -> Option<(String, String)> {
        let mut words = self.first_line.split_whitespace();
        let (method, target) = (words.next()?, words.next()?);
        let is_method = method.bytes().all(|byte| byte.is_ascii_uppercase());
        let path =
            target.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
        let target = path.unwrap_or(target);
        (is_method && words.next().is_some()).then(|| (method.to_owned(), target.to_owned()))
    }

    fn length(&self, method: &str) -> Length {
        if ["GET", "HEAD"].contains(&method) {
            return Length::Bytes(0);
        }
        if self.value("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            return Length::Chunked;
        }
        let digits = self.value("content-length").unwrap_or_default();
        Length::Bytes(digits.parse().unwrap_or(0))
    }

    /// The last value of a header, unless it is for the last hop only.
    fn value(&self, name: &str) -> Option<&str> {
        let named = |connection: &str| {
            connection.split(',').any(|word| word.trim().eq_ignore_ascii_case(name))
        };
        let of = |name: &str| {
            let values = self.headers.iter().rev().filter(move |header| header.0 == name);
            values.map(|header| &*header.1).collect::<Vec<_>>()
        };
        let is_dropped = name != "upgrade" && of("connection").into_iter().any(named);
        if is_dropped { None } else { of(name).first().copied() }
    }
}

/// A line without its end.
fn take_line(input: &mut &[u8]) -> Option<String> {
    let end = input.iter().position(|&byte| byte == b'\n')?;
    let line = &input[..end];
    *input = &input[end + 1..];
    Some(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
}

fn take_bytes(input: &mut &[u8], len: usize) -> Option<Vec<u8>> {
    let (bytes, rest) = input.split_at_checked(len)?;
    *input = rest;
    Some(bytes.to_vec())
}

fn take_chunks(input: &mut &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = take_line(input)?;
        let digits = line.split(|c: char| !c.is_ascii_hexdigit()).next().unwrap_or_default();
        match usize::from_str_radix(digits, 16).unwrap_or(0) {
            0 => break,
            len => body.extend(take_bytes(input, len)?),
        }
        take_line(input)?;
    }
    while !take_line(input)?.is_empty() {}
    Some(body)
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
