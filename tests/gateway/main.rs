//! The gateway: HTTP in front, FastCGI behind it, over loopback TCP.

mod application;
mod bodies;
mod failures;
mod files;
#[cfg(target_os = "linux")]
mod hanging;
mod http1;
mod http2;
mod kit;
mod logs;
mod params;
mod refused;
mod server;
