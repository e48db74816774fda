//! Children that the kernel ends when the benchmark ends, also when it is killed.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};

use rustix::process::{Pid, getppid};

/// A command that runs the benchmark's own binary with `arguments`, which has to call [`end_with_parent`].
pub(crate) fn own_binary(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null()).env(PARENT, process::id().to_string());
    Ok(command)
}

/// A command that runs `program`, by way of the benchmark's own binary, which has to call [`become_program`].
pub(crate) fn program(program: &str) -> io::Result<Command> {
    own_binary(&[BECOME, program])
}

/// Becomes the program that [`program`] was given. Returns only if that cannot be.
pub(crate) fn become_program(arguments: impl IntoIterator<Item = OsString>) -> io::Error {
    let mut arguments = arguments.into_iter();
    let Some(program) = arguments.next() else { return io::ErrorKind::InvalidInput.into() };
    if let Err(error) = end_with_parent() {
        return error;
    }
    let error = Command::new(&program).args(arguments).env_remove(PARENT).exec();
    io::Error::new(error.kind(), format!("{}: {error}", program.to_string_lossy()))
}

/// Has the kernel end this process when its parent does. The new program of an `exec` keeps that.
pub(crate) fn end_with_parent() -> io::Result<()> {
    ask_for_signal()?;
    let parent = std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok());
    if getppid().map(Pid::as_raw_pid) == parent {
        return Ok(());
    }
    Err(io::Error::other("the benchmark has ended, or did not start this"))
}

#[cfg(target_os = "linux")]
fn ask_for_signal() -> io::Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    Ok(set_parent_process_death_signal(Some(Signal::TERM))?)
}

#[cfg(not(target_os = "linux"))]
fn ask_for_signal() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux ends children with their parent"))
}

/// The first argument of a process that is to become another program.
pub(crate) const BECOME: &str = "become";

/// Tells a child whose end to wait for: one that has ended before the child asks would go unnoticed.
const PARENT: &str = "TOWER_FASTCGI_BENCH_PARENT";
