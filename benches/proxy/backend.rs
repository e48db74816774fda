//! The app in a process of its own, which gets the listening socket as its standard input.

use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::fs::{Permissions, set_permissions};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, UnixListener};

use crate::app::app;
use crate::front::Upstream;
use crate::program::{Program, guard};
use crate::row::{Backend, Socket};
use crate::{canned, stream};

/// Starts a backend with its files in `dir`.
pub(crate) fn start(
    backend: Backend,
    socket: Socket,
    dir: &Path,
) -> io::Result<(Program, Upstream)> {
    let (listener, upstream) = listen(socket, dir)?;
    let mut command =
        guard::own_binary(&[BACKEND, &format!("{backend:?}"), &format!("{socket:?}")])?;
    command.stdin(listener);
    Ok((Program::spawn(&mut command, dir.join("backend.log"))?, upstream))
}

/// The kernel chooses the port, and web servers can connect before the backend runs.
fn listen(socket: Socket, dir: &Path) -> io::Result<(OwnedFd, Upstream)> {
    match socket {
        Socket::Tcp => {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let address = listener.local_addr()?;
            Ok((listener.into(), Upstream::Tcp(address)))
        }
        Socket::Unix => {
            let path = dir.join("app.sock");
            let listener = std::os::unix::net::UnixListener::bind(&path)?;
            // When root starts them, nginx and Apache run as someone else.
            set_permissions(&path, Permissions::from_mode(0o666))?;
            Ok((listener.into(), Upstream::Unix(path)))
        }
    }
}

/// What the process does that [`start`] starts. Returns only if it cannot serve.
pub(crate) fn run(arguments: &[OsString]) -> io::Result<()> {
    guard::end_with_parent()?;
    let [backend, socket] = arguments else { return Err(io::ErrorKind::InvalidInput.into()) };
    let backend = named(&Backend::ALL, backend)?;
    let socket = named(&Socket::ALL, socket)?;
    tokio::runtime::Runtime::new()?.block_on(serve(backend, socket))
}

fn named<T: Copy + Debug>(all: &[T], name: &OsStr) -> io::Result<T> {
    let found = all.iter().find(|value| *name == *format!("{value:?}"));
    found.copied().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

async fn serve(backend: Backend, socket: Socket) -> io::Result<()> {
    let app = app().route(stream::PATH, get(stream::respond)).with_state(());
    match (backend, socket) {
        (Backend::FastCgi, _) => {
            let listener = tower_fastcgi::listener::bind("fd:0").await?;
            tower_fastcgi::serve(listener, app).await
        }
        (Backend::Http, Socket::Tcp) => {
            // As `tower_fastcgi::serve` does.
            let listener = tcp()?.tap_io(|io| _ = io.set_nodelay(true));
            axum::serve(listener, app).await
        }
        (Backend::Http, Socket::Unix) => axum::serve(unix()?, app).await,
        (_, Socket::Tcp) => canned::serve(tcp()?, backend.is_fastcgi()).await,
        (_, Socket::Unix) => canned::serve(unix()?, backend.is_fastcgi()).await,
    }
}

fn tcp() -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::from(inherited()?);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn unix() -> io::Result<UnixListener> {
    let listener = std::os::unix::net::UnixListener::from(inherited()?);
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

fn inherited() -> io::Result<OwnedFd> {
    io::stdin().as_fd().try_clone_to_owned()
}

/// The first argument of a process that is to be a backend.
pub(crate) const BACKEND: &str = "backend";
