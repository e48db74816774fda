//! A web server's end of a FastCGI connection, over any tokio transport.

#![allow(dead_code, unreachable_pub)]

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tower_fastcgi::record::{
    BeginRequest, Decoder, EndRequest, Fragment, ProtocolStatus, RecordType, RequestId, Role,
    put_pair, put_record, put_stream, put_stream_end,
};

/// One connection to the application, with one request at a time.
pub struct WebServer<Io> {
    io: Io,
    decoder: Decoder,
    input: Vec<u8>,
    /// Its flag in every request.
    pub keep_conn: bool,
    /// REMOTE_ADDR and REMOTE_PORT, as far as they are there.
    pub client: Vec<(&'static str, String)>,
}

/// A part of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    Stdout(Vec<u8>),
    End,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> WebServer<Io> {
    /// A web server that closes the connection after each request, with a client at 192.0.2.7.
    pub fn new(io: Io) -> Self {
        let client = vec![("REMOTE_ADDR", "192.0.2.7".into()), ("REMOTE_PORT", "40000".into())];
        Self { io, decoder: Decoder::new(), input: Vec::new(), keep_conn: false, client }
    }

    pub fn kept(io: Io) -> Self {
        Self { keep_conn: true, ..Self::new(io) }
    }

    pub async fn get(&mut self, uri: &str) -> Response<Bytes> {
        self.exchange(&Request::get(uri).body(Bytes::new()).unwrap()).await
    }

    pub async fn exchange(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        self.send(request).await;
        self.response().await
    }

    pub async fn send(&mut self, request: &Request<Bytes>) {
        let mut wire = self.head(request);
        put_stream(&mut wire, RecordType::Stdin, id(), request.body());
        put_stream_end(&mut wire, RecordType::Stdin, id());
        self.send_bytes(&wire).await;
    }

    /// Sends all of a request but its body.
    pub async fn send_head(&mut self, request: &Request<Bytes>) {
        let wire = self.head(request);
        self.send_bytes(&wire).await;
    }

    /// Sends a part of the request's body.
    pub async fn send_stdin(&mut self, content: &[u8]) {
        let mut wire = Vec::new();
        put_stream(&mut wire, RecordType::Stdin, id(), content);
        self.send_bytes(&wire).await;
    }

    pub async fn end_stdin(&mut self) {
        let mut wire = Vec::new();
        put_stream_end(&mut wire, RecordType::Stdin, id());
        self.send_bytes(&wire).await;
    }

    /// Asks what the application can, and waits until it has said so.
    pub async fn ask_for(&mut self, names: &[&str]) {
        let (mut pairs, mut wire) = (Vec::new(), Vec::new());
        for name in names {
            put_pair(&mut pairs, name.as_bytes(), b"");
        }
        put_record(&mut wire, RecordType::GetValues, None, &pairs);
        self.send_bytes(&wire).await;
        while !self.has_buffered_values() {
            assert_ne!(self.read().await, 0, "the connection ends before the values");
        }
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        bounded(self.io.write_all(bytes)).await.expect("the application reads");
    }

    /// The whole response.
    pub async fn response(&mut self) -> Response<Bytes> {
        let mut stdout = Vec::new();
        while let Part::Stdout(content) = self.part().await {
            stdout.extend(content);
        }
        parse(&stdout)
    }

    /// The next part of the response.
    pub async fn part(&mut self) -> Part {
        loop {
            if let Some(part) = self.buffered_part() {
                return part;
            }
            assert_ne!(self.read().await, 0, "the connection ends within a response");
        }
    }

    /// Waits until the application closes the connection, which sends nothing more.
    pub async fn closed(&mut self) {
        assert_eq!(self.read().await, 0, "nothing more is sent");
    }

    /// Reads the bytes, records or not, until the application closes the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.read().await > 0 {}
        std::mem::take(&mut self.input)
    }

    pub fn into_inner(self) -> Io {
        self.io
    }

    async fn read(&mut self) -> usize {
        self.input.reserve(64 * 1024);
        bounded(self.io.read_buf(&mut self.input)).await.expect("the connection is not broken")
    }

