//! How many instructions our server needs for a request, and whether they became more: `cargo bench --bench instructions`.
//! How they are counted is told in `benches/README.md`.

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod callgrind;
#[cfg(target_os = "linux")]
mod cases;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod recorded;

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
#[path = "../support/router.rs"]
mod router;
#[cfg(target_os = "linux")]
#[path = "../support/server.rs"]
mod server;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    bench::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("This benchmark asks Linux whether a server rests; it runs nowhere else.");
}
