//! Where connections come from.
//!
//! [`bind`] listens at an address written as one string. Tokio's `TcpListener` and `UnixListener` are [`Listener`]s too, and
//! so is whatever implements the trait.

mod accept;
mod address;
mod allowed_peers;
mod any;
mod gate;
#[cfg(unix)]
mod inherited;
#[cfg(not(unix))]
#[path = "inherited_absent.rs"]
mod inherited;
#[cfg(all(unix, feature = "systemd"))]
mod systemd;
#[cfg(not(all(unix, feature = "systemd")))]
#[path = "systemd_absent.rs"]
mod systemd;
mod tcp;
#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
#[path = "unix_absent.rs"]
mod unix;
#[cfg(unix)]
mod unix_stream;
#[cfg(not(unix))]
#[path = "unix_stream_absent.rs"]
mod unix_stream;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use self::address::Address;

pub use self::allowed_peers::AllowedPeers;
pub use self::any::{AnyAddr, AnyIo, AnyListener};
pub use self::gate::OnlyFrom;
#[cfg(feature = "systemd")]
#[cfg_attr(docsrs, doc(cfg(feature = "systemd")))]
pub use self::systemd::inherited;
pub use self::tcp::TcpOptions;
#[cfg(unix)]
#[cfg_attr(docsrs, doc(cfg(unix)))]
pub use self::unix::UnixOptions;
use crate::server::Observer;

/// Listens at `address`.
///
/// | address | listens on |
/// |---|---|
/// | `127.0.0.1:9000`, `[::1]:9000` | that TCP address; port 0 lets the system choose one |
/// | `localhost:9000` | the first address of that host which can be bound |
/// | `unix:/run/app.sock` | a Unix socket at that absolute path, with mode 0660 |
/// | `fd:0` | standard input, where mod_fcgid, lighttpd (`bin-path`) and spawn-fcgi pass a TCP or a Unix socket |
/// | `systemd` | the one socket that systemd passes (`LISTEN_FDS`), TCP or Unix |
/// | `systemd:NAME` | the one that the `.socket` unit calls so (`FileDescriptorName=`, by default the unit's own name) |
///
/// Whoever can connect is believed: a FastCGI peer says which client a request came from, whether it came over TLS, and
/// anything else that [`Params`](crate::Params) holds. So listening at a TCP address that is not loopback logs a warning, and
/// [`AllowedPeers`] are let in alone.
///
/// A Unix socket is open to its owner and group from the moment it can be connected to, whatever the umask: the web server's user
/// must be in the socket's group. It takes the place of a socket that nobody listens on any more, as a crash leaves it. When
/// dropped the listener removes its path, unless something else is at the path by then.
///
/// Up to 1024 connections wait to be accepted, fewer where the system limits them (`net.core.somaxconn`). [`TcpOptions`] and
/// `UnixOptions` set that, and what else one string cannot say.
///
/// # Sockets that are passed on
///
/// A socket that another process has bound and keeps open (`fd:0`, `systemd`) loses no connection while the application is
/// restarted or replaced: those who connect meanwhile wait for the next process that accepts. Several processes may share one.
/// The socket's path and its permissions are that other process's business.
///
/// The socket becomes non-blocking (O_NONBLOCK), and so it does for all that share it: a parent that accepts from it too must not
/// expect to wait in `accept`. Web servers, spawn-fcgi and systemd do not accept from it, or poll before.
///
/// `fd:0` accepts only from the addresses in the environment variable FCGI_WEB_SERVER_ADDRS if it is set (FastCGI 1.0, section
/// 3.2; see [`AllowedPeers`]); other connections are closed at once. On a Unix socket, whose peers have no address, that variable
/// is an error.
///
/// `systemd` takes the feature `systemd`, and `listener::inherited()` called first in `main`. Several sockets of one name, which a
/// `.socket` unit with several `ListenStream=` lines makes, are had one after the other by binding to the name again. Each can be
/// had once.
///
/// # Errors
///
/// - [`InvalidInput`](io::ErrorKind::InvalidInput): `address` is none of these forms, or one that this platform lacks. Or what was
///   passed is not a listening TCP or Unix stream socket, or more than one was passed and `address` has no name.
/// - [`NotFound`](io::ErrorKind::NotFound): systemd passed no socket, or none of this name.
/// - [`Unsupported`](io::ErrorKind::Unsupported): the feature `systemd` is off.
/// - [`AddrInUse`](io::ErrorKind::AddrInUse): another process listens there.
/// - [`AlreadyExists`](io::ErrorKind::AlreadyExists): something else than a socket is at the path.
/// - Whatever else the system says, such as [`PermissionDenied`](io::ErrorKind::PermissionDenied).
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = tower_fastcgi::listener::bind("127.0.0.1:0").await?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok(())
/// # }
/// ```
pub async fn bind(address: &str) -> io::Result<AnyListener> {
    match Address::parse(address)? {
        Address::Tcp(_) => TcpOptions::new(address).bind().await,
        Address::Unix(path) => unix::bind(path).await,
        Address::Stdin => inherited::stdin(),
        Address::Systemd(name) => systemd::bind(name),
    }
}

