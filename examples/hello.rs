//! A page in the browser, with nothing but Rust: an axum app on FastCGI, and the gateway in front of it.
//!
//! `cargo run --example hello` serves on http://127.0.0.1:8080, or the next port that is free, and says which. The app is on 127.0.0.1:9000, or
//! on a port of the system's choice if that is taken. Two addresses say where instead: `-- 127.0.0.1:8000 127.0.0.1:9001`.
//! Ctrl-C ends both.

use std::io::{self, ErrorKind};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse};
use tower_fastcgi::gateway::{self, Gateway};
use tower_fastcgi::listener::{AnyListener, bind};
use tower_fastcgi::{Params, serve};

#[tokio::main]
async fn main() -> io::Result<()> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let mut addresses = std::env::args().skip(1);
    let http = match addresses.next() {
        Some(address) => bind(&address).await?,
        None => bind_near(8080).await?,
    };
    let fastcgi = match addresses.next() {
        Some(address) => bind(&address).await?,
        None => bind_at_or_elsewhere("127.0.0.1:9000").await?,
    };
    let (http_address, app_address) = (http.local_addr()?, fastcgi.local_addr()?.to_string());
    println!("The app speaks FastCGI on {app_address}.");
    println!("Open http://{http_address}/ in a browser. Ctrl-C ends both.");

    let gateway = gateway::serve(http, Gateway::new(&app_address)?);
    let app = serve(fastcgi, app());
    tokio::try_join!(
        gateway.with_graceful_shutdown(asked_to_end()).into_future(),
        app.with_graceful_shutdown(asked_to_end()).into_future(),
    )?;
    Ok(())
}

fn app() -> Router {
    Router::new().fallback(page)
}

async fn page(params: Params, headers: HeaderMap, request: Request) -> impl IntoResponse {
    let (of_client, vouched_for): (Vec<_>, Vec<_>) =
        params.iter().partition(|(name, _)| OF_CLIENT.contains(name));
    let mut said_by_server = table("vouched for", vouched_for);
    said_by_server +=
        &table("the client's bytes, under names that the web server gave them", of_client);
    let headers = headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    let said_by_client = table("not vouched for by anybody", headers.collect());
    let param = |name| params.get_str(name).unwrap_or_default();
    let host = match param("SERVER_ADDR") {
        ip if ip.contains(':') => format!("[{ip}]"),
        ip => ip.to_owned(),
    };
    let url = format!("http://{host}:{}/", param("SERVER_PORT"));
    let version = format!("{:?}", request.version());
    // Each value is put in once: what a client sent is never searched for a place to put another into.
    let values = [version, said_by_server, said_by_client, escape(&url)];
    let mut page = String::new();
    for (index, part) in include_str!("hello.html").split("{}").enumerate() {
        page.push_str(part);
        page.push_str(values.get(index).map_or("", String::as_str));
    }
    (HARDENED, Html(page))
}

fn table(title: &str, mut rows: Vec<(&[u8], &[u8])>) -> String {
    rows.sort_by_key(|(name, _)| {
        FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len())
    });
    let text = |bytes: &[u8]| escape(&String::from_utf8_lossy(bytes));
    let row = |(name, value): &(&[u8], &[u8])| {
        let value = match value.is_empty() {
            true => "<span class=\"soft\">(empty)</span>".to_owned(),
            false => format!("<bdi>{}</bdi>", text(value)),
        };
        format!("        <tr><th scope=\"row\">{}</th><td>{value}</td></tr>\n", text(name))
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "        <tbody><tr class=\"group\"><th colspan=\"2\" scope=\"rowgroup\">{}</th></tr>\n{rows}        </tbody>\n",
        escape(title)
    )
}

/// Makes text of whatever is in `text`: no tags, no attributes, no references.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

/// The first port from `port` on that is free.
async fn bind_near(port: u16) -> io::Result<AnyListener> {
    for port in port..port + 20 {
        match bind(&format!("127.0.0.1:{port}")).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                println!("Port {port} is taken, so the next one is tried.");
            }
            bound => return bound,
        }
    }
    bind("127.0.0.1:0").await
}

async fn bind_at_or_elsewhere(address: &str) -> io::Result<AnyListener> {
    match bind(address).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            println!("{address} is taken, so the app goes elsewhere.");
            bind("127.0.0.1:0").await
        }
        bound => bound,
    }
}

/// Ctrl-C at a terminal, or what service managers and container runtimes send.
async fn asked_to_end() {
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        Ok(()) = terminated() => {}
        else => std::future::pending().await,
    }
}

#[cfg(unix)]
async fn terminated() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> io::Result<()> {
    std::future::pending().await
}

/// Params that hold what the client sent.
const OF_CLIENT: [&[u8]; 8] = [
    b"REQUEST_METHOD",
    b"REQUEST_URI",
    b"QUERY_STRING",
    b"DOCUMENT_URI",
    b"PATH_INFO",
    b"SCRIPT_NAME",
    b"SERVER_NAME",
    b"SERVER_PROTOCOL",
];

/// What people look for.
const FIRST: [&[u8]; 6] =
    [b"REMOTE_ADDR", b"REMOTE_PORT", b"SERVER_ADDR", b"SERVER_PORT", b"REQUEST_SCHEME", b"host"];

/// Should anything get past the escaping, no browser runs it.
const HARDENED: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];
