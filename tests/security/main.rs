//! What FastCGI is for, shown: what an application sees and believes behind the same web servers over HTTP and over FastCGI, when
//! clients lie.
//!
//! Runs when `TOWER_FASTCGI_SERVERS=1`; what is not installed is then a failure. Otherwise each trial is named and left out.
//! `scripts/security` prints what came out, and with `--write` puts it into `docs/security.md`. A run of everything fails when
//! that page says something else.

mod answers;
mod app;
mod client;
mod confusion;
#[path = "../servers/debian.rs"]
#[allow(dead_code)]
mod debian;
mod desync;
#[path = "../servers/foreground.rs"]
mod foreground;
mod front;
mod page;
#[path = "../servers/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../servers/program.rs"]
mod program;
#[path = "../servers/public_dir.rs"]
mod public_dir;
#[path = "../servers/starting.rs"]
mod starting;

use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use libtest_mimic::Arguments;
use tokio::runtime::Runtime;

use crate::answers::Answers;
use crate::confusion::Confusion;
use crate::desync::Desync;

/// Runs the applications and the clients.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("the system gives threads"));

fn main() -> ExitCode {
    let (own, others): (Vec<_>, Vec<_>) =
        std::env::args().partition(|argument| OWN_OPTIONS.contains(&&**argument));
    let mut arguments = Arguments::from_iter(others);
    // Most of the time is spent with waiting.
    arguments.test_threads.get_or_insert(THREADS);
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");

    let (desync, confusion, answers) = (Desync::new(), Confusion::new(), Answers::new());
    let trials = [desync.trials(), confusion.trials(), answers.trials()].into_iter().flatten();
    let trials = trials.map(|trial| trial.with_ignored_flag(!enabled)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let pages =
        [("desync", desync.page()), ("confusion", confusion.page()), ("answers", answers.page())];
    // `exit` runs no destructors, and the servers are to end before this process does.
    drop((desync, confusion, answers));
    let settled = settle(&pages, &own);
    if conclusion.has_failed() { conclusion.exit_code() } else { settled }
}

/// Prints the parts of the page that are complete, and compares or writes them.
fn settle(pages: &[(&str, Option<String>)], options: &[String]) -> ExitCode {
    let has = |option: &str| options.iter().any(|other| other == option);
    let mut exit = ExitCode::SUCCESS;
    for (part, page) in pages {
        let Some(page) = page else { continue };
        if has("--table") {
            println!("{page}");
        }
        if let Err(complaint) = page::settle(part, page, has("--write")) {
            eprintln!("{complaint}");
            exit = ExitCode::FAILURE;
        }
    }
    exit
}

/// No wait is longer.
const BOUND: Duration = Duration::from_secs(20);
const OWN_OPTIONS: [&str; 2] = ["--table", "--write"];
const THREADS: usize = 8;
