use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use super::address::Host;
use super::{Listener, Peer, accept};
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
        Host::Ip(addr) => TcpListener::bind(addr).await?,
        Host::Name(name, port) => TcpListener::bind((name, port)).await?,
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
