//! The application behind each server, as a process of its own: this very program, started with `--serve ADDRESS NAME`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::process::Command;
use std::time::Duration;
use std::{env, io};

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, OriginalUri, Path, Request, State};
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get};
use axum::{Json, Router};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tower_fastcgi::server::{Builder, UriSource};
use tower_fastcgi::{MountPrefix, Params, listener, serve};

/// Starts the application, which answers with its name.
pub(crate) fn command(address: &str, name: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args([SERVE, address, name]);
    Ok(command)
}

/// Serves, if that is what this process was started for.
pub(crate) fn serve_if_asked() -> Option<io::Result<()>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [serve, address, name] if serve == SERVE => Some(run(address, name)),
        _ => None,
    }
}

#[tokio::main]
async fn run(address: &str, name: &str) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = listener::bind(address).await?;
    let mut builder = Builder::new();
    builder.uri_source(UriSource::Mounted);
    println!("listening");
    serve(listener, app(name))
        .with_builder(builder)
        .with_graceful_shutdown(async move {
            let _ = terminate.recv().await;
        })
        .await
}

fn app(name: &str) -> Router {
    Router::new()
        .route("/held/{id}", any(held))
        .route("/events", get(events))
        .fallback(tell)
        .with_state(name.to_owned())
}

/// Answers when there is a file named `answer` in this process's directory.
async fn held(State(name): State<String>, Path(id): Path<String>, body: String) -> String {
    drop(body);
    println!("held {id}");
    until_there_is("answer").await;
    name
}

/// The second event comes when there is a file named `event`.
async fn events() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let first = stream::once(async { Event::default().data("first") });
    let second = stream::once(async {
        until_there_is("event").await;
        Event::default().data("second")
    });
    Sse::new(first.chain(second).map(Ok))
}

async fn until_there_is(file: &str) {
    while !FilePath::new(file).exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn tell(
    State(name): State<String>,
    OriginalUri(whole): OriginalUri,
    prefix: MountPrefix,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    params: Params,
    request: Request,
) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.map(|body| body.len());
    println!("served");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let params: BTreeMap<_, _> =
        params.iter().map(|(name, value)| (text(name), text(value))).collect();
    let headers: BTreeMap<_, _> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), text(value.as_bytes()))).collect();
    Json(json!({
        "name": name,
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "whole": whole.to_string(),
        "prefix": prefix.as_str(),
        "client": client.ip().to_string(),
        "params": params,
        "headers": headers,
        "body": body.ok(),
    }))
}

const SERVE: &str = "--serve";
