//! Real web servers in front of one axum application: each probe through each server in each setup.
//!
//! Runs when `TOWER_FASTCGI_SERVERS=1`; a server that is not installed is then a failure. Otherwise each trial is named and
//! left out. `scripts/test` installs the servers and sets the variable. `scripts/servers` prints what came out as a table,
//! and with `--write` puts it into `docs/servers.md`. A run of everything fails when that file says something else. `--raw`
//! asks the raw responder everything, in place of the application.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tokio::signal::unix::{SignalKind, signal};

use crate::bench::Bench;
use crate::matrix::Matrix;
use crate::probes::Probe;
use crate::process::Process;
use crate::site::RUNTIME;
use crate::variant::Variant;

mod accepted;
mod app;
mod application;
mod bench;
mod certificate;
mod client;
mod control;
mod curl;
mod debian;
mod example;
mod failure;
mod foreground;
mod listening;
mod matrix;
mod pattern;
mod probes;
mod process;
mod program;
mod public_dir;
mod ranges;
mod responder;
mod site;
mod spawned;
mod stage;
mod variant;
mod web_servers;

fn main() -> ExitCode {
    if let Some(stage) = std::env::var_os(spawned::STAGE) {
        return spawned::run(Path::new(&stage));
    }
    let (own, others): (Vec<_>, Vec<_>) =
        std::env::args().partition(|argument| OWN_OPTIONS.contains(&&**argument));
    let mut arguments = Arguments::from_iter(others);
    // Most of the time is spent with waiting.
    arguments.test_threads.get_or_insert(THREADS);
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    if !enabled && !arguments.list {
        println!("real web servers are left out; scripts/test installs them and runs everything");
    }
    failure::remember_places();
    RUNTIME.spawn(end_when_told_to());

    let matrix = Arc::new(Matrix::new(web_servers::variants(), probes::all()));
    let benches: Vec<_> = matrix.variants().map(|variant| Arc::new(Bench::new(variant))).collect();
    let is_raw = own.contains(&"--raw".into());
    let asked = benches.iter().flat_map(|bench| asked(&matrix, bench, is_raw));
    let compared = if is_raw { Vec::new() } else { compared(&matrix, &benches) };
    let trials = asked.chain(compared).map(|trial| trial.with_ignored_flag(!enabled)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // `exit` runs no destructors, and the servers are to end before this process does.
    drop(benches);
    let table = matrix.settle(own.contains(&"--table".into()), own.contains(&"--write".into()));
    if conclusion.has_failed() { conclusion.exit_code() } else { table }
}

/// Whoever ends this process means the servers, too.
async fn end_when_told_to() {
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be listened to");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Process::end_all();
    std::process::exit(1);
}

/// Each probe through one variant.
fn asked(matrix: &Arc<Matrix>, bench: &Arc<Bench>, is_raw: bool) -> impl Iterator<Item = Trial> {
    let those = matrix.probes().filter(|probe| probe.applies_to(&bench.variant));
    those.map(move |probe| {
        let (matrix, bench) = (matrix.clone(), bench.clone());
        let name = format!("{}::{}", bench.variant, probe.name);
        Trial::test(name, move || {
            if is_raw {
                return bench.run_raw(probe).map_err(Into::into);
            }
            let outcome = bench.run(probe);
            matrix.record(&bench.variant, probe.name, &outcome);
            outcome.map(|_| ()).map_err(Into::into)
        })
    })
}

/// The raw responder against each probe that some server is said not to pass, behind a server that does. Else its failure
/// would say nothing about the other.
fn compared(matrix: &Arc<Matrix>, benches: &[Arc<Bench>]) -> Vec<Trial> {
    let is_impossible =
        |probe: &Probe| matrix.variants().any(|variant| variant.limit(probe.name).is_some());
    let impossible = matrix.probes().filter(is_impossible);
    let trials = impossible.filter_map(|probe| {
        let passes =
            |variant: &Variant| probe.applies_to(variant) && variant.limit(probe.name).is_none();
        let bench = benches.iter().find(|bench| passes(&bench.variant))?.clone();
        let name = format!("responder/{}::{}", bench.variant, probe.name);
        Some(Trial::test(name, move || bench.run_raw(probe).map_err(Into::into)))
    });
    trials.collect()
}

const OWN_OPTIONS: [&str; 3] = ["--raw", "--table", "--write"];
const THREADS: usize = 8;
