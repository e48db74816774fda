//! Connections to applications, and why there is none.

use std::io;
use std::path::Path;
use std::time::Duration;

use tower_fastcgi::client::{AnyIo, Connect};

use crate::address::Address;
use crate::failure::{Exit, Failure, Outcome};

/// Connects, within a time if there is a limit.
pub(crate) async fn connect(address: &Address, limit: Option<Duration>) -> Outcome<AnyIo> {
    let Some(limit) = limit else { return connect_at_last(address).await };
    tokio::time::timeout(limit, connect_at_last(address)).await.unwrap_or_else(|_| {
        let message = format!("no connection to {address} within {} s", limit.as_secs_f64());
        Err(Failure::new(Exit::Timeout, message).advise(UNREACHABLE))
    })
}

async fn connect_at_last(address: &Address) -> Outcome<AnyIo> {
    if address.socket().is_none() {
        let found = tokio::net::lookup_host(address.to_string()).await;
        found.map(drop).map_err(|error| unknown_host(address, &error))?;
    }
    address.target().connect().await.map_err(|error| match address.socket() {
        Some(socket) => refused_by_socket(socket, &error),
        None => refused(address, &error),
    })
}

fn unknown_host(address: &Address, error: &io::Error) -> Failure {
    Failure::new(Exit::Resolve, format_args!("the host of {address} is not known: {error}"))
        .advise("is the name right? 127.0.0.1 is this machine")
}

fn refused(address: &Address, error: &io::Error) -> Failure {
    let failure = cannot_connect(address, error);
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            failure.advise(format_args!("is the application listening on {address}?"))
        }
        _ => failure.advise(UNREACHABLE),
    }
}

fn refused_by_socket(socket: &Path, error: &io::Error) -> Failure {
    let failure = cannot_connect(format_args!("unix:{}", socket.display()), error);
    match error.kind() {
        io::ErrorKind::NotFound => failure.advise(missing(socket)),
        io::ErrorKind::PermissionDenied => failure.advise(forbidden(socket)),
        io::ErrorKind::ConnectionRefused if is_other_file(socket) => {
            failure.advise("there is a file of this name, but it is no socket")
        }
        io::ErrorKind::ConnectionRefused => failure.advise(
            "nobody listens on the socket: the application that made it has ended; start it again",
        ),
        _ => failure,
    }
}

fn cannot_connect(address: impl std::fmt::Display, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::NotFound => "no such socket".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(Exit::Connect, format_args!("cannot connect to {address}: {reason}"))
}

fn missing(socket: &Path) -> String {
    match socket.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        Some(folder) => format!("there is no folder {}; is the path right?", folder.display()),
        None => "is the application running, and is this the path that it listens on (php-fpm: `listen` in the pool's \
                 configuration)?"
            .to_owned(),
    }
}

#[cfg(unix)]
fn is_other_file(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|metadata| !metadata.file_type().is_socket())
}

#[cfg(not(unix))]
fn is_other_file(path: &Path) -> bool {
    path.is_file()
}

/// Who may connect, and who tries to.
#[cfg(unix)]
fn forbidden(socket: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let me = std::fs::metadata("/proc/self").map(|metadata| user(metadata.uid()));
    let me = me.map_or_else(|_| String::new(), |me| format!(", and you are user {me}"));
    let Ok(metadata) = socket.metadata() else {
        return format!("you may not look into the socket's folder{me}; try sudo");
    };
    let (mode, owner, group) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
    format!(
        "the socket has mode {mode:04o}, owner {} and group {}{me}; connecting takes write permission: join the group, or try \
         sudo -u {}",
        user(owner),
        named("/etc/group", group),
        user(owner)
    )
}

#[cfg(not(unix))]
fn forbidden(_: &Path) -> String {
    "connecting takes write permission on the socket".to_owned()
}

#[cfg(unix)]
fn user(id: u32) -> String {
    named("/etc/passwd", id)
}

/// The name of an id in a file like /etc/passwd, or else the id.
#[cfg(unix)]
fn named(file: &str, id: u32) -> String {
    let id = id.to_string();
    let lines = std::fs::read_to_string(file).unwrap_or_default();
    let found = lines.lines().find(|line| line.split(':').nth(2) == Some(&id));
    found.and_then(|line| line.split(':').next()).map_or(id.clone(), str::to_owned)
}

const UNREACHABLE: &str = "is the address right, and does no firewall lie between?";
