//! On what something was measured.

#![allow(dead_code, reason = "each benchmark uses a part")]

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::SystemTime;

/// The machine, its system, the compiler and the crates, in one line.
pub(crate) fn describe(crates: &[&str]) -> String {
    let processors = available_parallelism().map_or(0, usize::from);
    format!("{}, {}", place(processors), versions(crates))
}

/// The machine, of which `processors` are used, and its system.
pub(crate) fn place(processors: usize) -> String {
    format!("{processors} x {}, {}, {}", model(), kernel(), system())
}

/// The compiler and the crates.
pub(crate) fn versions(crates: &[&str]) -> String {
    let mut parts = vec![format!("Rust {}", version("rustc", &["--version"]))];
    let locked = crates.iter().map(|name| (name, locked(LOCK, name).unwrap_or("unknown")));
    parts.extend(locked.map(|(name, version)| format!("{name} {version}")));
    parts.join(", ")
}

/// The day, as in `22 Nov 2026`.
pub(crate) fn today() -> String {
    let date = httpdate::fmt_http_date(SystemTime::now());
    date.split(' ').skip(1).take(3).collect::<Vec<_>>().join(" ")
}

/// The version that `program` tells, when asked for it with `arguments`.
pub(crate) fn version(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else {
        return "not installed".to_owned();
    };
    let text = [output.stdout, output.stderr].concat();
    first_number(&String::from_utf8_lossy(&text)).unwrap_or("unknown").to_owned()
}

/// The version of a package in a Cargo.lock.
pub(crate) fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let mut packages = lock.split("[[package]]");
    let package = packages.find(|entry| unquoted(entry, "name") == Some(name))?;
    unquoted(package, "version")
}

/// `1.22.1` of `nginx version: nginx/1.22.1`, `1.19.8` of `go version go1.19.8`.
fn first_number(text: &str) -> Option<&str> {
    let mut words =
        text.split([' ', '/', '\n']).map(|word| word.strip_prefix("go").unwrap_or(word));
    words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

fn model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    value(&info, "model name", ':').unwrap_or("unknown CPU").to_owned()
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim().split('-').next().unwrap_or_default())
}

fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    unquoted(&release, "PRETTY_NAME").unwrap_or("unknown system").to_owned()
}

fn unquoted<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    Some(value(text, name, '=')?.trim_matches('"'))
}

/// What stands behind `name` and the separator, at the first line that has it.
fn value<'a>(text: &'a str, name: &str, separator: char) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim())
    })
}

const LOCK: &str = include_str!("../../Cargo.lock");
