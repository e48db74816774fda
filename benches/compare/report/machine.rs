//! Where and with what something was measured.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use crate::servers::Server;

#[derive(Debug)]
pub(crate) struct Machine {
    /// Day, processor, kernel.
    pub(crate) place: String,
    /// Compilers and libraries.
    pub(crate) versions: String,
}

impl Machine {
    /// `processors` is how many the benchmark may use.
    pub(crate) fn ask(processors: usize, servers: &[Server]) -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let place = format!(
            "{}, {}, {processors} processors, Linux {}",
            today(),
            model(&cpus).unwrap_or("unknown processor"),
            kernel.trim(),
        );
        let mut versions = vec![output("rustc", &["--version"])];
        for name in ["tokio", "hyper", "axum", "tokio-fastcgi"] {
            versions.extend(locked(LOCK, name).map(|version| format!("{name} {version}")));
        }
        if servers.contains(&Server::Go) {
            versions.push(output("go", &["version"]).replace("go version go", "Go "));
        }
        if servers.contains(&Server::Libfcgi) {
            versions.push(format!("libfcgi {}", output("pkg-config", &["--modversion", "fcgi"])));
        }
        Self { place, versions: versions.join(", ") }
    }
}

fn today() -> String {
    let now = httpdate::fmt_http_date(SystemTime::now());
    // "Sun, 06 Nov 1994 08:49:37 GMT"
    now.get(5..16).unwrap_or(&now).to_owned()
}

fn model(cpus: &str) -> Option<&str> {
    let line = cpus.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

/// The version of a package in a Cargo.lock.
pub(crate) fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let entry = format!("[[package]]\nname = \"{name}\"\nversion = \"");
    let (_, rest) = lock.split_once(&entry)?;
    Some(rest.split_once('"')?.0)
}

fn output(program: &str, args: &[&str]) -> String {
    match Command::new(program).args(args).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "of unknown version".to_owned(),
    }
}

const LOCK: &str = include_str!("../../../Cargo.lock");
