//! Many requests, at the same time and one after the other.

use std::sync::Arc;

use tokio::task::JoinSet;

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
    let before = site.application().accepted.count();
    for n in 0..SEQUENCE {
        let path = format!("/number/{n}");
        let body = format!("body {n}");
        let (method, body) = if n % 2 == 0 { ("GET", "") } else { ("POST", &*body) };
        let seen = client.fetch(request(method, &path, body.to_owned())).await.seen();
        assert_eq!((seen.get("method"), seen.get("uri")), (method, &*path));
        assert!(seen.get("body").starts_with(&format!("{} bytes ", body.len())), "request {n}");
    }
    let opened = site.application().accepted.count() - before;
    // HAProxy now and then opens another one.
    let enough = if site.variant.keeps_connections { SEQUENCE / 50 } else { SEQUENCE };
    assert!(opened <= enough, "{opened} connections");
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
