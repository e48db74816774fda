//! The servers written in Rust: this program, started again with `--serve`.

#[path = "../../support/router.rs"]
pub(crate) mod router;
mod tokio_fastcgi;

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::{TcpListener, UnixListener};
use tokio::runtime;

use crate::process::end_with_stdin;
use crate::servers::Server;

/// Serves at `address` (`unix:PATH`, or an IP address and a port) until the standard input ends.
pub(crate) fn serve(server: Server, address: &str, workers: usize) -> io::Result<()> {
    end_with_stdin();
    let mut builder = match workers {
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(workers).enable_all().build()?;
    runtime.block_on(async {
        match server {
            Server::TowerFastcgi => tower_fastcgi(address).await,
            Server::Axum => axum(address).await,
            Server::TokioFastcgi => tokio_fastcgi::serve(address).await,
            Server::Go | Server::Libfcgi => {
                Err(io::Error::other("that one is not written in Rust"))
            }
        }
    })
}

/// Tells whoever started this process where it listens.
fn greet(address: impl std::fmt::Display) {
    println!("{address}");
}

async fn tower_fastcgi(address: &str) -> io::Result<()> {
    let listener = ::tower_fastcgi::listener::bind(address).await?;
    let server = ::tower_fastcgi::serve(listener, router::router());
    greet(server.local_addr()?);
    server.await
}

async fn axum(address: &str) -> io::Result<()> {
    match listen(address).await? {
        Listening::Unix(listener) => ::axum::serve(listener, router::router()).await,
        Listening::Tcp(listener) => ::axum::serve(listener, router::router()).await,
    }
}

enum Listening {
    Unix(UnixListener),
    Tcp(TcpListener),
}

async fn listen(address: &str) -> io::Result<Listening> {
    if let Some(path) = address.strip_prefix("unix:") {
        let listener = UnixListener::bind(Path::new(path))?;
        greet(address);
        return Ok(Listening::Unix(listener));
    }
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind(address).await?;
    greet(listener.local_addr()?);
    Ok(Listening::Tcp(listener))
}
