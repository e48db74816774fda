//! How what a request costs grows with connections, ids, bodies and params: `cargo bench --bench growth`.
//! How it is measured is told in `benches/README.md`.

#[cfg(target_os = "linux")]
mod app;
#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod series;

#[cfg(target_os = "linux")]
#[path = "../support/content.rs"]
mod content;
#[cfg(target_os = "linux")]
#[path = "../support/load/mod.rs"]
mod load;
#[cfg(target_os = "linux")]
#[path = "../support/machine.rs"]
mod machine;
#[cfg(target_os = "linux")]
#[path = "../support/process/mod.rs"]
mod process;
#[cfg(target_os = "linux")]
#[path = "../support/server.rs"]
mod server;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "ratios are taken between sizes")]
#[path = "../support/statistics.rs"]
mod statistics;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    bench::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!(
        "This benchmark asks Linux for the processor time and memory of each server; it runs nowhere else."
    );
}