    fn buffered_part(&mut self) -> Option<Part> {
        let mut rest = &self.input[..];
        let part = self.decoder.decode(&mut rest).expect("records").map(part_of);
        self.input = rest.to_vec();
        part
    }

    fn has_buffered_values(&mut self) -> bool {
        let mut rest = &self.input[..];
        let Some(fragment) = self.decoder.decode(&mut rest).expect("records") else { return false };
        assert_eq!(fragment.header.record_type, RecordType::GetValuesResult);
        self.input = rest.to_vec();
        true
    }

    /// All of a request but its body, as it goes over the wire.
    pub fn head(&self, request: &Request<Bytes>) -> Vec<u8> {
        let begin = BeginRequest { role: Role::Responder.value(), keep_conn: self.keep_conn };
        let mut wire = Vec::new();
        put_record(&mut wire, RecordType::BeginRequest, Some(id()), &begin.encode());
        put_stream(&mut wire, RecordType::Params, id(), &self.params(request));
        put_stream_end(&mut wire, RecordType::Params, id());
        wire
    }

    /// What nginx's `fastcgi_params` would hold.
    fn params(&self, request: &Request<Bytes>) -> Vec<u8> {
        let mut params = Vec::new();
        let mut put = |name: &str, value: &[u8]| put_pair(&mut params, name.as_bytes(), value);
        let uri = request.uri();
        put("QUERY_STRING", uri.query().unwrap_or_default().as_bytes());
        put("REQUEST_METHOD", request.method().as_str().as_bytes());
        put("CONTENT_TYPE", value(request.headers(), header::CONTENT_TYPE));
        put("CONTENT_LENGTH", content_length(request).as_bytes());
        put("SCRIPT_NAME", uri.path().as_bytes());
        put("REQUEST_URI", uri.path_and_query().expect("a path").as_str().as_bytes());
        put("SERVER_PROTOCOL", b"HTTP/1.1");
        put("SERVER_NAME", b"example.com");
        put("SERVER_PORT", b"80");
        for (name, value) in &self.client {
            put(name, value.as_bytes());
        }
        for (name, value) in request.headers() {
            let name = name.as_str().to_ascii_uppercase().replace('-', "_");
            put(&format!("HTTP_{name}"), value.as_bytes());
        }
        params
    }
}

fn part_of(fragment: Fragment<'_>) -> Part {
    match fragment.header.record_type {
        RecordType::Stdout => Part::Stdout(fragment.content.to_vec()),
        RecordType::EndRequest => {
            let end = EndRequest::decode(fragment.content).expect("eight bytes");
            assert_eq!(end.protocol_status, ProtocolStatus::RequestComplete);
            Part::End
        }
        other => panic!("{other} in a response"),
    }
}

/// No wait lasts for ever. With tokio's clock paused, a wait that nothing ends fails at once.
pub async fn bounded<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(90), future).await.expect("an end to the wait")
}

fn value(headers: &HeaderMap, name: HeaderName) -> &[u8] {
    headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default()
}

/// Empty when the length is unknown, as nginx says it.
fn content_length(request: &Request<Bytes>) -> String {
    match request.body().len() {
        0 => String::from_utf8_lossy(value(request.headers(), header::CONTENT_LENGTH)).into(),
        _ if request.headers().contains_key(header::TRANSFER_ENCODING) => String::new(),
        len => len.to_string(),
    }
}

fn parse(stdout: &[u8]) -> Response<Bytes> {
    let head_len = stdout.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let head = std::str::from_utf8(&stdout[..head_len - 4]).expect("a head in ASCII");
    let mut response = Response::new(Bytes::copy_from_slice(&stdout[head_len..]));
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(": ").expect("a header line");
        if name.eq_ignore_ascii_case("status") {
            *response.status_mut() = value[..3].parse().expect("a status code");
        } else {
            let name: HeaderName = name.parse().expect("a header name");
            response.headers_mut().append(name, value.parse().expect("a header value"));
        }
    }
    response
}

fn id() -> RequestId {
    RequestId::new(1).expect("1 is not 0")
}
