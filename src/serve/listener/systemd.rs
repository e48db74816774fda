use std::env;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use listenfd::ListenFd;

use super::inherited::{is_listening_stream, listener_of};
use super::{AnyListener, cannot_listen};

/// Takes the sockets that systemd passes (`LISTEN_FDS`), for `bind("systemd")` to listen on, and tells how many there are.
///
/// Call it first in `main`, before the runtime starts: it takes `LISTEN_PID` and `LISTEN_FDS` out of the environment, so that no
/// child process takes the sockets for its own, and the environment must not change while other threads run. So not in a `main`
/// with `#[tokio::main]`, whose threads run by then. Calling it again only tells the number again.
///
/// Without `LISTEN_PID` the sockets are taken too, as `systemfd` passes them in development; with that of another process they
/// are not. Sockets are neither closed nor made ready before `bind` asks for them.
///
/// # Examples
///
/// ```no_run
/// use tower_fastcgi::listener;
///
/// fn main() -> std::io::Result<()> {
///     let is_activated = listener::inherited() > 0;
///     tokio::runtime::Runtime::new()?.block_on(async {
///         let address = if is_activated { "systemd" } else { "127.0.0.1:9000" };
///         let listener = listener::bind(address).await?;
/// #       drop(listener);
///         Ok(())
///     })
/// }
/// ```
pub fn inherited() -> usize {
    let sockets = SOCKETS.get_or_init(|| Mutex::new(Sockets::from_env()));
    locked(sockets).0.len()
}

pub(super) fn bind(name: Option<&str>) -> io::Result<AnyListener> {
    let listener = take(name).and_then(listener_of).map(|listener| listener.checked(None));
    listener.map_err(|error| match name {
        None => cannot_listen("systemd", &error),
        Some(name) => cannot_listen(format_args!("systemd:{name}"), &error),
    })
}

fn take(name: Option<&str>) -> io::Result<OwnedFd> {
    let Some(sockets) = SOCKETS.get() else {
        let reason =
            "listener::inherited() was not called: call it first in main, before any thread starts";
        return Err(io::Error::other(reason));
    };
    let socket = locked(sockets).take(name)?;
    is_listening_stream(&socket).then_some(socket).ok_or_else(not_listening)
}

/// In systemd's order.
#[derive(Debug)]
struct Sockets(Vec<Socket>);

#[derive(Debug)]
struct Socket {
    name: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Passed(OwnedFd),
    /// Neither TCP nor a Unix stream socket.
    Foreign,
    Taken,
}

impl Sockets {
    fn from_env() -> Self {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut passed = ListenFd::from_env();
        let mut names = names.split(':');
        let sockets = (0..passed.len()).map(|index| Socket {
            name: names.next().filter(|name| !name.is_empty()).unwrap_or(UNNAMED).to_owned(),
            state: State::of(&mut passed, index),
        });
        Self(sockets.collect())
    }

    fn take(&mut self, name: Option<&str>) -> io::Result<OwnedFd> {
        self.refuse_if_ambiguous(name)?;
        let mut named =
            self.0.iter_mut().filter(|socket| name.is_none_or(|name| socket.name == name));
        match named.find(|socket| !matches!(socket.state, State::Taken)) {
            Some(socket) => socket.state.take(),
            None => Err(io::Error::new(io::ErrorKind::AddrInUse, "it has been taken already")),
        }
    }

    fn refuse_if_ambiguous(&self, name: Option<&str>) -> io::Result<()> {
        let (kind, reason) = match name {
            _ if self.0.is_empty() => (io::ErrorKind::NotFound, NONE_PASSED.to_owned()),
            None if self.0.len() > 1 => (
                io::ErrorKind::InvalidInput,
                format!("there are several, choose: {}", self.names()),
            ),
            Some(name) if self.0.iter().all(|socket| socket.name != name) => {
                (io::ErrorKind::NotFound, format!("there are only: {}", self.names()))
            }
            _ => return Ok(()),
        };
        Err(io::Error::new(kind, reason))
    }

    fn names(&self) -> String {
        let names: Vec<_> =
            self.0.iter().map(|socket| format!("systemd:{}", socket.name)).collect();
        names.join(", ")
    }
}

impl State {
    fn of(passed: &mut ListenFd, index: usize) -> Self {
        let unix = passed.take_unix_listener(index).ok().flatten().map(UnixListener::into);
        let socket = unix.or_else(|| passed.take_tcp_listener(index).ok()?.map(TcpListener::into));
        socket.map_or(Self::Foreign, Self::Passed)
    }

    fn take(&mut self) -> io::Result<OwnedFd> {
        match std::mem::replace(self, Self::Taken) {
            Self::Passed(socket) => Ok(socket),
            Self::Foreign | Self::Taken => Err(not_listening()),
        }
    }
}

fn locked(sockets: &Mutex<Sockets>) -> MutexGuard<'_, Sockets> {
    sockets.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_listening() -> io::Error {
    let reason =
        "it is not a listening stream socket: use ListenStream= and Accept=no in the .socket unit";
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

static SOCKETS: OnceLock<Mutex<Sockets>> = OnceLock::new();

/// What libsystemd calls it too.
const UNNAMED: &str = "unknown";

const NONE_PASSED: &str = "no socket was passed: start it by its .socket unit or systemd-socket-activate, or give an address";
