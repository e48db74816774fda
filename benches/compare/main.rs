//! Our server beside `axum::serve`, the crate `tokio-fastcgi`, Go's net/http/fcgi and libfcgi: `cargo bench --bench compare`.
//! What is measured and how is told in `benches/README.md`.

#[cfg(target_os = "linux")]
mod apps;
#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod experiments;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod servers;

#[cfg(target_os = "linux")]
#[path = "../support/content.rs"]
mod content;
#[cfg(target_os = "linux")]
#[path = "../support/load/mod.rs"]
mod load;
#[cfg(target_os = "linux")]
#[path = "../support/machine.rs"]
mod machine;
#[path = "../support/process/mod.rs"]
mod process;
#[cfg(target_os = "linux")]
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
