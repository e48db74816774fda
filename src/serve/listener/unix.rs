use std::collections::hash_map::RandomState;
use std::fs::{self, Permissions};
use std::future::pending;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use socket2::SockRef;
use tokio::net::UnixListener;
use tokio::net::unix::SocketAddr;

use super::unix_stream::UnixStream;
use super::{AnyAddr, AnyIo, AnyListener, BACKLOG, Listener, Peer, accept, cannot_listen};

/// Options of a Unix socket that [`bind`](super::bind) has no words for.
///
/// The socket has its mode, owner and group from the moment it can be connected to, whatever the umask. It takes the place of a
/// socket that nobody listens on any more, as a crash leaves it. The listener removes its path when dropped, unless something else
/// is at the path by then.
///
/// # Examples
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use tower_fastcgi::listener::UnixOptions;
///
/// let www_data = 33;
/// let listener = UnixOptions::new("/run/app.sock").group(www_data).backlog(4096).bind().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct UnixOptions {
    path: PathBuf,
    mode: u32,
    owner: Option<u32>,
    group: Option<u32>,
    backlog: u32,
    take_over: bool,
}

impl UnixOptions {
    /// The defaults, for an absolute path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { path, mode: MODE, owner: None, group: None, backlog: BACKLOG, take_over: false }
    }

    /// Sets the file's mode: whoever may write may connect.
    ///
    /// Default is 0660: the owner and the group.
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = mode;
        self
    }

    /// Sets the user who owns the file, which takes the right to give files away (CAP_CHOWN).
    ///
    /// Default is the process's effective user.
    pub fn owner(&mut self, uid: u32) -> &mut Self {
        self.owner = Some(uid);
        self
    }

    /// Sets the file's group, such as the web server's. The owner may choose among the groups that the process is in.
    ///
    /// Default is the process's effective group, or that of the directory if it has the set-group-id bit.
    pub fn group(&mut self, gid: u32) -> &mut Self {
        self.group = Some(gid);
        self
    }

    /// Sets how many connections may wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
    ///
    /// Default is 1024. With more waiting, nginx answers 502 at once.
    pub fn backlog(&mut self, connections: u32) -> &mut Self {
        self.backlog = connections;
        self
    }

    /// Sets whether the path is taken from a server that listens there.
    ///
    /// Default is no: [`bind`](Self::bind) fails with [`AddrInUse`](io::ErrorKind::AddrInUse). With it a successor starts first, and
    /// the first server is shut down then: there is no moment when nobody listens. What has connected by the time the path
    /// changes hands is the first server's to answer, and the path is the successor's to remove.
    pub fn take_over(&mut self, take_over: bool) -> &mut Self {
        self.take_over = take_over;
        self
    }

    /// Listens.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](super::bind); [`PermissionDenied`](io::ErrorKind::PermissionDenied) also if the process must not give the
    /// file to that owner or group.
    pub async fn bind(&self) -> io::Result<AnyListener> {
        let bound = self.bind_socket().await;
        bound.map(AnyListener::from).map_err(|error| {
            let address = format_args!("unix:{}", self.path.display());
            cannot_listen(address, &error)
        })
    }

    async fn bind_socket(&self) -> io::Result<UnixSocket> {
        refuse_if_impossible(&self.path)?;
        self.refuse_if_taken().await?;
        let (mut bound, listener) = self.bind_beside()?;
        bound.rename(&self.path)?;
        Ok(UnixSocket { bound: Some(bound), listener })
    }

    async fn refuse_if_taken(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(metadata) if !metadata.file_type().is_socket() => {
                let reason = "something that is not a socket is there";
                Err(io::Error::new(io::ErrorKind::AlreadyExists, reason))
            }
            Ok(_) if self.take_over => Ok(()),
            Ok(_) => refuse_if_answered(&self.path).await,
        }
    }

    /// Under its final name the socket would be open to all that the umask allows until its mode is set, and a stale one would
    /// have to go before the new one is there.
    fn bind_beside(&self) -> io::Result<(BoundPath, UnixListener)> {
        let socket = tokio::net::UnixSocket::new_stream()?;
        let beside = self.path.with_file_name(temporary_name());
        socket.bind(&beside)?;
        let bound = BoundPath::new(beside)?;
        // The mode first: a file that has been given away is not ours to change.
        fs::set_permissions(&bound.path, Permissions::from_mode(self.mode))?;
        if self.owner.is_some() || self.group.is_some() {
            lchown(&bound.path, self.owner, self.group)?;
        }
        Ok((bound, socket.listen(self.backlog)?))
    }
}

