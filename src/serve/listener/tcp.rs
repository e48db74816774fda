use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};

use super::address::Host;
use super::{BACKLOG, Listener, Peer, accept};
use crate::trace::{debug, warn};

/// Accepted sockets have TCP_NODELAY set: without it the end of a response could wait for the acknowledgement of its start.
impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (io, addr) = accept::accept(|cx| self.poll_accept(cx)).await;
        if let Err(error) = io.set_nodelay(true) {
            debug!(peer = %addr, %error, "cannot set TCP_NODELAY");
        }
        (io, addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn peer(&self, _io: &TcpStream, addr: &SocketAddr) -> Peer {
        Peer::Tcp(*addr)
    }

    /// Resets the connection.
    fn abort(&self, io: TcpStream) {
        // It fails only on a socket that is beyond a reset already.
        let _ = io.set_zero_linger();
    }
}

pub(super) async fn bind(host: Host<'_>) -> io::Result<TcpListener> {
    let listener = match host {
        Host::Ip(addr) => bind_to(addr)?,
        Host::Name(name, port) => bind_to_any(lookup_host((name, port)).await?)?,
    };
    let addr = listener.local_addr()?;
    if !addr.ip().to_canonical().is_loopback() {
        warn!(
            address = %addr,
            "listening beyond this machine: whoever can connect is believed about clients' addresses, TLS and users, so let \
             a firewall admit the web server only"
        );
    }
    Ok(listener)
}

fn bind_to_any(addrs: impl Iterator<Item = SocketAddr>) -> io::Result<TcpListener> {
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for addr in addrs {
        match bind_to(addr) {
            Ok(listener) => return Ok(listener),
            Err(failure) => error = failure,
        }
    }
    Err(error)
}

fn bind_to(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Unix a server can start again while connections of the last one linger; on Windows two could listen at once.
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}
