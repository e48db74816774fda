//! The application behind each server: it tells what it believes.

use std::io;
use std::net::SocketAddr;

use axum::extract::OriginalUri;
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};
use tower::Layer;
use tower_fastcgi::listener::{AnyAddr, AnyListener, bind};
use tower_fastcgi::server::{Builder, StderrLayer};
use tower_fastcgi::trust::{
    ClientCert, RemoteUser, RequireSecretLayer, Scheme, ServerAddr, TlsInfo, TrustRemoteUser,
};
use tower_fastcgi::{Params, serve};
use tracing_subscriber::layer::SubscriberExt;

/// Serves, and returns where. Requests may write to the error log where that hurts nobody.
pub(crate) async fn start(stderr: Option<usize>) -> io::Result<SocketAddr> {
    let listener = bind("127.0.0.1:0").await?.only_from("127.0.0.1".parse()?);
    let Ok(AnyAddr::Tcp(addr)) = listener.local_addr() else { unreachable!("it is on TCP") };
    tokio::spawn(serve_on(listener, stderr));
    Ok(addr)
}

/// Whether this process is one that mod_fcgid has started.
pub(crate) fn is_process() -> bool {
    std::env::var_os(PROCESS).is_some()
}

/// Serves on the socket that mod_fcgid passes, until it ends this process.
pub(crate) async fn run() -> io::Result<()> {
    serve_on(bind("fd:0").await?, Some(4096)).await
}

async fn serve_on(listener: AnyListener, stderr: Option<usize>) -> io::Result<()> {
    let app =
        Router::new().route("/log", get(log)).fallback(tell).layer(Extension(TrustRemoteUser));
    let app = RequireSecretLayer::new("APP_SECRET", SECRET).layer(app.with_state(()));
    let mut builder = Builder::new();
    builder.stderr(stderr);
    serve(listener, app).with_builder(builder).await
}

async fn tell(
    OriginalUri(uri): OriginalUri,
    params: Params,
    scheme: Scheme,
    addr: Option<ServerAddr>,
    tls: Option<TlsInfo>,
    cert: Option<ClientCert>,
    user: Option<RemoteUser>,
) -> Json<Value> {
    let names = params.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned());
    Json(json!({
        "path": uri.path(),
        "params": names.collect::<Vec<_>>(),
        "scheme": scheme.as_str(),
        "server_addr": addr.map(|addr| addr.ip().to_string()),
        "tls": tls.map(|tls| json!({
            "protocol": tls.protocol(),
            "cipher": tls.cipher(),
            "server_name": tls.server_name(),
        })),
        "cert": cert.map(|cert| json!({ "subject": cert.subject(), "pem": cert.pem() })),
        "user": user.as_ref().map(RemoteUser::as_str),
    }))
}

/// The subscriber is set for these events alone: other trials of this process log, too.
async fn log() {
    let subscriber = tracing_subscriber::registry().with(StderrLayer::new());
    tracing::subscriber::with_default(subscriber, || {
        tracing::warn!(target: "app", ms = 1200, "from the handler");
        tracing::error!(target: "app", "\u{1b}[2Jfrom the handler\r\n2026/11/22 [emerg] forged");
    });
}

pub(crate) const SECRET: &str = "correct horse";

/// The variable that makes this program the application.
pub(crate) const PROCESS: &str = "VOUCHING_TEST_PROCESS";
