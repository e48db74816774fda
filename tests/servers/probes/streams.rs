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
use crate::site::Site;

/// The first event arrives while the second one is still held back.
pub(crate) async fn events_are_prompt(site: Arc<Site>) {
    first_before_second(&site, "/events/prompt", "prompt").await;
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

/// The server closes its connection when the client does, and the handler is dropped.
pub(crate) async fn client_leaves_a_silent_handler(site: Arc<Site>) {
    let mut client = site.connect_raw().await;
    client.write(b"GET /silent/handler HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    site.stage.pass("handler/begun").await;
    drop(client);
    let left = Instant::now();
    site.stage.pass("handler/left").await;
    let heard = left.elapsed();
    println!("{}: a silent handler was cancelled {heard:?} after its client left", site.variant);
    assert!(heard < Duration::from_secs(2), "{heard:?}");
    assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
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

/// An echo of more than the buffers take arrives, or else comes to a stop, and a timeout ends it: the application's where the server does not
/// read (Caddy), or the server's own where it does not send (nginx).
pub(crate) async fn echo_of_64_mib(site: Arc<Site>) {
    let mut options = Options { patience: Some(PATIENCE), ..Options::default() };
    options.builder.timer(TokioTimer::new()).write_timeout(3 * PATIENCE);
    let site = site.another(options).await;
    let ended = timeout(ECHO_BOUND, async {
        let upload = request("POST", "/echo", Pattern::sized(64 * MIB));
        // A server that has waited too long may have nothing to say.
        let Ok(response) = site.connect().await.try_send(upload).await else { return };
        let status = response.status();
        let digest = Digest::of(response.into_body()).await;
        if status == StatusCode::OK
            && let Ok(digest) = digest
        {
            return assert_eq!(digest.to_string(), Pattern::digest(64 * MIB).to_string());
        }
        let ends = [Outcome::Timeout, Outcome::Incomplete, Outcome::Canceled, Outcome::Io];
        let outcome = site.application().failure().await;
        assert!(ends.contains(&outcome), "{outcome:?}");
    });
    ended.await.expect("it does not hang");
    // On a busy machine this may take longer than the server waits.
    let goes_on = async { while site.get("/status/200").await.status != StatusCode::OK {} };
    timeout(ECHO_BOUND, goes_on).await.expect("it serves again");
}

const PATIENCE: Duration = Duration::from_secs(1);
/// Far above the timeouts that are to end it.
const ECHO_BOUND: Duration = Duration::from_secs(30);
