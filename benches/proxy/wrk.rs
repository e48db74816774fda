//! The load generator.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::machine;
use crate::params::HEADERS;
use crate::program::{Program, guard};
use crate::row::Work;

/// What wrk saw in one run, all of it answered well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    pub(crate) p99: Duration,
}

/// Runs wrk for some seconds, with its files in `dir`.
///
/// # Errors
///
/// When one response was not fine, or one connection failed.
pub(crate) fn run(address: SocketAddr, work: Work, seconds: u64, dir: &Path) -> io::Result<Seen> {
    let script = dir.join("wrk.lua");
    std::fs::write(&script, SCRIPT)?;
    let mut command = guard::program("wrk")?;
    command.args(["-t1", "-c", CONNECTIONS, "-d", &seconds.to_string(), "-s"]).arg(script);
    // wrk makes the Host itself.
    for (name, value) in HEADERS.iter().filter(|(name, _)| *name != "HTTP_HOST") {
        let name = name.trim_start_matches("HTTP_").replace('_', "-");
        command.args(["-H", &format!("{name}: {value}")]);
    }
    command.arg(format!("http://{address}{}", work.path()));
    command.args(["--", &work.body_len().to_string()]);
    let mut process = Program::spawn(&mut command, dir.join("wrk.log"))?;
    let bound = Duration::from_secs(seconds) + PATIENCE;
    let output = match process.exits_within(bound)? {
        None => return Err(io::Error::other("wrk does not end")),
        Some(_) => process.output(),
    };
    read(&output).ok_or_else(|| io::Error::other(output.clone()))?
}

/// Reads the line of JSON.
fn read(output: &str) -> Option<io::Result<Seen>> {
    let seen: Value = serde_json::from_str(output.lines().last()?).ok()?;
    let errors = seen["errors"].as_object()?;
    if errors.values().any(|count| count != 0) {
        return Some(Err(io::Error::other(format!("wrk: {}", seen["errors"]))));
    }
    let number = |name: &str| seen[name].as_f64().filter(|&number| number > 0.0);
    Some(Ok(Seen {
        requests: number("requests")?,
        seconds: number("micros")? / 1e6,
        p99: Duration::from_secs_f64(number("p99_micros")? / 1e6),
    }))
}

const CONNECTIONS: &str = "32";

pub(crate) fn version() -> String {
    format!("wrk {}", machine::version("wrk", &["-v"]))
}

/// What wrk may take beyond its time.
const PATIENCE: Duration = Duration::from_secs(20);

const SCRIPT: &str = include_str!("wrk.lua");
