//! An axum application with the usual layers.
//!
//! `cargo run --example axum` serves on 127.0.0.1:9000; another address may follow: `-- unix:/tmp/app.sock`. It prints what to
//! put into Caddy or nginx. Ctrl-C or SIGTERM ends it when the requests under way are answered, after five seconds at the latest.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::response::Html;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use futures_util::stream::{self, Stream};
use tokio::time::{Instant, interval_at};
use tower_fastcgi::{Params, listener, serve};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultMakeSpan, DefaultOnRequest, DefaultOnResponse, TraceLayer};
use tracing::Level;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().init();
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let listener = listener::bind(&address).await?;
    print!("{}", instructions(&address));
    serve(listener, app())
        .with_graceful_shutdown(asked_to_end())
        .with_shutdown_timeout(SHUTDOWN_TIMEOUT)
        .await
}

fn app() -> Router {
    Router::new()
        .route("/", get(index))
        .route("/whoami", get(who_am_i))
        .route("/echo", post(echo))
        .route("/clock", get(clock))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
                .on_request(DefaultOnRequest::new().level(Level::INFO))
                .on_response(DefaultOnResponse::new().level(Level::INFO)),
        )
}

async fn index() -> Html<&'static str> {
    Html(
        "<h1>Hello over FastCGI</h1>\
         <p><a href=/whoami>what the web server says of you</a>, <a href=/clock>a clock</a> (server-sent events)</p>\
         <form method=post action=/echo enctype=text/plain><input name=text><button>echo</button></form>",
    )
}

/// The client's address as with `axum::serve`, and what only the web server can have set.
async fn who_am_i(ConnectInfo(client): ConnectInfo<SocketAddr>, params: Params) -> String {
    let param = |name| params.get_str(name).unwrap_or("-");
    format!(
        "client {client}\nserver {}\nscheme {}\ndeployment {}\n",
        param("SERVER_SOFTWARE"),
        param("REQUEST_SCHEME"),
        param("DEPLOYMENT"),
    )
}

async fn echo(body: String) -> String {
    body
}

/// An event a second, until the client leaves.
async fn clock() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = interval_at(Instant::now(), Duration::from_secs(1));
    Sse::new(stream::unfold((ticks, 0), async |(mut ticks, n)| {
        ticks.tick().await;
        Some((Ok(Event::default().data(format!("tick {n}"))), (ticks, n + 1)))
    }))
}

/// Ctrl-C at a terminal, or what service managers and container runtimes send.
async fn asked_to_end() {
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        Ok(()) = terminated() => {}
        else => std::future::pending().await,
    }
    println!("finishing the requests under way");
}

#[cfg(unix)]
async fn terminated() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> std::io::Result<()> {
    std::future::pending().await
}

fn instructions(address: &str) -> String {
    let caddy = address.replacen("unix:", "unix/", 1);
    format!(
        "\
Serving FastCGI on {address}. Put a web server in front:

  Caddy    :8080 {{
               reverse_proxy {caddy} {{
                   transport fastcgi
               }}
           }}

  nginx    server {{
               listen 8080;
               location / {{
                   include fastcgi_params;
                   fastcgi_pass {address};
               }}
           }}

and open http://localhost:8080/. The files examples/Caddyfile and examples/nginx.conf say more; to try at once:

  caddy run --config examples/Caddyfile

Ctrl-C ends.

"
    )
}

/// For a handler to answer. Bodies may take longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A clock that someone watches would never end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
