use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::gate::Gate;
use super::unix::UnixSocket;
use super::unix_stream::UnixStream;
use super::{AllowedPeers, Listener, Peer, tcp};
use crate::server::Observer;

/// The listener that [`bind`](super::bind) makes: on a TCP address or on a Unix socket.
#[derive(Debug)]
pub struct AnyListener {
    socket: Socket,
    gate: Gate,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

impl AnyListener {
    /// The address that this listener is bound to, which [`bind`](super::bind) would take.
    pub fn local_addr(&self) -> io::Result<AnyAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().map(AnyAddr::Tcp),
            Socket::Unix(listener) => Ok(AnyAddr::Unix(listener.path())),
        }
    }

    /// Closes connections of others than `peers` at once, before a byte of them is read.
    ///
    /// Default is to accept all who can connect, but on `fd:0` those that FCGI_WEB_SERVER_ADDRS lists. Where there are several lists, of
    /// several calls or of that variable, a peer has to be on each.
    pub fn only_from(mut self, peers: AllowedPeers) -> Self {
        self.gate.add(peers);
        self
    }

    /// Warns if all are accepted who can connect.
    pub(super) fn checked(self, peers: Option<AllowedPeers>) -> Self {
        match (&self.socket, peers) {
            (_, Some(peers)) => self.only_from(peers),
            (Socket::Tcp(listener), None) => {
                tcp::warn_if_reachable(listener);
                self
            }
            (Socket::Unix(_), None) => self,
        }
    }
}

impl Listener for AnyListener {
    type Io = AnyIo;
    type Addr = AnyAddr;

    async fn accept(&mut self) -> (AnyIo, AnyAddr) {
        loop {
            let (io, addr) = self.socket.accept().await;
            if self.gate.admits(peer(&io, &addr)) {
                return (io, addr);
            }
            drop(io);
            self.gate.rest().await;
        }
    }

    fn local_addr(&self) -> io::Result<AnyAddr> {
        self.local_addr()
    }

    fn any_addr(&self) -> Option<AnyAddr> {
        self.local_addr().ok()
    }

    fn peer(&self, io: &AnyIo, addr: &AnyAddr) -> Peer {
        peer(io, addr)
    }

    fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.gate.observe(observer);
    }

    fn withdraw(&mut self) {
        if let Socket::Unix(listener) = &mut self.socket {
            listener.withdraw();
        }
    }

    /// Resets a TCP connection; drops a Unix one, which has no reset.
    fn abort(&self, io: AnyIo) {
        if let (Socket::Tcp(listener), AnyIo(Io::Tcp(io))) = (&self.socket, io) {
            listener.abort(io);
        }
    }
}

fn peer(io: &AnyIo, addr: &AnyAddr) -> Peer {
    match (&io.0, addr) {
        (Io::Tcp(_), AnyAddr::Tcp(addr)) => Peer::Tcp(*addr),
        (Io::Unix(io), _) => io.peer(),
        _ => Peer::Unknown,
    }
}

impl From<TcpListener> for AnyListener {
    fn from(listener: TcpListener) -> Self {
        Self { socket: Socket::Tcp(listener), gate: Gate::default() }
    }
}

impl From<UnixSocket> for AnyListener {
    fn from(listener: UnixSocket) -> Self {
        Self { socket: Socket::Unix(listener), gate: Gate::default() }
    }
}

impl Socket {
    async fn accept(&mut self) -> (AnyIo, AnyAddr) {
        match self {
            Self::Tcp(listener) => {
                let (io, addr) = Listener::accept(listener).await;
                (AnyIo(Io::Tcp(io)), AnyAddr::Tcp(addr))
            }
            Self::Unix(listener) => {
                let (io, path) = listener.accept().await;
                (AnyIo(Io::Unix(io)), AnyAddr::Unix(path))
            }
        }
    }
}

/// An address of an [`AnyListener`]: its own, or that of a connection's other end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnyAddr {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a Unix socket. A client's socket rarely has one.
    Unix(Option<PathBuf>),
}

/// As [`bind`](super::bind) takes it.
impl fmt::Display for AnyAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Self::Unix(None) => f.write_str("unix:(unnamed)"),
        }
    }
}

/// A connection that an [`AnyListener`] or tokio's `UnixListener` accepted.
#[derive(Debug)]
pub struct AnyIo(Io);

#[cfg(unix)]
impl AnyIo {
    pub(super) fn unix(io: UnixStream) -> Self {
        Self(Io::Unix(io))
    }

    /// Who is at the other end of a Unix socket.
    pub(super) fn unix_peer(&self) -> Peer {
        if let Io::Unix(io) = &self.0 { io.peer() } else { Peer::Unknown }
    }
}

#[cfg(feature = "http")]
impl AnyIo {
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        if let Io::Tcp(stream) = &self.0 { Some(stream) } else { None }
    }
}

#[derive(Debug)]
enum Io {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncRead for AnyIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Io::Tcp(io) => Pin::new(io).poll_read(cx, buf),
            Io::Unix(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for AnyIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Io::Tcp(io) => Pin::new(io).poll_write(cx, buf),
            Io::Unix(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Io::Tcp(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Io::Unix(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Io::Tcp(io) => io.is_write_vectored(),
            Io::Unix(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Io::Tcp(io) => Pin::new(io).poll_flush(cx),
            Io::Unix(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Io::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            Io::Unix(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
