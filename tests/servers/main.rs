//! Real nginx and real Caddy in front of one axum application: each probe through each server in each setup.
//!
//! Runs when `TOWER_FASTCGI_SERVERS=1`; a server that is not installed is then a failure. Otherwise each trial is named and
//! left out. `scripts/test` installs the servers and sets the variable.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::probes::Probe;
use crate::site::{RUNTIME, Site, Variant};

mod accepted;
mod app;
mod application;
mod caddy;
mod client;
mod config;
mod example;
mod nginx;
mod pattern;
mod probes;
mod process;
mod site;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    if !enabled && !arguments.list {
        println!("real web servers are left out; scripts/test installs them and runs everything");
    }
    silence_expected_panics();
    let sites: Vec<Arc<LazySite>> = Variant::all().into_iter().map(LazySite::new).collect();
    let trials = sites.iter().flat_map(|site| trials(site, enabled)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // `exit` runs no destructors, and the servers are to end before this process does.
    drop(sites);
    conclusion.exit_code()
}

fn trials(site: &Arc<LazySite>, enabled: bool) -> impl Iterator<Item = Trial> {
    let probes = probes::all().into_iter().filter(|probe| (probe.applies)(site.variant));
    probes.map(move |probe| {
        let name = format!("{}::{}", site.variant, probe.name);
        let site = site.clone();
        Trial::test(name, move || site.run(probe)).with_ignored_flag(!enabled)
    })
}

/// A site that starts with the first probe that needs it.
struct LazySite {
    variant: Variant,
    site: OnceLock<Result<Arc<Site>, String>>,
}

impl LazySite {
    fn new(variant: Variant) -> Arc<Self> {
        Arc::new(Self { variant, site: OnceLock::new() })
    }

    fn run(&self, probe: Probe) -> Result<(), Failed> {
        let site = self.site.get_or_init(|| self.start()).clone()?;
        let bounded = async { tokio::time::timeout(PROBE_BOUND, (probe.run)(site.clone())).await };
        let outcome = RUNTIME.block_on(AssertUnwindSafe(bounded).catch_unwind());
        let failure = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(_)) => format!("not done within {PROBE_BOUND:?}"),
            Err(panic) => panic_text(&*panic),
        };
        Err(format!("{failure}\n--- the end of the server's log\n{}", site.log_tail()).into())
    }

    fn start(&self) -> Result<Arc<Site>, String> {
        let site = RUNTIME.block_on(Site::start(self.variant));
        site.map(Arc::new).map_err(|error| error.to_string())
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied()).unwrap_or("panicked").to_owned()
}

/// One probe makes a handler panic; nobody needs to read about it.
fn silence_expected_panics() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<app::Expected>() {
            hook(info);
        }
    }));
}

/// Far above what the longest probe takes on a slow machine.
const PROBE_BOUND: Duration = Duration::from_secs(120);
