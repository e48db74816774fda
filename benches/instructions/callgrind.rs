//! A server under `valgrind --tool=callgrind`, and what that counted.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cases::Case;
use crate::load::{Address, Load, Plan, Result, Until, Waiting};
use crate::process::{Process, settle};
use crate::server;

/// Instructions of the server for one request on a kept connection.
///
/// What its start, its end and the first requests need is in two runs alike; the difference is that of the requests.
///
/// # Errors
///
/// When valgrind is not installed, the server fails, or an answer is wrong.
pub(crate) fn per_request(case: &Case) -> Result<u64> {
    let few = least(case, FEW)?;
    let many = least(case, FEW + MORE)?;
    let more = many.checked_sub(few).ok_or("more requests needed fewer instructions")?;
    Ok((more + MORE / 2) / MORE)
}

pub(crate) fn version() -> String {
    let output = Command::new("valgrind").arg("--version").output();
    let text = output.map_or_else(|error| error.to_string().into_bytes(), |output| output.stdout);
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// A server that was not at rest for once, or formatted one date more, is no cheaper.
fn least(case: &Case, requests: u64) -> Result<u64> {
    Ok(total(case, requests)?.min(total(case, requests)?))
}

/// Instructions of the server from its start to its end.
fn total(case: &Case, requests: u64) -> Result<u64> {
    let directory = tempfile::tempdir()?;
    let (socket, counts) = (directory.path().join("socket"), directory.path().join("counts"));
    let command = server::command(case.protocol, &socket)?;
    let process = Process::start(&mut counted(command, &counts))?;
    let plan = Plan::new(Address::Unix(socket), case.protocol, case.exchange());
    let plan = Plan { connections: 1, waiting: Waiting::Sleep, ..plan };
    let mut load = Load::open(&plan)?;
    for _ in 0..requests {
        // What a server reads at once depends on how much has come by then, so each request comes as a whole while it rests.
        settle(process.id())?;
        load.run(Until::Requests(1))?;
    }
    settle(process.id())?;
    // The server ends, and callgrind writes what it counted.
    drop(process);
    totals(&fs::read_to_string(&counts)?).ok_or_else(|| "callgrind counted nothing".into())
}

fn counted(command: Command, counts: &Path) -> Command {
    let mut valgrind = Command::new("valgrind");
    let file = format!("--callgrind-out-file={}", counts.display());
    valgrind.args(["--quiet", "--tool=callgrind", &file, "--"]);
    valgrind.arg(command.get_program()).args(command.get_args());
    valgrind.env("GLIBC_TUNABLES", ANY_PROCESSOR);
    valgrind
}

/// All instructions that callgrind's file tells of.
pub(crate) fn totals(counts: &str) -> Option<u64> {
    let line = counts.lines().find_map(|line| line.strip_prefix("totals:"))?;
    line.trim().parse().ok()
}

/// glibc copies with other instructions where the processor has more of them. These it could use under valgrind.
const ANY_PROCESSOR: &str = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX2_Usable,-BMI2,-ERMS,-FSRM";
/// The first of them allocate what is kept.
const FEW: u64 = 50;
const MORE: u64 = 200;
