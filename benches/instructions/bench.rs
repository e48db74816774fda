//! From the arguments to the verdict.

use std::env::{self, consts::ARCH};
use std::process::ExitCode;

use crate::callgrind;
use crate::cases::CASES;
use crate::load::Result;
use crate::machine;
use crate::options::{Command, USAGE};
use crate::recorded::{Recorded, Verdict, grouped};
use crate::router::router;
use crate::server;

pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Command::parse(env::args().skip(1))? {
        Command::Count => count().map(|_| ()),
        Command::Write => {
            let path = Recorded::new(toolchain(), count()?).write()?;
            println!("wrote {path}");
            Ok(())
        }
        Command::Check => check(),
        Command::Serve { protocol, socket } => Ok(server::serve(&protocol, &socket, router())?),
        Command::Help => {
            println!("{USAGE}");
            Ok(())
        }
        Command::Nothing => Ok(()),
    }
}

/// The instructions of each case, by name, printed beside what is recorded.
fn count() -> Result<Vec<(String, u64)>> {
    let recorded = Recorded::read()?;
    println!("{:<34}{:>12}{:>12}", "instructions per request", "now", "recorded");
    let mut figures = Vec::new();
    for case in &CASES {
        let now = callgrind::per_request(case)?;
        let before = recorded.of(case.name);
        let shown = before.map_or_else(|| "-".to_owned(), grouped);
        let change = before.map_or_else(String::new, |before| {
            format!("{:>+9.2} %", (now as f64 / before as f64 - 1.0) * 100.0)
        });
        println!("{:<34}{:>12}{shown:>12}{change}", case.title, grouped(now));
        figures.push((case.name.to_owned(), now));
    }
    Ok(figures)
}

fn check() -> Result<()> {
    let recorded = Recorded::read()?;
    let now = toolchain();
    if !recorded.is_from(ARCH) {
        println!("Not checked: what is recorded is of {}.", recorded.toolchain);
        return Ok(());
    }
    if !recorded.toolchain.is_empty() && recorded.toolchain != now {
        println!("Recorded with {}; this is {now}.", recorded.toolchain);
    }
    let mut dearer = false;
    for (name, now) in count()? {
        let Some(case) = CASES.iter().find(|case| case.name == name && case.is_checked) else {
            continue;
        };
        match recorded.verdict(&name, now) {
            Verdict::Same => {}
            Verdict::Cheaper => {
                println!("{} became cheaper: `{AGAIN}` keeps it so.", case.title);
            }
            Verdict::Dearer => {
                println!("{} costs more than is recorded.", case.title);
                dearer = true;
            }
            Verdict::Unknown => {
                println!("{} is not recorded.", case.title);
                dearer = true;
            }
        }
    }
    if dearer {
        return Err(format!("If there is no way around that, `{AGAIN}` records it anew.").into());
    }
    Ok(())
}

fn toolchain() -> String {
    format!(
        "{}, Rust {}, {}",
        ARCH,
        machine::version("rustc", &["--version"]),
        callgrind::version()
    )
}

const AGAIN: &str = "cargo bench --bench instructions -- --write";
