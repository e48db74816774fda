//! An application that systemd starts with the first connection; `app.socket` and `app.service` beside this file are its units.
//! To try it without them:
//!
//!     cargo build --example systemd
//!     systemd-socket-activate -l 127.0.0.1:9000 target/debug/examples/systemd
//!
//! While `systemctl restart app.service` runs, those who connect wait and are served by the new process.

use std::io;
use std::time::Duration;

use axum::{Router, routing::get};
use tower_fastcgi::{listener, serve};

pub(crate) fn main() -> io::Result<()> {
    // It changes the environment, so the runtime with its threads comes later.
    listener::inherited();
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> io::Result<()> {
    let app =
        Router::new().route("/", get(|| async { "Hello from a socket that systemd opened!\n" }));
    let listener = listener::bind("systemd").await?;
    serve(listener, app)
        .with_graceful_shutdown(stopped()?)
        // Less than TimeoutStopSec in app.service, after which systemd kills.
        .with_shutdown_timeout(Duration::from_secs(30))
        .await
}

/// `systemctl stop` and `systemctl restart` send SIGTERM.
#[cfg(unix)]
fn stopped() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut signal = signal(SignalKind::terminate())?;
    Ok(async move {
        signal.recv().await;
    })
}

#[cfg(not(unix))]
fn stopped() -> io::Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}