fn cannot_listen(address: impl fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

/// What accepts the connections that [`serve`](crate::serve()) serves.
///
/// It is axum's trait of the same name, and three provided methods.
///
/// # Examples
///
/// Connections that are made in memory:
///
/// ```
/// use std::future::pending;
/// use std::io;
/// use tokio::io::DuplexStream;
/// use tokio::sync::mpsc::Receiver;
/// use tower_fastcgi::listener::Listener;
///
/// struct InMemory(Receiver<DuplexStream>);
///
/// impl Listener for InMemory {
///     type Io = DuplexStream;
///     type Addr = ();
///
///     async fn accept(&mut self) -> (DuplexStream, ()) {
///         match self.0.recv().await {
///             Some(io) => (io, ()),
///             None => pending().await,
///         }
///     }
///
///     fn local_addr(&self) -> io::Result<()> {
///         Ok(())
///     }
/// }
/// ```
pub trait Listener: Send + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The address of a connection's other end, and of this listener.
    type Addr: Send;

    /// Waits for the next connection.
    ///
    /// There is no error to return: log it, wait if need be, and accept again.
    ///
    /// [`serve`](crate::serve()) drops the future unfinished when it shuts down and before it calls [`abort`](Self::abort).
    fn accept(&mut self) -> impl Future<Output = (Self::Io, Self::Addr)> + Send;

    /// The address that this listener is bound to.
    fn local_addr(&self) -> io::Result<Self::Addr>;

    /// The same in the form that requests are told, in their [`Transport`](crate::Transport), and that logs show.
    ///
    /// `None` unless implemented. It is asked for once, when serving begins.
    fn any_addr(&self) -> Option<AnyAddr> {
        None
    }

    /// Who is at the other end of a connection, as far as the system vouches for it.
    ///
    /// [`Peer::Unknown`] unless implemented.
    fn peer(&self, io: &Self::Io, addr: &Self::Addr) -> Peer {
        let _ = (io, addr);
        Peer::Unknown
    }

    /// Takes whom to tell, with [`connection_refused`](Observer::connection_refused), of connections that this listener refuses.
    ///
    /// [`serve`](crate::serve()) calls it once, before it accepts, if its builder has an observer. Does nothing unless implemented.
    /// [`OnlyFrom`] and the listeners that [`bind`] makes tell of those who are not on their lists.
    fn observe(&mut self, observer: Arc<dyn Observer>) {
        let _ = observer;
    }

    /// Makes that nobody connects any more, while [`accept`](Self::accept) still yields those who have.
    ///
    /// [`serve`](crate::serve()) calls it when it shuts down, before it accepts the last connections and drops the listener: who
    /// connects in between would be reset. Does nothing unless implemented. A Unix socket that [`bind`] made refuses newcomers from
    /// then on, and its path is removed. With a TCP socket that cannot be done.
    fn withdraw(&mut self) {}

    /// Ends a connection whose last response was cut short, so that the other end cannot take it for complete.
    ///
    /// Unless implemented, the connection is dropped. A TCP connection is reset. While [`serve`](crate::serve()) shuts down there
    /// is no listener any more to call this on; such a connection is then dropped.
    fn abort(&self, io: Self::Io) {
        drop(io);
    }
}

/// The other end of a connection: the web server, not its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A process on this machine.
    Unix(Credentials),
    /// Nobody the system vouches for.
    Unknown,
}

/// Who opened the other end of a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The effective user id when it connected.
    pub uid: u32,
    /// The effective group id when it connected.
    pub gid: u32,
    /// The process id, on the systems that tell it.
    pub pid: Option<i32>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(Credentials { uid, pid: Some(pid), .. }) => {
                write!(f, "process {pid} of user {uid}")
            }
            Self::Unix(Credentials { uid, pid: None, .. }) => write!(f, "a process of user {uid}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// How many connections may wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
///
/// The 128 that tokio asks for are few when the web server opens a connection for each request: beyond them nginx answers 502
/// on a Unix socket.
const BACKLOG: u32 = 1024;
