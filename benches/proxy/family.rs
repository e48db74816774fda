//! A process and its children, for most web servers are several.

use std::fs;
use std::io;
use std::time::Duration;

use crate::usage::settle;

/// The CPU time that a process and all that descend from it took until they came to rest. A child that has ended takes its time
/// with it.
pub(crate) fn cpu_time(pid: u32) -> io::Result<Duration> {
    family(pid)?.into_iter().map(settle).sum()
}

/// A process and all that descend from it.
fn family(pid: u32) -> io::Result<Vec<u32>> {
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
