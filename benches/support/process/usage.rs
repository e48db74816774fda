use std::fs;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How long the threads of a process have been running, user and system time, in nanoseconds that the scheduler counts. A thread
/// that runs at this moment is behind by up to a tick of the clock; see [`settle`].
fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has ended since is none of those that work.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += first_number(&text).ok_or_else(|| {
            io::Error::other(
                "the kernel keeps no schedstat (it is built without CONFIG_SCHED_INFO)",
            )
        })?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Waits until the process rests, and returns what [`cpu_time`] says then. One that never rests is let work after half a second.
pub(crate) fn settle(pid: u32) -> io::Result<Duration> {
    let deadline = Instant::now() + Duration::from_millis(500);
    let mut before = cpu_time(pid)?;
    loop {
        sleep(Duration::from_millis(2));
        let now = cpu_time(pid)?;
        if Instant::now() > deadline || now == before && sleeps(pid)? {
            return Ok(now);
        }
        before = now;
    }
}

/// Whether all threads wait for something to happen. The time of one that runs stands still between two ticks of the clock, and that
/// of one whose table of files the kernel enlarges for milliseconds.
fn sleeps(pid: u32) -> io::Result<bool> {
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = fs::read_to_string(thread?.path().join("stat")) else { continue };
        // The state comes after the name, which may have spaces and parentheses.
        let state = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
        if !state.starts_with('S') {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How long this thread has been running.
pub(crate) fn this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("this clock begins at 0")
}

/// The memory of a process that is in RAM, in bytes. Counted page by page: the cheap counters of the kernel are imprecise.
pub(crate) fn resident(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kibibytes = line.and_then(first_number);
    kibibytes
        .map(|kibibytes| kibibytes * 1024)
        .ok_or_else(|| io::Error::other("no Rss in smaps_rollup"))
}

/// Lets [`peak`] begin anew.
pub(crate) fn forget_peak(pid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

/// The most memory of a process that was in RAM at a time, in bytes, to within some 100 KiB.
pub(crate) fn peak(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(first_number);
    kibibytes
        .map(|kibibytes| kibibytes * 1024)
        .ok_or_else(|| io::Error::other("no VmHWM in status"))
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}
