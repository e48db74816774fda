//! Sockets that another process passes: on standard input, and as systemd does.
//!
//! Each trial starts this program again as the application, with the sockets where they are to be. Trials with systemd's own
//! tools run when `TOWER_FASTCGI_SERVERS=1`; a tool that is not installed is then a failure. Otherwise they are named and left out.

#[cfg(unix)]
mod application;
#[cfg(unix)]
mod passing;
#[cfg(unix)]
mod stdin;
#[cfg(unix)]
mod systemd;
#[cfg(unix)]
mod systemd_tools;
#[cfg(unix)]
#[path = "../web_server/mod.rs"]
mod web_server;

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    if let Some(addresses) = application::addresses() {
        return application::run(&addresses);
    }
    let arguments = libtest_mimic::Arguments::from_args();
    let with_tools = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    let trials = [stdin::trials(), systemd::trials(), systemd_tools::trials(with_tools)];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
