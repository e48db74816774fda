//! Many requests, at the same time and one after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::application::Options;
use crate::client::request;
use crate::pattern::{Digest, KIB, Pattern};
use crate::site::Site;

/// Uploads, downloads and small requests at a time, each with a size of its own so that no answer can pass for another's.
pub(crate) async fn requests_at_a_time(site: Arc<Site>) {
    at_a_time(&site, 4).await;
}

/// The same without the uploads.
pub(crate) async fn downloads_at_a_time(site: Arc<Site>) {
    at_a_time(&site, 3).await;
}

/// With `kinds` of requests in turn.
async fn at_a_time(site: &Arc<Site>, kinds: u64) {
    let mut requests = JoinSet::new();
    for n in 0..64 {
        let site = site.clone();
        requests.spawn(async move {
            match n % kinds {
                0 => small(&site, n).await,
                1 => download(&site, n * 4 * KIB + n, "").await,
                2 => download(&site, n * 4 * KIB + n, "?length=unknown").await,
                _ => upload(&site, n * 4 * KIB + n).await,
            }
        });
    }
    requests.join_all().await;
}

/// On one connection of the client. Where connections to the application are kept, one serves them all, else each request has
/// its own. The site is one of its own, so that nobody else's connections count.
pub(crate) async fn requests_one_after_the_other(site: Arc<Site>) {
    let site = site.another(Options::default()).await;
    let mut client = site.connect().await;
    let before = site.accepted();
    let count = if site.variant.is_asked_most { LONG_SEQUENCE } else { SEQUENCE };
    for n in 0..count {
        let path = format!("/number/{n}");
        let body = format!("body {n}");
        let (method, body) = if n % 2 == 0 { ("GET", "") } else { ("POST", &*body) };
        let seen = client.fetch(request(method, &path, body.to_owned())).await.seen();
        assert_eq!((seen.get("method"), seen.get("uri")), (method, &*path));
        assert!(seen.get("body").starts_with(&format!("{} bytes ", body.len())), "request {n}");
    }
    let opened = site.accepted() - before;
    // HAProxy now and then opens another one.
    let enough = if site.variant.keeps_connections { count / 50 } else { count };
    assert!(opened <= enough, "{opened} connections");
}

/// What takes its time holds nobody else up.
pub(crate) async fn fast_requests_beside_slow_ones(site: Arc<Site>) {
    let mut slow = JoinSet::new();
    for n in 0..SLOW {
        let mut client = site.connect().await;
        let path = format!("/silent/beside-{n}");
        slow.spawn(async move { client.fetch(request("GET", &path, "")).await });
    }
    for n in 0..SLOW {
        site.stage.pass(&format!("beside-{n}/begun")).await;
    }
    for n in 0..5 * SLOW {
        small(&site, n).await;
    }
    for n in 0..SLOW {
        site.stage.open(&format!("beside-{n}/answer"));
    }
    for answer in slow.join_all().await {
        assert_eq!(answer.text(), "at last");
    }
}

/// Nobody else waits for a client that reads nothing of an endless answer, also not who came first and may share its connection.
pub(crate) async fn a_client_that_never_reads(site: Arc<Site>) {
    let mut first = site.connect().await;
    let first = tokio::spawn(async move { first.fetch(request("GET", "/silent/first", "")).await });
    site.stage.pass("first/begun").await;
    let mut idle = site.connect_raw().await;
    idle.write(b"GET /endless/unread HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let served = async {
        let begun = Instant::now();
        // By then all buffers are full.
        while begun.elapsed() < FILLED {
            assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
            sleep(PAUSE).await;
        }
        site.stage.open("first/answer");
        assert_eq!(first.await.expect("no panic").text(), "at last");
    };
    assert!(timeout(FILLED + STALLED, served).await.is_ok(), "others wait");
    drop(idle);
    if site.can("streams::client_leaves_a_response") {
        site.stage.pass("unread").await;
    }
}

/// Whether requests that are under way at a time share connections.
pub(crate) async fn connections_are_shared_as_agreed(site: Arc<Site>) {
    let site = site.another(Options::default()).await;
    let before = site.accepted();
    let mut slow = JoinSet::new();
    for n in 0..SLOW {
        let mut client = site.connect().await;
        let path = format!("/silent/shared-{n}");
        slow.spawn(async move { client.fetch(request("GET", &path, "")).await });
        site.stage.pass(&format!("shared-{n}/begun")).await;
    }
    // The one that the server has asked whether it is ready may be kept.
    let opened = site.accepted() - before + 1;
    let is_shared = opened < SLOW as usize;
    assert_eq!(is_shared, site.variant.shares_connections, "{opened} connections");
    for n in 0..SLOW {
        site.stage.open(&format!("shared-{n}/answer"));
    }
    slow.join_all().await;
}

async fn small(site: &Site, n: u64) {
    let path = format!("/small/{n}");
    assert_eq!(site.see(request("GET", &path, "")).await.get("uri"), path);
}

async fn upload(site: &Site, len: u64) {
    let seen = site.see(request("POST", "/", Pattern::sized(len))).await;
    assert_eq!(seen.get("body"), Pattern::digest(len).to_string());
}

async fn download(site: &Site, len: u64, query: &str) {
    let path = format!("/download/{len}{query}");
    let response = site.connect().await.send(request("GET", &path, "")).await;
    let digest = Digest::of(response.into_body()).await.expect("the answer is whole");
    assert_eq!(digest.to_string(), Pattern::digest(len).to_string());
}

const SEQUENCE: usize = 500;
/// Where connections are kept, and something may go wrong between two requests.
const LONG_SEQUENCE: usize = 10_000;
const SLOW: u64 = 20;
const FILLED: Duration = Duration::from_secs(2);
/// Far above what an answer takes that nothing holds up.
const STALLED: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(50);
