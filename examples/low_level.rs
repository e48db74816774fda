//! One connection at a time in one's own hands: an accept loop of one's own, any tower service, any option.
//!
//! `server::Builder` and `Connection` need no tokio; they take any transport that implements hyper's `rt` traits. Here that is
//! tokio's through hyper-util, and the service is a plain function.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tower_fastcgi::server::Builder;
use tower_fastcgi::{Incoming, Params};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:9000").await?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(tokio::spawn(serve_one(stream, peer))),
            Err(error) => retry_later(error).await,
        }
    }
}

/// The process may be out of file descriptors, which passes. An accept loop that ends does not come back.
async fn retry_later(error: std::io::Error) {
    eprintln!("accept: {error}");
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn serve_one(stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true) {
        return eprintln!("{peer}: {error}");
    }
    let mut builder = Builder::new().executor(TokioExecutor::new());
    builder.timer(TokioTimer::new()).max_params_size(32 * 1024).write_timeout(WRITE_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), tower::service_fn(answer));
    if let Err(error) = connection.await {
        eprintln!("{peer}: {error}");
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, tower::BoxError> {
    let client =
        request.extensions().get::<Params>().and_then(|params| params.get_str("REMOTE_ADDR"));
    let head = format!("{} {} from {}\n", request.method(), request.uri(), client.unwrap_or("?"));
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new([head.into(), body].concat().into()))
}

const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
