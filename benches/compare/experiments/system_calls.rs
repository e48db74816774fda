//! System calls per request, counted by strace.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Session;
use super::cpu::Cpu;
use crate::load::{Load, Result, Until};
use crate::servers::{Server, Threads, Transport};

/// What start and end of the server need is in two runs alike; the difference is that of the requests.
pub(super) fn round(session: &Session, server: Server, cpu: &Cpu) -> Result<Vec<f64>> {
    let few = count(session, server, cpu, FEW)?;
    let many = count(session, server, cpu, FEW + MORE)?;
    Ok(vec![(many as f64 - few as f64) / MORE as f64])
}

/// Why there will be no figures, if strace is missing or may not trace.
pub(crate) fn obstacle() -> Option<String> {
    let trace = Command::new("strace")
        .args(["-f", "-c", "-o", "/dev/null", "true"])
        .stdin(Stdio::null())
        .output();
    match trace {
        Err(error) => Some(format!("system calls are not counted: strace: {error}")),
        Ok(output) if !output.status.success() => {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Some(format!("system calls are not counted: {reason}"))
        }
        Ok(_) => None,
    }
}

fn count(session: &Session, server: Server, cpu: &Cpu, requests: u64) -> Result<u64> {
    let file = session.starter.directory().join("strace");
    let start = |command| traced(command, &file);
    let running = session.starter.start_as(server, Transport::Unix, Threads::Pinned, start)?;
    Load::open(&cpu.plan(&running))?.run(Until::Requests(requests))?;
    // The server ends, and strace writes what it counted.
    drop(running);
    total(&fs::read_to_string(&file)?).ok_or_else(|| "strace counted nothing".into())
}

fn traced(command: Command, file: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(file).arg("--").arg(command.get_program());
    strace.args(command.get_args());
    for (name, value) in command.get_envs() {
        strace.env(name, value.unwrap_or_default());
    }
    strace
}

/// The sum of the column `calls` of strace's summary.
pub(crate) fn total(summary: &str) -> Option<u64> {
    let mut lines = summary.lines();
    let calls = lines.next()?.split_whitespace().position(|column| column == "calls")?;
    // The header has "% time" where each line has one number.
    let calls = calls.checked_sub(1)?;
    let counts = lines.filter(|line| !line.ends_with(" total")).filter_map(|line| {
        let count: u64 = line.split_whitespace().nth(calls)?.parse().ok()?;
        Some(count)
    });
    Some(counts.sum())
}

const FEW: u64 = 320;
const MORE: u64 = 960;
