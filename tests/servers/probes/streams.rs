//! Responses that take their time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioTimer;
use tokio::time::timeout;

use crate::application::{Options, Outcome};
use crate::client::request;
use crate::pattern::{Digest, KIB, MIB, Pattern};
use crate::site::{LONG_ENOUGH, Site};

/// The first event arrives while the second one is still held back. On a connection that is not kept, nginx gathers.
pub(crate) async fn events_are_prompt(site: Arc<Site>) {
    let gathers = !site.is_caddy() && !site.is_kept();
    if !gathers {
        return first_before_second(&site, "/events/prompt", "prompt").await;
    }
    let mut client = site.connect().await;
    let response = client.send(request("GET", "/events/prompt", ""));
    tokio::pin!(response);
    let early = tokio::time::timeout(LONG_ENOUGH, async {
        let mut body = response.as_mut().await.into_body();
        next(&mut body).await
    });
    assert!(early.await.is_err(), "nginx gathers what a connection that is not kept sends");
    site.stage.open("prompt");
}

/// What makes nginx pass each part on at once, however it is set up.
pub(crate) async fn events_are_prompt_on_demand(site: Arc<Site>) {
    first_before_second(&site, "/events/demand?unbuffered=1", "demand").await;
}

async fn first_before_second(site: &Site, path: &str, gate: &str) {
    let response = site.connect().await.send(request("GET", path, "")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    assert_eq!(next(&mut body).await, "data: first\n\n");
    site.stage.open(gate);
    let rest = body.collect().await.expect("the answer is whole").to_bytes();
    assert_eq!(rest, "data: second\n\n");
}

async fn next(body: &mut Incoming) -> String {
    let frame = body.frame().await.expect("there is more").expect("no error");
    String::from_utf8(frame.into_data().expect("no trailers").into()).expect("text")
}

/// The application learns that the client of an endless response is gone, and serves the next one.
pub(crate) async fn client_leaves_a_response(site: Arc<Site>) {
    let mut client = site.connect().await;
    let mut body = client.send(request("GET", "/endless/left", "")).await.into_body();
    body.frame().await.expect("there is more").expect("no error");
    drop((client, body));
    site.stage.pass("left").await;
    assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
}

/// nginx closes its connection when the client does, and the handler is dropped. Caddy waits for the answer.
pub(crate) async fn client_leaves_a_silent_handler(site: Arc<Site>) {
    let mut client = site.connect_raw().await;
    client.write(b"GET /silent/handler HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    site.stage.pass("handler/begun").await;
    drop(client);
    let left = Instant::now();
    if site.is_caddy() {
        assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
        site.stage.open("handler/answer");
        site.stage.pass("handler/answered").await;
    } else {
        site.stage.pass("handler/left").await;
        let heard = left.elapsed();
        println!(
            "{}: a silent handler was cancelled {heard:?} after its client left",
            site.variant
        );
        assert!(heard < Duration::from_secs(2), "{heard:?}");
        assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
    }
}

/// The answer begins while the upload goes on. That is sure only for what the sockets' buffers take: Caddy reads nothing before
/// it has sent everything, and nginx sends nothing more when it has the head of the answer.
pub(crate) async fn echo(site: Arc<Site>) {
    for len in [1, 10 * KIB, 64 * KIB] {
        let response =
            site.connect().await.send(request("POST", "/echo", Pattern::sized(len))).await;
        let digest = Digest::of(response.into_body()).await.expect("the answer is whole");
        assert_eq!(digest.to_string(), Pattern::digest(len).to_string());
    }
}

/// An echo of more than the buffers take comes to a stop, and a timeout ends it: behind Caddy, which does not read, the
/// application's, behind nginx, which does not send, nginx's own.
pub(crate) async fn echo_of_64_mib(site: Arc<Site>) {
    let mut options = Options { nginx: "fastcgi_read_timeout 1s;", ..Options::default() };
    options.builder.timer(TokioTimer::new()).write_timeout(Duration::from_secs(1));
    let site = Site::start_with(site.variant, options).await.expect("it started before");
    let ended = timeout(ECHO_BOUND, async {
        let upload = request("POST", "/echo", Pattern::sized(64 * MIB));
        let response = site.connect().await.try_send(upload).await.expect("the head arrives");
        let status = response.status();
        let is_whole = Digest::of(response.into_body()).await.is_ok();
        (status.as_u16(), is_whole, site.application.failure().await)
    });
    let expected = if site.is_caddy() {
        (502, true, Outcome::Timeout)
    } else {
        (200, false, Outcome::Incomplete)
    };
    assert_eq!(ended.await.expect("it does not hang"), expected);
    assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
}

/// Far above the timeouts that are to end it.
const ECHO_BOUND: Duration = Duration::from_secs(30);
