//! The client's side: one request on a connection of its own, as it is written.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::BOUND;

/// An answer, or what is left of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, head: String::new(), body: body.to_owned() }
    }

    /// What the application says that it saw.
    pub(crate) fn seen(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// GET, with these lines behind the Host header.
pub(crate) fn get(server: SocketAddr, target: &str, headers: &[&str]) -> io::Result<Answer> {
    Connection::open(server)?.ask("GET", target, headers, b"")
}

/// One connection to a web server.
#[derive(Debug)]
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(BOUND))?;
        stream.set_write_timeout(Some(BOUND))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks and reads the whole answer, whose length must be given or which the end of the connection must end.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[&str],
        body: &[u8],
    ) -> io::Result<Answer> {
        let length = match method {
            "GET" => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{length}{headers}\r\n");
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let head = self.head()?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status: {head:?}")))?;
        let mut answer = Answer { status, head, body: String::new() };
        answer.body = match answer.header("content-length").map(str::parse) {
            Some(Ok(length)) => self.exactly(length)?,
            _ if status == 204 => String::new(),
            _ if answer.header("transfer-encoding").is_some() => self.chunks()?,
            _ => {
                let mut body = String::new();
                self.0.read_to_string(&mut body)?;
                body
            }
        };
        Ok(answer)
    }

    fn head(&mut self) -> io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(head)
    }

    fn chunks(&mut self) -> io::Result<String> {
        let mut body = String::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            body += &self.exactly(length)?;
            self.exactly(2)?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<String> {
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        String::from_utf8(body).map_err(io::Error::other)
    }
}
