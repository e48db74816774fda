//! The client, and the command `fcgi`, against real applications: php-fpm, php-cgi, Go's net/http/fcgi and a libfcgi program in C.
//!
//! Runs when `TOWER_FASTCGI_SERVERS=1`; what is not installed is then a failure. `scripts/test` installs it and sets the
//! variable.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::FutureExt;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use crate::application::{Application, Kind};
use crate::probes::Probe;

mod application;
#[path = "../cli/command.rs"]
#[allow(dead_code)]
mod command;
mod command_probes;
mod probes;
#[path = "../servers/process.rs"]
#[allow(dead_code)]
mod process;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    if !enabled && !arguments.list {
        println!("real applications are left out; scripts/test installs them and runs everything");
    }
    let trials = Kind::ALL.into_iter().flat_map(|kind| {
        let probes = probes::all().into_iter().chain(command_probes::all());
        let probes = probes.filter(move |probe| (probe.applies)(kind));
        probes.map(move |probe| {
            let name = format!("{kind:?}::{}", probe.name);
            Trial::test(name, move || run(kind, &probe)).with_ignored_flag(!enabled)
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Each probe has an application of its own: some end it.
fn run(kind: Kind, probe: &Probe) -> Result<(), Failed> {
    let application = Application::start(kind)?;
    let bounded = async { tokio::time::timeout(PROBE_BOUND, (probe.run)(&application)).await };
    let failure = match RUNTIME.block_on(AssertUnwindSafe(bounded).catch_unwind()) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(_)) => format!("not done within {PROBE_BOUND:?}"),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "panicked".into()),
    };
    Err(format!("{failure}\n--- the application's log\n{}", application.log()).into())
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Far above what the longest probe takes on a slow machine.
const PROBE_BOUND: Duration = Duration::from_secs(120);
