//! A client that sends what it is given.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::Bytes;
use http::request::Builder;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::BOUND;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Asks a server, from [`CLIENT`].
pub(crate) async fn ask(server: SocketAddr, request: Builder) -> Answer {
    let request = request.header("host", "app.example").body(Empty::<Bytes>::new());
    let request = request.expect("a good request");
    let exchange = async {
        let socket = TcpSocket::new_v4().expect("the system gives sockets");
        let client: SocketAddr = format!("{CLIENT}:0").parse().expect("an address");
        socket.bind(client).expect("it is an address of this machine");
        let stream = socket.connect(server).await.expect("the server accepts");
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.expect("it has no wire part");
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.expect("the server answers");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the answer is whole").to_bytes();
        connection.abort();
        let body = String::from_utf8(body.into()).expect("text");
        Answer { status: head.status, headers: head.headers, body }
    };
    timeout(BOUND, exchange).await.expect("an answer in time")
}

/// Whether something behind this address answers the request with a success.
pub(crate) fn is_answered(address: SocketAddr, line: &str) -> bool {
    let ask = || -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(BOUND))?;
        stream.write_all(format!("{line}\r\nHost: app\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.get(8..12) == Some(b" 200"))
}

/// Where the client is. All of 127.0.0.0/8 is this machine.
pub(crate) const CLIENT: &str = "127.0.0.9";
