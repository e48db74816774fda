//! A server in a process of its own: this program, started again.

use std::env;
use std::io;
use std::path::Path;
use std::process::Command;

use axum::Router;
use tokio::net::UnixListener;
use tokio::runtime;

use crate::load::Protocol;
use crate::process::end_with_stdin;

/// What makes this program one. Its protocol and the path of its socket follow.
pub(crate) const SERVE: &str = "--serve";

/// Starts it, with `socket` for its connections.
pub(crate) fn command(protocol: Protocol, socket: &Path) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args([SERVE, name(protocol)]).arg(socket);
    Ok(command)
}

/// Is one, on a single thread, until the standard input ends: our server, or `axum::serve`.
///
/// # Errors
///
/// When the socket cannot be had, or no protocol has this name.
pub(crate) fn serve(protocol: &str, socket: &Path, router: Router) -> io::Result<()> {
    let mut known = [Protocol::FastCgi, Protocol::Http].into_iter();
    let protocol = known
        .find(|known| name(*known) == protocol)
        .ok_or_else(|| io::Error::other(format!("no protocol {protocol}")))?;
    end_with_stdin();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = UnixListener::bind(socket)?;
        println!("{}", socket.display());
        match protocol {
            Protocol::FastCgi => tower_fastcgi::serve(listener, router).await,
            Protocol::Http => axum::serve(listener, router).await,
        }
    })
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::FastCgi => "fastcgi",
        Protocol::Http => "http",
    }
}
