//! How much CPU time processes took, in nanoseconds rather than clock ticks.

use std::fs;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What the threads of the processes have taken, once they rest. Those that never rest are let work after a while.
pub(crate) fn at_rest(pids: &[u32]) -> io::Result<Duration> {
    let deadline = Instant::now() + PATIENCE;
    let mut before = of_processes(pids)?;
    loop {
        sleep(LOOK);
        let now = of_processes(pids)?;
        if now == before || Instant::now() > deadline {
            return Ok(now);
        }
        before = now;
    }
}

/// A process and all that descend from it.
pub(crate) fn family(pid: u32) -> io::Result<Vec<u32>> {
    let parents = parents()?;
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family
            .extend(parents.iter().filter(|process| process.1 == parent).map(|process| process.0));
        next += 1;
    }
    Ok(family)
}

fn of_processes(pids: &[u32]) -> io::Result<Duration> {
    pids.iter().map(|&pid| of_process(pid)).sum()
}

fn of_process(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the two looks.
        if let Ok(schedstat) = fs::read_to_string(task?.path().join("schedstat")) {
            sum += on_cpu(&schedstat)?;
        }
    }
    Ok(sum)
}

/// Each process and its parent.
fn parents() -> io::Result<Vec<(u32, u32)>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end between the two looks.
        if let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) {
            parents.extend(parent(&stat).map(|parent| (pid, parent)));
        }
    }
    Ok(parents)
}

/// The second field behind the name, which may hold anything, parentheses included.
fn parent(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

fn on_cpu(schedstat: &str) -> io::Result<Duration> {
    let nanoseconds = schedstat.split(' ').next().and_then(|first| first.parse().ok());
    let wrong = || io::Error::other(format!("schedstat says {schedstat:?}"));
    nanoseconds.map(Duration::from_nanos).ok_or_else(wrong)
}

const PATIENCE: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(5);
