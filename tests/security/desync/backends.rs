//! The three that stand behind each web server.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower_fastcgi::listener::{Listener, Peer};
use tower_fastcgi::server::{Builder, Observer};
use tower_fastcgi::{Params, Result};

use super::lenient;
use super::witness::{Seen, Witness};
use crate::RUNTIME;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Over HTTP, lenient.
    Lenient,
    /// Over HTTP, hyper: what `axum::serve` is made of.
    Hyper,
    /// Over FastCGI, this library.
    FastCgi,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Lenient, Self::Hyper, Self::FastCgi];
}

/// A backend that serves until the process ends.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) kind: Kind,
    pub(crate) addr: SocketAddr,
    pub(crate) witness: Witness,
}

impl Backend {
    pub(crate) fn start(kind: Kind) -> io::Result<Self> {
        let witness = Witness::default();
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let addr = listener.local_addr()?;
        match kind {
            Kind::Lenient => drop(RUNTIME.spawn(accept(listener, witness.clone(), lenient::serve))),
            Kind::Hyper => drop(RUNTIME.spawn(accept(listener, witness.clone(), serve_hyper))),
            Kind::FastCgi => drop(RUNTIME.spawn(serve_fastcgi(listener, witness.clone()))),
        }
        Ok(Self { kind, addr, witness })
    }
}

async fn accept<F>(
    listener: TcpListener,
    witness: Witness,
    serve: impl Fn(TcpStream, Witness) -> F,
) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let (stream, peer) = listener.accept().await?;
        witness.accepted(peer);
        let served = serve(stream, witness.clone());
        let witness = witness.clone();
        tokio::spawn(async move {
            served.await;
            witness.closed();
        });
    }
}

async fn serve_hyper(stream: TcpStream, witness: Witness) {
    let service = service_fn(move |request: Request<Incoming>| {
        let id = request.headers().get("x-front").map(|id| latin1(id.as_bytes()));
        answer(witness.clone(), id, request)
    });
    // What it makes of a wrong request is no matter here.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn serve_fastcgi(listener: TcpListener, witness: Witness) -> io::Result<()> {
    let app = tower::service_fn({
        let witness = witness.clone();
        move |request: Request<tower_fastcgi::Incoming>| {
            let params = request.extensions().get::<Params>().expect("each request has them");
            let id = params.get_str("FRONT_ID").map(Into::into);
            answer(witness.clone(), id, request)
        }
    });
    let mut builder = Builder::new();
    builder.observer(Closed(witness.clone()));
    tower_fastcgi::serve(Noted { listener, witness }, app).with_builder(builder).await
}

async fn answer<B: Body<Data = Bytes>>(
    witness: Witness,
    id: Option<String>,
    request: Request<B>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let seen = Seen { id, method: head.method.to_string(), target: target.into(), body: None };
    let number = witness.began(seen);
    if let Ok(body) = body.collect().await {
        witness.completed(number, body.to_bytes().into());
    }
    Ok(Response::new(Full::default()))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Tells the witness of each connection when it is accepted.
struct Noted {
    listener: TcpListener,
    witness: Witness,
}

impl Listener for Noted {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        self.witness.accepted(peer);
        (stream, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    fn peer(&self, _: &TcpStream, addr: &SocketAddr) -> Peer {
        Peer::Tcp(*addr)
    }
}

/// And when it is closed.
struct Closed(Witness);

impl Observer for Closed {
    fn connection_closed(&self, _: Option<&Result<()>>) {
        self.0.closed();
    }
}
