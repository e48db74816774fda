use std::fs;
use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// One processor for the server, another for the load generator.
#[derive(Debug)]
pub(crate) struct Cores {
    all: CpuSet,
    server: usize,
    load: usize,
    /// Whether the two share one core's execution units.
    pub(crate) siblings: bool,
}

impl Cores {
    /// Chooses two of those this process may use, on different cores if there are such.
    ///
    /// # Errors
    ///
    /// When there is only one.
    pub(crate) fn choose() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
        let [server, .., last] = allowed[..] else {
            return Err(io::Error::other(
                "only one processor is there, or allowed by taskset or a container: the load generator needs one and the \
                 server another",
            ));
        };
        let siblings = siblings(server);
        let apart = allowed.iter().rev().find(|cpu| !siblings.contains(cpu));
        let load = apart.copied().unwrap_or(last);
        Ok(Self { all, server, load, siblings: apart.is_none() })
    }

    pub(crate) fn count(&self) -> usize {
        self.all.count() as usize
    }

    /// Puts this thread, and what it starts, on the server's processor.
    pub(crate) fn run_on_servers(&self) -> io::Result<()> {
        run_on(&[self.server])
    }

    /// Puts this thread on the load generator's processor.
    pub(crate) fn run_on_loads(&self) -> io::Result<()> {
        run_on(&[self.load])
    }

    /// Lets this thread, and what it starts, run where they may.
    pub(crate) fn run_anywhere(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.all)?)
    }
}

fn run_on(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    Ok(sched_setaffinity(None, &set)?)
}

/// The hardware threads of the core that `cpu` is one of.
fn siblings(cpu: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    parse_list(&fs::read_to_string(path).unwrap_or_default())
}

/// Reads the kernel's lists, "0,4" or "0-3,8".
pub(crate) fn parse_list(list: &str) -> Vec<usize> {
    let ranges = list.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}
