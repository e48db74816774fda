//! What the trials start: an application on passed sockets.

use std::io;
use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use futures_util::future::try_join_all;
use tokio::signal::unix::{SignalKind, signal};
use tower_fastcgi::listener::{AnyListener, bind, inherited};
use tower_fastcgi::serve;

/// The example itself, rather than a copy that may differ from it.
#[path = "../../examples/systemd/main.rs"]
mod example;

/// The variable with the addresses to listen on, with commas between them.
pub(crate) const ADDRESSES: &str = "INHERITED_TEST_ADDRESSES";

/// In place of addresses: run the example.
pub(crate) const EXAMPLE: &str = "example";

/// A variable for an application that forgets to ask for what it inherits.
pub(crate) const FORGETFUL: &str = "INHERITED_TEST_FORGETFUL";

/// `None` in the process of the trials.
pub(crate) fn addresses() -> Option<String> {
    std::env::var(ADDRESSES).ok()
}

pub(crate) fn run(addresses: &str) -> ExitCode {
    let ended = if addresses == EXAMPLE { example::main() } else { run_on(addresses) };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{:?}: {error}", error.kind());
            ExitCode::FAILURE
        }
    }
}

fn run_on(addresses: &str) -> io::Result<()> {
    if std::env::var_os(FORGETFUL).is_none() {
        inherited();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut servers = Vec::new();
        for address in addresses.split(',') {
            let nth = servers.len();
            servers.push(serve_on(bind(address).await?, format!("{nth} {address}")));
        }
        try_join_all(servers).await.map(drop)
    })
}

/// Answers with the text that tells this listener from the others.
async fn serve_on(listener: AnyListener, text: String) -> io::Result<()> {
    let mut stop = signal(SignalKind::terminate())?;
    let stopped = async move {
        stop.recv().await;
    };
    let app = Router::new()
        .route("/", get(async move || text))
        .route("/inherited", get(async || inherited().to_string()))
        .route("/environment", get(async || systemd_variables()));
    serve(listener, app).with_graceful_shutdown(stopped).await
}

fn systemd_variables() -> String {
    let is_set = |name: &&str| std::env::var_os(name).is_some();
    ["LISTEN_PID", "LISTEN_FDS"].into_iter().filter(is_set).collect()
}
