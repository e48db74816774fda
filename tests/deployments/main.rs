//! Web servers in front of the application, with nothing but the files of `examples/` that `docs/servers/` shows: below a path, behind a
//! CDN, several instances, in Kubernetes.
//!
//! Runs when `TOWER_FASTCGI_SERVERS=1`; what is not installed is then a failure. Otherwise each trial is named and left out.

mod app;
mod balancing;
mod client;
mod client_address;
#[path = "../servers/web_servers/config.rs"]
mod config;
mod dns;
#[path = "../servers/foreground.rs"]
mod foreground;
mod kubernetes;
mod limits;
mod load;
mod mount;
mod pages;
#[path = "../servers/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../servers/public_dir.rs"]
mod public_dir;
mod restarts;
mod site;
mod software;
mod table;
mod timeouts;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if let Some(served) = app::serve_if_asked() {
        return match served {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let (own, others): (Vec<_>, Vec<_>) =
        std::env::args().partition(|argument| argument == "--write");
    if !own.is_empty() {
        pages::write();
    }
    let arguments = Arguments::from_iter(others);
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    let trials: Vec<Trial> = mount::trials()
        .chain(balancing::trials())
        .chain(kubernetes::trials())
        .chain(client_address::trials())
        .chain(restarts::trials())
        .chain(limits::trials())
        .chain(timeouts::trials())
        .collect();
    let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(!enabled));
    libtest_mimic::run(&arguments, trials.chain(pages::trials()).collect()).exit_code()
}

/// Nothing here takes so long on a slow machine.
const BOUND: Duration = Duration::from_secs(30);
