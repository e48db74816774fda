//! A whole request over an in-memory pipe, beside hyper's HTTP/1.1 server with the same service in the same run:
//! `cargo bench --bench request`. The rounds are interleaved, so that a noisy machine disturbs both alike; medians are shown.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::service::TowerToHyperService;
use tower::service_fn;
use tower_fastcgi::record::RequestId;
use tower_fastcgi::server::{Builder, HttpService};

use self::ask::Ask;
use self::pipe::Shared;

#[path = "support/ask.rs"]
mod ask;
#[path = "support/pipe.rs"]
mod pipe;

fn main() {
    println!("{:<34}{:>12}{:>12}{:>8}", "one request, in memory", "FastCGI", "HTTP/1.1", "ratio");
    let hello = Bytes::from_static(b"Hello, World!");
    report("no app, 13 bytes", Case::get("/"), |fastcgi, http, case| {
        let body = hello.clone();
        let service = service_fn(move |_request: Request<_>| {
            let response = Response::new(Full::new(body.clone()));
            async move { Ok::<_, Infallible>(response) }
        });
        measure_fastcgi(fastcgi, service, case);
        let body = hello.clone();
        let service = service_fn(move |_request: Request<_>| {
            let response = Response::new(Full::new(body.clone()));
            async move { Ok::<_, Infallible>(response) }
        });
        measure_http(http, service, case);
    });
    for (name, case) in [
        ("axum, 13 bytes", Case::get("/")),
        ("axum, 64 KiB response", Case::get("/64k")),
        ("axum, 1 MiB response", Case::get("/1m")),
        ("axum, 64 KiB upload", Case::post(64 * 1024)),
        ("axum, 1 MiB upload", Case::post(1024 * 1024)),
    ] {
        report(name, case, |fastcgi, http, case| {
            measure_fastcgi(fastcgi, app(), case);
            measure_http(http, app(), case);
        });
    }
}

fn app() -> Router {
    let large = |len| {
        let body = Bytes::from(vec![b'x'; len]);
        get(move || async move { body.clone() })
    };
    Router::new()
        .route("/", get(|| async { "Hello, World!" }))
        .route("/64k", large(64 * 1024))
        .route("/1m", large(1024 * 1024))
        .route("/upload", post(count))
}

async fn count(mut body: axum::body::Body) -> String {
    let mut len = 0;
    while let Some(Ok(frame)) = body.frame().await {
        len += frame.data_ref().map_or(0, Bytes::len);
    }
    len.to_string()
}

/// The same request in both protocols.
struct Case {
    fastcgi: Vec<u8>,
    http: Vec<u8>,
    repeat: u32,
}

impl Case {
    fn get(uri: &'static str) -> Self {
        Self::new(Ask::get(uri), 2000)
    }

    fn post(len: usize) -> Self {
        Self::new(Ask::upload("/upload", len), 200)
    }

    fn new(ask: Ask, repeat: u32) -> Self {
        let id = RequestId::new(1).expect("1 is an id");
        Self { fastcgi: ask.fastcgi(id, true), http: ask.http(true), repeat }
    }
}

fn measure_fastcgi(times: &mut Vec<Duration>, service: impl HttpService, case: &Case) {
    let pipe = Shared::default();
    let mut connection = Builder::new().serve_connection(pipe.clone(), service);
    measure(times, case.repeat, || pipe.exchange(&mut connection, &case.fastcgi, ends_request));
}

fn measure_http<S, B>(times: &mut Vec<Duration>, service: S, case: &Case)
where
    S: tower::Service<Request<hyper::body::Incoming>, Response = Response<B>> + Clone,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static,
{
    let pipe = Shared::default();
    let service = TowerToHyperService::new(service);
    let mut connection =
        hyper::server::conn::http1::Builder::new().serve_connection(pipe.clone(), service);
    let is_complete = is_http_response;
    measure(times, case.repeat, || pipe.exchange(&mut connection, &case.http, is_complete));
}

fn measure(times: &mut Vec<Duration>, repeat: u32, mut exchange: impl FnMut()) {
    exchange();
    let start = Instant::now();
    (0..repeat).for_each(|_| exchange());
    times.push(start.elapsed() / repeat);
}

fn ends_request(output: &[u8]) -> bool {
    output.last_chunk::<16>().is_some_and(|end| end[..2] == [1, 3])
}

/// Whether as many bytes follow the head as its Content-Length says.
fn is_http_response(output: &[u8]) -> bool {
    let Some(end) = output.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&output[..end]);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
    output.len() == end + 4 + length
}

fn report(
    name: &str,
    case: Case,
    mut round: impl FnMut(&mut Vec<Duration>, &mut Vec<Duration>, &Case),
) {
    let (mut fastcgi, mut http) = (Vec::new(), Vec::new());
    (0..ROUNDS).for_each(|_| round(&mut fastcgi, &mut http, &case));
    let (fastcgi, http) = (median(fastcgi), median(http));
    let ratio = fastcgi.as_secs_f64() / http.as_secs_f64();
    println!("{name:<34}{:>9} ns{:>9} ns{ratio:>8.2}", fastcgi.as_nanos(), http.as_nanos());
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

const ROUNDS: usize = 15;
