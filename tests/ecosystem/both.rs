use std::net::SocketAddr;

use axum::Router;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::in_memory::{InMemory, Network};
use crate::web_server::{WebServer, bounded};

/// One application, served over HTTP and over FastCGI.
pub(crate) struct Both {
    http: SocketAddr,
    fastcgi: Network,
    _tasks: JoinSet<std::io::Result<()>>,
}

impl Both {
    pub(crate) async fn of(app: Router) -> Self {
        let (listener, fastcgi) = InMemory::new();
        let http_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = http_listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(tower_fastcgi::serve(listener, app.clone()).into_future());
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tasks.spawn(axum::serve(http_listener, app).into_future());
        Self { http, fastcgi, _tasks: tasks }
    }

    /// Makes the request both ways.
    ///
    /// # Panics
    ///
    /// If the responses differ in more than what belongs to the connection.
    pub(crate) async fn ask(&self, request: Request<impl Into<Bytes>>) -> Response<Bytes> {
        let request = request.map(Into::into);
        let over_fastcgi = comparable(self.ask_over_fastcgi(&request).await);
        let over_http = comparable(self.ask_over_http(request).await);
        assert_eq!(over_fastcgi.status(), over_http.status());
        assert_eq!(sorted(over_fastcgi.headers()), sorted(over_http.headers()));
        assert_eq!(over_fastcgi.body(), over_http.body());
        over_fastcgi
    }

    pub(crate) async fn get(&self, uri: &str) -> Response<Bytes> {
        self.ask(Request::get(uri).body(Bytes::new()).unwrap()).await
    }

    /// A web server whose client has the address that the HTTP server sees.
    pub(crate) fn web_server(&self) -> WebServer<tokio::io::DuplexStream> {
        let mut web_server = WebServer::new(self.fastcgi.connect());
        let client = [("REMOTE_ADDR", "127.0.0.1"), ("REMOTE_PORT", "40000")];
        web_server.client = client.map(|(name, value)| (name, value.to_owned())).into();
        web_server
    }

    pub(crate) async fn ask_over_fastcgi(&self, request: &Request<Bytes>) -> Response<Bytes> {
        self.web_server().exchange(request).await
    }

    async fn ask_over_http(&self, mut request: Request<Bytes>) -> Response<Bytes> {
        let stream = bounded(TcpStream::connect(self.http)).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let host = HeaderValue::from_static("example.com");
        request.headers_mut().entry(header::HOST).or_insert(host);
        let response = bounded(sender.send_request(request.map(Full::new))).await.unwrap();
        let (head, body) = response.into_parts();
        let body = bounded(body.collect()).await.unwrap().to_bytes();
        connection.abort();
        Response::from_parts(head, body)
    }
}

/// Without what belongs to the connection, and the date.
fn comparable(mut response: Response<Bytes>) -> Response<Bytes> {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::DATE] {
        response.headers_mut().remove(name);
    }
    response
}

/// By name; those of the same name in their order.
fn sorted(headers: &HeaderMap) -> Vec<(&str, &HeaderValue)> {
    let mut headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value)).collect();
    headers.sort_by_key(|(name, _)| *name);
    headers
}
