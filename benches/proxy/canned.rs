//! A backend that finds the ends of requests without a body and answers each with the same bytes.

use std::io;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tower_fastcgi::record::{
    Decoder, EndRequest, ProtocolStatus, RecordType, RequestId, put_end_request, put_stream,
    put_stream_end,
};

use crate::app::HELLO;

/// Serves for ever.
pub(crate) async fn serve(mut listener: impl Listener, is_fastcgi: bool) -> io::Result<()> {
    loop {
        let (io, _) = listener.accept().await;
        // The end of a connection may come at any time: web servers are killed.
        if is_fastcgi {
            tokio::spawn(answer(io, FastCgiEnds::default(), fastcgi_response()));
        } else {
            tokio::spawn(answer(io, HttpEnds::default(), http_response()));
        }
    }
}

/// Finds the ends of requests.
trait Ends {
    /// How many requests end within these next bytes.
    fn count(&mut self, input: &[u8]) -> io::Result<usize>;
}

async fn answer(
    mut io: impl AsyncRead + AsyncWrite + Unpin,
    mut ends: impl Ends,
    response: Vec<u8>,
) -> io::Result<()> {
    let mut input = vec![0; 16 * 1024];
    loop {
        let len = io.read(&mut input).await?;
        if len == 0 {
            return Ok(());
        }
        for _ in 0..ends.count(&input[..len])? {
            io.write_all(&response).await?;
        }
    }
}

/// Kept connections with one request at a time.
#[derive(Default)]
struct FastCgiEnds(Decoder);

impl Ends for FastCgiEnds {
    fn count(&mut self, mut input: &[u8]) -> io::Result<usize> {
        let mut count = 0;
        while let Some(fragment) = self.0.decode(&mut input).map_err(io::Error::other)? {
            let header = fragment.header;
            let is_end = header.record_type == RecordType::Stdin && header.content_length == 0;
            count += usize::from(is_end);
        }
        Ok(count)
    }
}

/// How much of the empty line has been seen.
#[derive(Default)]
struct HttpEnds(usize);

impl Ends for HttpEnds {
    fn count(&mut self, input: &[u8]) -> io::Result<usize> {
        Ok(input.iter().filter(|&&byte| self.ends(byte)).count())
    }
}

impl HttpEnds {
    fn ends(&mut self, byte: u8) -> bool {
        self.0 = match byte {
            _ if byte == EMPTY_LINE[self.0] => self.0 + 1,
            b'\r' => 1,
            _ => 0,
        };
        let is_end = self.0 == EMPTY_LINE.len();
        if is_end {
            self.0 = 0;
        }
        is_end
    }
}

const EMPTY_LINE: [u8; 4] = *b"\r\n\r\n";

fn http_response() -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{}", head_and_body()).into_bytes()
}

fn fastcgi_response() -> Vec<u8> {
    let id = RequestId::new(1).expect("1 is an id");
    let mut response = Vec::new();
    let content = format!("Status: 200 OK\r\n{}", head_and_body());
    put_stream(&mut response, RecordType::Stdout, id, content.as_bytes());
    put_stream_end(&mut response, RecordType::Stdout, id);
    let end = EndRequest { app_status: 0, protocol_status: ProtocolStatus::RequestComplete };
    put_end_request(&mut response, id, end);
    response
}

/// What the app's response has, too.
fn head_and_body() -> String {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    format!(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nDate: {date}\r\n\r\n{HELLO}",
        HELLO.len()
    )
}
