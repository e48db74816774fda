use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Instant;

use tempfile::TempDir;

use crate::BOUND;
use crate::process::{POLL, Process};

/// The example, ended when dropped.
pub(crate) struct Example {
    pub(crate) http: SocketAddr,
    pub(crate) process: Process,
    _folder: TempDir,
}

impl Example {
    pub(crate) fn start() -> io::Result<Self> {
        Self::at("127.0.0.1:0", "127.0.0.1:0")
    }

    pub(crate) fn at(http: &str, fastcgi: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program()?);
        command.args([http, fastcgi]);
        let mut process = Process::spawn(&mut command, &folder.path().join("log"))?;
        let http = announced(&mut process)?;
        Ok(Self { http, process, _folder: folder })
    }
}

fn announced(process: &mut Process) -> io::Result<SocketAddr> {
    let deadline = Instant::now() + BOUND;
    loop {
        let log = process.log();
        let url = log.split_once("Open http://").and_then(|(_, rest)| rest.split_once("/ "));
        if let Some((addr, _)) = url {
            return addr.parse().map_err(io::Error::other);
        }
        if process.exited().is_some() || Instant::now() > deadline {
            return Err(io::Error::other(process.log_tail()));
        }
        sleep(POLL);
    }
}

fn program() -> io::Result<&'static Path> {
    let built = PROGRAM.get_or_init(|| build().map_err(|error| error.to_string()));
    built.as_deref().map_err(|error| io::Error::other(error.clone()))
}

/// Cargo builds examples only when it runs all tests, so that one from another day may lie there.
fn build() -> io::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let profile = this.ancestors().nth(2).expect("cargo keeps tests in target/PROFILE/deps");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--all-features", "--example", "hello"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    match cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status()? {
        status if status.success() => Ok(profile.join("examples/hello")),
        status => Err(io::Error::other(format!("cargo build: {status}"))),
    }
}

static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
