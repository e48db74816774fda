/// Waits until the program is told to end: Ctrl-C or SIGTERM.
#[cfg(unix)]
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return ctrl_c().await };
    tokio::select! {
        () = ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

/// Waits until the program is told to end: Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn interrupted() {
    ctrl_c().await;
}

/// Where Ctrl-C cannot be waited for, it ends the program by itself.
async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
