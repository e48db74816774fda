//! A backend that finds the ends of requests without a body and answers each with the same bytes.

use std::io;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tower_fastcgi::record::{
    Decoder, EndRequest, ProtocolStatus, RecordType, put_end_request, put_stream, put_stream_end,
};

use crate::app::HELLO;

/// Serves for ever.
pub(crate) async fn serve(mut listener: impl Listener, is_fastcgi: bool) -> io::Result<()> {
    loop {
        let (io, _) = listener.accept().await;
        // The end of a connection may come at any time: web servers are killed.
        if is_fastcgi {
            tokio::spawn(answer(io, FastCgi::default()));
        } else {
            tokio::spawn(answer(io, Http::default()));
        }
    }
}

trait Answers {
    /// Puts the responses to the requests that end within these next bytes.
    fn put(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<()>;
}

async fn answer(
    mut io: impl AsyncRead + AsyncWrite + Unpin,
    mut answers: impl Answers,
) -> io::Result<()> {
    let mut input = vec![0; 16 * 1024];
    let mut output = Vec::new();
    loop {
        let len = io.read(&mut input).await?;
        if len == 0 {
            return Ok(());
        }
        answers.put(&input[..len], &mut output)?;
        io.write_all(&output).await?;
        output.clear();
    }
}

struct FastCgi {
    decoder: Decoder,
    content: Vec<u8>,
}

impl Default for FastCgi {
    fn default() -> Self {
        let content = format!("Status: 200 OK\r\n{}", head_and_body()).into_bytes();
        Self { decoder: Decoder::new(), content }
    }
}

impl Answers for FastCgi {
    fn put(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        while let Some(fragment) = self.decoder.decode(&mut input).map_err(io::Error::other)? {
            let header = fragment.header;
            let is_end = header.record_type == RecordType::Stdin && header.content_length == 0;
            if let Some(id) = header.request_id.filter(|_| is_end) {
                put_stream(output, RecordType::Stdout, id, &self.content);
                put_stream_end(output, RecordType::Stdout, id);
                put_end_request(output, id, COMPLETE);
            }
        }
        Ok(())
    }
}

const COMPLETE: EndRequest =
    EndRequest { app_status: 0, protocol_status: ProtocolStatus::RequestComplete };

struct Http {
    response: Vec<u8>,
    /// How much of the empty line has been seen.
    seen: usize,
}

impl Default for Http {
    fn default() -> Self {
        Self { response: format!("HTTP/1.1 200 OK\r\n{}", head_and_body()).into_bytes(), seen: 0 }
    }
}

impl Answers for Http {
    fn put(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        for &byte in input {
            if self.ends(byte) {
                output.extend_from_slice(&self.response);
            }
        }
        Ok(())
    }
}

impl Http {
    fn ends(&mut self, byte: u8) -> bool {
        self.seen = match byte {
            _ if byte == EMPTY_LINE[self.seen] => self.seen + 1,
            b'\r' => 1,
            _ => 0,
        };
        let is_end = self.seen == EMPTY_LINE.len();
        if is_end {
            self.seen = 0;
        }
        is_end
    }
}

const EMPTY_LINE: [u8; 4] = *b"\r\n\r\n";

/// What the app's response has, too.
fn head_and_body() -> String {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    format!(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nDate: {date}\r\n\r\n{HELLO}",
        HELLO.len()
    )
}
