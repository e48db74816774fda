use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};

use super::address::{Address, Host};
use super::{AllowedPeers, AnyAddr, AnyListener, BACKLOG, Listener, Peer, accept, cannot_listen};
use crate::trace::{debug, warn};

/// Options of a TCP listener that [`bind`](super::bind) has no words for.
///
/// SO_REUSEADDR is always set on Unix, so that a server can start again while connections of the last one linger.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use tower_fastcgi::listener::TcpOptions;
///
/// let listener = TcpOptions::new("127.0.0.1:0").backlog(4096).bind().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TcpOptions {
    address: String,
    backlog: u32,
    reuse_port: bool,
    peers: Option<AllowedPeers>,
}

impl TcpOptions {
    /// The defaults, for an address as [`bind`](super::bind) takes it: `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000`.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), backlog: BACKLOG, reuse_port: false, peers: None }
    }

    /// Sets how many connections may wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
    ///
    /// Default is 1024.
    pub fn backlog(&mut self, connections: u32) -> &mut Self {
        self.backlog = connections;
        self
    }

    /// Sets whether other sockets of the same user that say so too may listen at the same address (SO_REUSEPORT).
    ///
    /// Default is no. Linux spreads new connections over the processes that listen. The connections that wait at one that closes
    /// its listener are not given to the others: [`serve`](crate::serve()) accepts those it finds before it closes, but one that
    /// arrives in that instant is reset. Where nothing may be lost, let the processes share one
    /// socket; see [sockets that are passed on](super::bind#sockets-that-are-passed-on).
    ///
    /// Systems without it (Windows, Solaris) refuse to bind: [`Unsupported`](io::ErrorKind::Unsupported).
    pub fn reuse_port(&mut self, reuse: bool) -> &mut Self {
        self.reuse_port = reuse;
        self
    }

    /// Closes connections of others than `peers` at once, before a byte of them is read.
    ///
    /// Default is to accept all, with a warning in the log if the address is not loopback.
    pub fn only_from(&mut self, peers: AllowedPeers) -> &mut Self {
        self.peers = Some(peers);
        self
    }

    /// Listens.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](super::bind).
    pub async fn bind(&self) -> io::Result<AnyListener> {
        let listener = match Address::parse(&self.address)? {
            Address::Tcp(host) => self.bind_to_host(host).await,
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no TCP address")),
        };
        let listener = listener.map_err(|error| cannot_listen(&self.address, &error))?;
        Ok(AnyListener::from(listener).checked(self.peers.clone()))
    }

    async fn bind_to_host(&self, host: Host<'_>) -> io::Result<TcpListener> {
        match host {
            Host::Ip(addr) => self.bind_to(addr),
            Host::Name(name, port) => self.bind_to_any(lookup_host((name, port)).await?),
        }
    }

    fn bind_to_any(&self, addrs: impl Iterator<Item = SocketAddr>) -> io::Result<TcpListener> {
        let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for addr in addrs {
            match self.bind_to(addr) {
                Ok(listener) => return Ok(listener),
                Err(failure) => error = failure,
            }
        }
        Err(error)
    }

    fn bind_to(&self, addr: SocketAddr) -> io::Result<TcpListener> {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // On Windows two could listen at once.
        socket.set_reuseaddr(cfg!(unix))?;
        if self.reuse_port {
            set_reuseport(&socket)?;
        }
        socket.bind(addr)?;
        socket.listen(self.backlog)
    }
}

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

    fn any_addr(&self) -> Option<AnyAddr> {
        self.local_addr().ok().map(AnyAddr::Tcp)
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

pub(super) fn warn_if_reachable(listener: &TcpListener) {
    if let Some(addr) = listener.local_addr().ok().filter(|addr| !is_loopback(addr)) {
        warn!(
            address = %addr,
            "listening beyond this machine: whoever can connect is believed about clients' addresses, TLS and users, so let \
             a firewall admit the web server only, or list its address"
        );
    }
}

fn is_loopback(addr: &SocketAddr) -> bool {
    addr.ip().to_canonical().is_loopback()
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
fn set_reuseport(socket: &TcpSocket) -> io::Result<()> {
    socket.set_reuseport(true)
}

#[cfg(not(all(
    unix,
    not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
)))]
fn set_reuseport(_socket: &TcpSocket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no SO_REUSEPORT"))
}
