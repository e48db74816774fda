//! `examples/authorizer.rs`: the program, and the configurations in its header.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Instant;

use crate::BOUND;
use crate::process::{POLL, Process, free_address};

/// Starts it, and returns where it listens.
pub(crate) fn start(log: &Path) -> io::Result<(SocketAddr, Process)> {
    let address = free_address()?;
    let program = PROGRAM.get_or_init(|| build().map_err(|error| error.to_string()));
    let program = program.as_ref().map_err(|error| io::Error::other(error.clone()))?;
    let mut process = Process::spawn(Command::new(program).arg(address.to_string()), log)?;
    let deadline = Instant::now() + BOUND;
    while !process.log().contains(&format!("Serving FastCGI on {address}")) {
        if process.exited().is_some() || Instant::now() > deadline {
            return Err(io::Error::other(format!("the example: {}", process.log())));
        }
        sleep(POLL);
    }
    Ok((address, process))
}

/// The lines that its header has for a web server.
pub(crate) fn configuration(language: &str) -> String {
    let lines = SOURCE.lines().map_while(|line| line.strip_prefix("//!"));
    let block = lines.skip_while(|line| line.trim() != format!("```{language}")).skip(1);
    let block: Vec<_> = block.take_while(|line| line.trim() != "```").collect();
    assert!(!block.is_empty(), "the example has lines for {language}");
    block.join("\n")
}

/// Cargo builds examples only when it runs all tests, so that one from another day may lie there.
fn build() -> io::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let profile = this.ancestors().nth(2).expect("cargo keeps tests in target/PROFILE/deps");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--all-features", "--example", "authorizer"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    match cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status()? {
        status if status.success() => Ok(profile.join("examples/authorizer")),
        status => Err(io::Error::other(format!("cargo build: {status}"))),
    }
}

static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
const SOURCE: &str = include_str!("../../examples/authorizer.rs");
