//! `examples/axum.rs` as a process of its own.

use std::fs::{Permissions, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::process::Command as TokioCommand;
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use crate::process::{POLL, Process, free_address};
use crate::site::{START_ATTEMPTS, START_BOUND};
use crate::variant::Socket;

/// Starts it, at another address if someone was faster. The address is in the words of `listener::bind`.
pub(crate) async fn start(socket: Socket, dir: &Path) -> io::Result<(String, Process)> {
    let program = PROGRAM.get_or_try_init(build).await?;
    let mut last = String::new();
    for _ in 0..START_ATTEMPTS {
        let address = match socket {
            Socket::Tcp => free_address()?.to_string(),
            Socket::Unix => format!("unix:{}", dir.join("app.sock").display()),
        };
        let log = dir.join("app.log");
        let mut process = Process::spawn(Command::new(program).arg(&address), &log)?;
        if timeout(START_BOUND, listens(&mut process, &address)).await == Ok(true) {
            if let Some(path) = address.strip_prefix("unix:") {
                // For servers that run as another user.
                set_permissions(path, Permissions::from_mode(0o666))?;
            }
            return Ok((address, process));
        }
        last = process.log_tail();
    }
    Err(io::Error::other(format!("the example does not start:\n{last}")))
}

async fn listens(process: &mut Process, address: &str) -> bool {
    let announced = format!("Serving FastCGI on {address}");
    while !process.log().contains(&announced) {
        if process.exited().is_some() {
            return false;
        }
        sleep(POLL).await;
    }
    true
}

/// Cargo builds examples only when it runs all tests, so that one from another day may lie there.
async fn build() -> io::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let profile = this.ancestors().nth(2).expect("cargo keeps tests in target/PROFILE/deps");
    let mut cargo = TokioCommand::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--all-features", "--example", "axum"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).kill_on_drop(true).status();
    match timeout(BUILD_BOUND, built).await?? {
        status if status.success() => Ok(profile.join("examples/axum")),
        status => Err(io::Error::other(format!("cargo build: {status}"))),
    }
}

static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
/// Another cargo may be building, too.
const BUILD_BOUND: Duration = Duration::from_secs(250);
