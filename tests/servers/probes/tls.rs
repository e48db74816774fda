//! HTTP/1.1 and HTTP/2 over TLS.

use std::sync::Arc;

use crate::client::Seen;
use crate::curl;
use crate::pattern::{Digest, MIB, Pattern};
use crate::site::Site;

/// The application knows that its client is safe.
pub(crate) async fn https_is_on(site: Arc<Site>) {
    for version in ["--http1.1", "--http2"] {
        let seen = fetch(&site, &[version], "/path?query").await;
        assert_eq!(seen.get("uri"), "/path?query");
        assert!(["on", "1"].contains(&&*seen.param("HTTPS").concat()), "{seen:?}");
    }
}

pub(crate) async fn http_2(site: Arc<Site>) {
    let options = ["--http2", "-H", "X-Probe: one", "-b", "a=1; b=2"];
    let seen = fetch(&site, &options, "/a%2Fb?x=%41").await;
    assert_eq!(seen.get("version"), "HTTP/2.0");
    // h2o leaves out the zero.
    assert!(seen.param("SERVER_PROTOCOL").concat().starts_with("HTTP/2"), "{seen:?}");
    assert_eq!(seen.get("uri"), "/a%2Fb?x=%41");
    assert_eq!(seen.header("x-probe"), ["one"]);
    assert_eq!(seen.header("cookie"), ["a=1; b=2"]);
    assert!(seen.header("host").concat().starts_with("localhost"), "{seen:?}");
}

pub(crate) async fn http_2_upload(site: Arc<Site>) {
    upload(&site, &["--http2", "--data-binary", "@-"]).await;
}

/// HTTP/2 needs no length, and no chunks either.
pub(crate) async fn http_2_upload_without_a_length(site: Arc<Site>) {
    upload(&site, &["--http2", "-T", "-"]).await;
}

pub(crate) async fn http_2_download(site: Arc<Site>) {
    for query in ["", "?length=unknown"] {
        let path = format!("/download/{LARGE}{query}");
        let answer = curl::fetch(&site, &["--http2"], &path, Vec::new()).await;
        let mut digest = Digest::default();
        digest.update(&answer);
        assert_eq!(digest.to_string(), Pattern::digest(LARGE).to_string());
    }
}

pub(crate) async fn http_2_requests_at_a_time(site: Arc<Site>) {
    let options = ["--http2", "--parallel", "--parallel-max", "50"];
    let answers = curl::fetch(&site, &options, "/status/200?x-number=[1-200]", Vec::new()).await;
    assert_eq!(String::from_utf8_lossy(&answers), "status 200 OK".repeat(200));
}

async fn upload(site: &Site, options: &[&str]) {
    let body = Pattern::sized(LARGE).flatten().collect();
    let seen = Seen::parse(&curl::fetch(site, options, "/", body).await);
    assert!(seen.get("body") == Pattern::digest(LARGE).to_string(), "{seen:?}");
}

async fn fetch(site: &Site, options: &[&str], path: &str) -> Seen {
    Seen::parse(&curl::fetch(site, options, path, Vec::new()).await)
}

/// Far more than the windows of HTTP/2 take.
const LARGE: u64 = 4 * MIB;
