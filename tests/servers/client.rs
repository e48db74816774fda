//! The browser's side: hyper where HTTP has to be right, a bare socket where the exact bytes matter.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.body(body.into()).expect("a good method and path")
}

/// One connection to a web server at a time, for one request after the other.
#[derive(Debug)]
pub(crate) struct Client {
    server: SocketAddr,
    sender: SendRequest<Body>,
    pub(crate) address: SocketAddr,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.expect("the server accepts");
        let address = stream.local_addr().expect("a connected socket has an address");
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.expect("no IO happens yet");
        tokio::spawn(connection);
        Self { server, sender, address }
    }

    /// Sends a request, on a new connection if the server has closed the last one, as Apache does after each hundredth answer and
    /// each 500. The body of the response is still to come.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Response<Incoming> {
        self.try_send(request).await.expect("the server answers")
    }

    /// Sends a request that the server may fail to answer.
    pub(crate) async fn try_send(
        &mut self,
        mut request: Request<Body>,
    ) -> hyper::Result<Response<Incoming>> {
        request.headers_mut().entry("host").or_insert_with(|| "localhost".parse().expect("a name"));
        if self.sender.ready().await.is_err() {
            *self = Self::connect(self.server).await;
        }
        self.sender.send_request(request).await
    }

    pub(crate) async fn fetch(&mut self, request: Request<Body>) -> Answer {
        Answer::of(self.send(request).await).await
    }
}

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the answer is whole").to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    /// The values of a header, each byte as the character of that number.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let latin1 = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect();
        self.headers.get_all(name).iter().map(|value| latin1(value.as_bytes())).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the answer is text")
    }

    /// What the application says that it saw.
    pub(crate) fn seen(&self) -> Seen {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        Seen::parse(&self.body)
    }
}

/// A request as the application saw it; bytes are characters of that number.
#[derive(Debug)]
pub(crate) struct Seen(Value);

impl Seen {
    /// The text that the application answers with.
    pub(crate) fn parse(json: &[u8]) -> Self {
        Self(serde_json::from_slice(json).expect("the application answers in JSON"))
    }

    /// `method`, `uri`, `version`, `body`, `peer` or `params_debug`.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.pairs("headers", name)
    }

    pub(crate) fn param(&self, name: &str) -> Vec<&str> {
        self.pairs("params", name)
    }

    pub(crate) fn names(&self, key: &str) -> Vec<&str> {
        self.all(key).map(|(name, _)| name).collect()
    }

    fn pairs(&self, key: &str, name: &str) -> Vec<&str> {
        self.all(key).filter(|pair| pair.0 == name).map(|pair| pair.1).collect()
    }

    fn all(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        fn text(value: &Value) -> &str {
            value.as_str().expect("a string")
        }
        let pairs = self.0[key].as_array().expect("a list of pairs");
        pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1])))
    }
}

/// A connection that sends what it is given.
#[derive(Debug)]
pub(crate) struct RawClient<S = TcpStream>(pub(crate) S);

impl RawClient {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        Self(TcpStream::connect(server).await.expect("the server accepts"))
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the server reads");
    }
}

impl<S: AsyncRead + Unpin> RawClient<S> {
    /// Reads a whole response, and those that come before it.
    pub(crate) async fn read_answer(&mut self) -> Answer {
        loop {
            let (status, headers) = self.read_parsed_head().await;
            if !status.is_informational() {
                let body = self.read_body(&headers).await.into();
                return Answer { status, headers, body };
            }
        }
    }

    async fn read_parsed_head(&mut self) -> (StatusCode, HeaderMap) {
        let head = self.read_head().await;
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut headers);
        parsed.parse(head.as_bytes()).expect("the head of a response");
        let status = StatusCode::from_u16(parsed.code.expect("a whole head")).expect("a status");
        let headers = parsed.headers.iter().map(|header| {
            let name: HeaderName = header.name.parse().expect("a name");
            (name, HeaderValue::try_from(header.value).expect("a value"))
        });
        (status, headers.collect())
    }

    /// Up to its length, its last chunk or the end of the connection.
    async fn read_body(&mut self, headers: &HeaderMap) -> Vec<u8> {
        if headers.contains_key(header::TRANSFER_ENCODING) {
            return self.read_chunks().await;
        }
        let len = headers.get(header::CONTENT_LENGTH).map(|len| len.to_str().expect("ASCII"));
        let Some(len) = len else {
            let mut body = Vec::new();
            self.0.read_to_end(&mut body).await.expect("the answer is whole");
            return body;
        };
        self.read_exactly(len.parse().expect("a number")).await
    }

    async fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.read_until(b"\r\n").await;
            let len = usize::from_str_radix(line.trim_end(), 16).expect("the length of a chunk");
            body.extend(self.read_exactly(len).await);
            self.read_until(b"\r\n").await;
            if len == 0 {
                return body;
            }
        }
    }

    async fn read_exactly(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.read_exact(&mut bytes).await.expect("the answer is whole");
        bytes
    }

    /// Reads the head of a response, up to and with its empty line.
    pub(crate) async fn read_head(&mut self) -> String {
        self.read_until(b"\r\n\r\n").await
    }

    async fn read_until(&mut self, end: &[u8]) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end) {
            read.push(self.0.read_u8().await.expect("the server sends more"));
        }
        String::from_utf8(read).expect("ASCII")
    }
}
