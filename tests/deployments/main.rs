//! Web servers in front of the application, with nothing but the files of `examples/` that `docs/servers/` shows: below a path, behind a
//! CDN, several instances, in Kubernetes.
//!
//! Runs when `TOWER_FASTCGI_SERVERS=1`; what is not installed is then a failure. Otherwise each trial is named and left out.

mod app;
mod client;
#[path = "../servers/web_servers/config.rs"]
mod config;
mod mount;
#[path = "../servers/process.rs"]
#[allow(dead_code)]
mod process;
mod site;
mod software;

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
    let arguments = Arguments::from_args();
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    let trials: Vec<Trial> = mount::trials().collect();
    let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(!enabled)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Nothing here takes so long on a slow machine.
const BOUND: Duration = Duration::from_secs(30);
