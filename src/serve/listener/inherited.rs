use std::io;
use std::os::fd::{AsFd, OwnedFd};

use socket2::{Domain, SockRef, Type};
use tokio::net::{TcpListener, UnixListener};

use super::{AllowedPeers, AnyListener, cannot_listen};

/// The socket that web servers and spawn-fcgi pass as FCGI_LISTENSOCK_FILENO (FastCGI 1.0, section 2.2).
pub(super) fn stdin() -> io::Result<AnyListener> {
    listener_of_stdin().map_err(|error| cannot_listen("fd:0", &error))
}

fn listener_of_stdin() -> io::Result<AnyListener> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    if !is_listening_stream(&socket) {
        let reason = "standard input is not a listening socket: start it from mod_fcgid, lighttpd (bin-path) or spawn-fcgi, or \
                      give an address";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let web_servers = AllowedPeers::from_env()?;
    if web_servers.is_some() && is_unix(&socket)? {
        let reason = "FCGI_WEB_SERVER_ADDRS lists the addresses that may connect, but standard input is a Unix socket, whose \
                      peers have none: unset it";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(listener_of(socket)?.checked(web_servers))
}

/// A socket that listens, whether on TCP or on a Unix socket.
pub(super) fn listener_of(socket: OwnedFd) -> io::Result<AnyListener> {
    SockRef::from(&socket).set_nonblocking(true)?;
    if is_unix(&socket)? {
        UnixListener::from_std(socket.into()).map(AnyListener::from)
    } else {
        TcpListener::from_std(socket.into()).map(AnyListener::from)
    }
}

pub(super) fn is_listening_stream(descriptor: &OwnedFd) -> bool {
    let socket = SockRef::from(descriptor);
    let is_stream = socket.r#type().is_ok_and(|found| found == Type::STREAM);
    is_stream && is_listening(&socket).unwrap_or(false) && is_tcp_or_unix(descriptor)
}

fn is_tcp_or_unix(socket: &OwnedFd) -> bool {
    let known = [Domain::IPV4, Domain::IPV6, Domain::UNIX];
    domain(socket).is_ok_and(|found| known.contains(&found))
}

fn is_unix(socket: &OwnedFd) -> io::Result<bool> {
    domain(socket).map(|found| found == Domain::UNIX)
}

fn domain(socket: &OwnedFd) -> io::Result<Domain> {
    SockRef::from(socket).local_addr().map(|addr| addr.domain())
}

#[cfg(any(target_os = "android", target_os = "freebsd", target_os = "linux"))]
fn is_listening(socket: &SockRef<'_>) -> io::Result<bool> {
    socket.is_listener()
}

/// Not every system tells (SO_ACCEPTCONN), but a connected socket is the one that standard input may be by mistake.
#[cfg(not(any(target_os = "android", target_os = "freebsd", target_os = "linux")))]
fn is_listening(socket: &SockRef<'_>) -> io::Result<bool> {
    Ok(socket.peer_addr().is_err())
}
