//! `fcgi check` of this crate's server, tokio-fastcgi, Go's net/http/fcgi, libfcgi, php-fpm and php-cgi.
//!
//! Runs when `TOWER_FASTCGI_SERVERS=1`; what is not installed is then a failure. `scripts/test` installs it and sets the variable.
//! `scripts/conformance --write` puts what came out into `docs/conformance.md`. A run of everything fails when that file says something
//! else.

use std::process::{Command, ExitCode};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::page::Page;
use crate::subject::Subject;

mod app;
#[path = "../client_applications/application.rs"]
#[allow(dead_code)]
mod application;
mod page;
#[path = "../servers/process.rs"]
#[allow(dead_code)]
mod process;
mod subject;
mod tokio_fastcgi;

fn main() -> ExitCode {
    let (own, others): (Vec<_>, Vec<_>) = std::env::args().partition(|argument| argument == WRITE);
    let arguments = Arguments::from_iter(others);
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    if !enabled && !arguments.list {
        println!("real applications are left out; scripts/test installs them and runs everything");
    }
    let page = Arc::new(Page::default());
    let trials = Subject::ALL.into_iter().map(|subject| {
        let page = page.clone();
        let run = move || check(subject, &page);
        Trial::test(subject.name(), run).with_ignored_flag(!enabled)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let settled = page.settle(!own.is_empty());
    if conclusion.has_failed() { conclusion.exit_code() } else { settled }
}

/// All cases. This crate's server has to conform in each.
fn check(subject: Subject, page: &Page) -> Result<(), Failed> {
    let running = subject.start()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_fcgi"));
    command.arg("check").args(CASES).args(running.arguments());
    let output = command.output()?;
    let report = serde_json::from_slice::<serde_json::Value>(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    if subject == Subject::TowerFastcgi && report["counts"]["departs"] != 0 {
        return Err(format!("{report:#}").into());
    }
    page.add(subject, report);
    Ok(())
}

const CASES: [&str; 6] = [
    "--json",
    "--path=/hello",
    "--echo-path=/echo",
    "--params-path=/params",
    "--large-path=/large?n=200000",
    "--stderr-path=/stderr",
];
const WRITE: &str = "--write";