/// Its connections ask the runtime for less than tokio's do: while they wait for a request, not to be told that the web server has
/// taken the last response.
impl Listener for UnixListener {
    type Io = AnyIo;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (AnyIo, SocketAddr) {
        let (io, addr) = accept(self).await;
        (AnyIo::unix(io), addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn any_addr(&self) -> Option<AnyAddr> {
        let addr = self.local_addr().ok()?;
        Some(AnyAddr::Unix(addr.as_pathname().map(PathBuf::from)))
    }

    fn peer(&self, io: &AnyIo, _addr: &SocketAddr) -> Peer {
        io.unix_peer()
    }
}

/// A listening Unix socket.
#[derive(Debug)]
pub(super) struct UnixSocket {
    /// Dropped before `listener`: as long as that lives, no new file can have its inode number.
    bound: Option<BoundPath>,
    listener: UnixListener,
}

impl UnixSocket {
    pub(super) fn path(&self) -> Option<PathBuf> {
        match &self.bound {
            Some(bound) => Some(bound.path.clone()),
            None => self.listener.local_addr().ok()?.as_pathname().map(PathBuf::from),
        }
    }

    pub(super) fn withdraw(&mut self) {
        if let Some(bound) = &mut self.bound {
            bound.remove();
            // Who has found the path already is refused from now on. Not every system can, but Linux.
            let _ = SockRef::from(&self.listener).shutdown(Shutdown::Read);
        }
    }

    pub(super) async fn accept(&mut self) -> (UnixStream, Option<PathBuf>) {
        if self.is_withdrawn() {
            return match accept_waiting(&self.listener) {
                Ok(accepted) => accepted,
                Err(_) => pending().await,
            };
        }
        let (io, addr) = accept(&self.listener).await;
        (io, addr.as_pathname().map(PathBuf::from))
    }

    fn is_withdrawn(&self) -> bool {
        self.bound.as_ref().is_some_and(|bound| bound.device_and_inode.is_none())
    }
}

async fn accept(listener: &UnixListener) -> (UnixStream, SocketAddr) {
    let (io, addr) = accept::accept(|cx| listener.poll_accept(cx)).await;
    (UnixStream::new(io), addr)
}

/// An error is the end of the queue. Tokio's `accept` finds no end in a socket that was shut down: it tries again for ever.
fn accept_waiting(listener: &UnixListener) -> io::Result<(UnixStream, Option<PathBuf>)> {
    let listener = listener.as_fd().try_clone_to_owned()?;
    let (io, addr) = std::os::unix::net::UnixListener::from(listener).accept()?;
    io.set_nonblocking(true)?;
    Ok((UnixStream::new(io.try_into()?), addr.as_pathname().map(PathBuf::from)))
}

/// The path stays when the listener is dropped: who bound it is to remove it.
impl From<UnixListener> for AnyListener {
    fn from(listener: UnixListener) -> Self {
        Self::from(UnixSocket { bound: None, listener })
    }
}

pub(super) async fn bind(path: &Path) -> io::Result<AnyListener> {
    UnixOptions::new(path).bind().await
}

/// The socket is bound under another name: renaming it to a path that is too long would succeed, and then nobody could connect.
fn refuse_if_impossible(path: &Path) -> io::Result<()> {
    if !path.is_absolute() || path.file_name().is_none() {
        let reason = "it is not the absolute path of a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    std::os::unix::net::SocketAddr::from_pathname(path).map(drop)
}

async fn refuse_if_answered(path: &Path) -> io::Result<()> {
    loop {
        match tokio::net::UnixStream::connect(path).await {
            Err(error) if is_stale(&error) => return Ok(()),
            // The listener was closed before it came to us: another may have followed it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            // With its queue full a listener does not answer, but it is there.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => return Err(in_use()),
        }
    }
}

fn in_use() -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")
}

fn is_stale(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
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
    /// `None` once the file is removed.
    device_and_inode: Option<(u64, u64)>,
}

impl BoundPath {
    fn new(path: PathBuf) -> io::Result<Self> {
        let device_and_inode = Some(device_and_inode(&path)?);
        Ok(Self { path, device_and_inode })
    }

    fn rename(&mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.path = to.to_path_buf();
        Ok(())
    }

    fn remove(&mut self) {
        let ours = self.device_and_inode.take();
        if ours.is_some() && ours == device_and_inode(&self.path).ok() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        self.remove();
    }
}

fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

const MODE: u32 = 0o660;
