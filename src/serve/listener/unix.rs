use std::collections::hash_map::RandomState;
use std::fs::{self, Permissions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;
use tokio::net::unix::SocketAddr;

use super::{AnyListener, BACKLOG, Credentials, Listener, Peer, accept};

pub(super) use tokio::net::UnixStream;

impl Listener for UnixListener {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        accept::accept(|cx| self.poll_accept(cx)).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn peer(&self, io: &UnixStream, _addr: &SocketAddr) -> Peer {
        UnixSocket::peer(io)
    }
}

/// A listening Unix socket.
///
/// The one that [`bind`](super::bind) makes has mode 0660 from the moment it can be connected to, whatever the umask: the web
/// server's user must be in the socket's group. It takes the place of a socket that nobody listens on any more, as a crash
/// leaves it. When dropped it removes its path, unless something else is at the path by then.
#[derive(Debug)]
pub struct UnixSocket {
    /// Dropped before `listener`: as long as that lives, no new file can have its inode number.
    bound: Option<BoundPath>,
    listener: UnixListener,
}

impl UnixSocket {
    /// The path it is bound to, if it has one.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.bound {
            Some(bound) => Some(bound.path.clone()),
            None => self.listener.local_addr().ok()?.as_pathname().map(PathBuf::from),
        }
    }

    pub(super) async fn accept(&mut self) -> (UnixStream, Option<PathBuf>) {
        let (io, addr) = Listener::accept(&mut self.listener).await;
        (io, addr.as_pathname().map(PathBuf::from))
    }

    pub(super) fn peer(io: &UnixStream) -> Peer {
        let credentials = io.peer_cred().map(|credentials| Credentials {
            uid: credentials.uid(),
            gid: credentials.gid(),
            pid: credentials.pid(),
        });
        credentials.map_or(Peer::Unknown, Peer::Unix)
    }
}

/// The path stays when the listener is dropped: who bound it is to remove it.
impl From<UnixListener> for UnixSocket {
    fn from(listener: UnixListener) -> Self {
        Self { bound: None, listener }
    }
}

impl From<UnixListener> for AnyListener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener.into())
    }
}

pub(super) async fn bind(path: &Path) -> io::Result<UnixSocket> {
    refuse_if_too_long(path)?;
    refuse_if_taken(path).await?;
    let (mut bound, listener) = bind_beside(path)?;
    bound.rename(path)?;
    Ok(UnixSocket { bound: Some(bound), listener })
}

/// The socket is bound under another name: renaming it would succeed, and then nobody could connect.
fn refuse_if_too_long(path: &Path) -> io::Result<()> {
    std::os::unix::net::SocketAddr::from_pathname(path).map(drop)
}

async fn refuse_if_taken(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => {
            let reason = "something that is not a socket is there";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
        }
    }
    match UnixStream::connect(path).await {
        Err(error) if is_stale(&error) => Ok(()),
        // With its queue full a listener does not answer, but it is there.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
    }
}

fn is_stale(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

/// Under its final name the socket would be open to all that the umask allows until its mode is set, and a stale one would
/// have to go before the new one is there.
fn bind_beside(path: &Path) -> io::Result<(BoundPath, UnixListener)> {
    let socket = tokio::net::UnixSocket::new_stream()?;
    let beside = path.with_file_name(temporary_name());
    socket.bind(&beside)?;
    let bound = BoundPath::new(beside)?;
    fs::set_permissions(&bound.path, Permissions::from_mode(MODE))?;
    Ok((bound, socket.listen(BACKLOG)?))
}

/// Short, because the system takes no path of 108 bytes or more.
fn temporary_name() -> String {
    let random = RandomState::new().build_hasher().finish() as u32;
    format!(".{random:08x}")
}

/// A socket file that this process made, removed when dropped.
#[derive(Debug)]
struct BoundPath {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl BoundPath {
    fn new(path: PathBuf) -> io::Result<Self> {
        let device_and_inode = device_and_inode(&path)?;
        Ok(Self { path, device_and_inode })
    }

    fn rename(&mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.path = to.to_path_buf();
        Ok(())
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        if device_and_inode(&self.path).is_ok_and(|found| found == self.device_and_inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

const MODE: u32 = 0o660;
