//! On what something was measured.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::SystemTime;

/// The machine, its system, the compiler and the crates, in one line.
pub(crate) fn describe(crates: &[&str]) -> String {
    let mut parts = vec![processors(), kernel(), system(), compiler()];
    parts.extend(crates.iter().map(|name| format!("{name} {}", locked_version(name))));
    parts.join(", ")
}

/// The day, as in `22 Nov 2026`.
pub(crate) fn today() -> String {
    let date = httpdate::fmt_http_date(SystemTime::now());
    date.split(' ').skip(1).take(3).collect::<Vec<_>>().join(" ")
}

/// The version that `program` tells about itself, when asked for it with `argument`.
pub(crate) fn version(program: &str, argument: &str) -> String {
    let Ok(output) = Command::new(program).arg(argument).output() else {
        return "not installed".to_owned();
    };
    let text = [output.stdout, output.stderr].concat();
    first_number(&String::from_utf8_lossy(&text)).unwrap_or("unknown").to_owned()
}

/// `1.22.1` of `nginx version: nginx/1.22.1`.
fn first_number(text: &str) -> Option<&str> {
    text.split([' ', '/', '\n']).find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

fn processors() -> String {
    let count = available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = value(&info, "model name", ':').unwrap_or("unknown CPU");
    format!("{count} x {model}")
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim().split('-').next().unwrap_or_default())
}

fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    unquoted(&release, "PRETTY_NAME").unwrap_or("unknown system").to_owned()
}

fn compiler() -> String {
    format!("Rust {}", version("rustc", "--version"))
}

fn locked_version(name: &str) -> &'static str {
    let mut packages = LOCK.split("[[package]]");
    let package = packages.find(|entry| unquoted(entry, "name") == Some(name));
    package.and_then(|entry| unquoted(entry, "version")).unwrap_or("unknown")
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
