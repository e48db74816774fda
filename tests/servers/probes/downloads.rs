//! Response bodies of every size, with and without a length, compared by their digest.

use std::sync::Arc;

use axum::http::header;

use crate::client::request;
use crate::pattern::{Digest, KIB, MIB, Pattern};
use crate::site::Site;

pub(crate) async fn of_known_length(site: Arc<Site>) {
    for len in [0, 1, 13, 64 * KIB - 8, 64 * KIB, 64 * KIB + 1, MIB] {
        download(&site, len).await;
    }
}

pub(crate) async fn of_unknown_length(site: Arc<Site>) {
    for len in [0, 1, 13, 64 * KIB - 8, 64 * KIB, 64 * KIB + 1, MIB] {
        download_chunked(&site, len).await;
    }
}

pub(crate) async fn of_100_mib(site: Arc<Site>) {
    download(&site, 100 * MIB).await;
}

pub(crate) async fn of_100_mib_and_unknown_length(site: Arc<Site>) {
    download_chunked(&site, 100 * MIB).await;
}

async fn download(site: &Site, len: u64) {
    let path = format!("/download/{len}");
    let response = site.connect().await.send(request("GET", &path, "")).await;
    let announced = response.headers().get(header::CONTENT_LENGTH).cloned();
    assert_eq!(announced.expect("the length is known"), len.to_string());
    let digest = Digest::of(response.into_body()).await.expect("the answer is whole");
    assert_eq!(digest.to_string(), Pattern::digest(len).to_string());
}

/// Go's HTTP server counts small bodies, so a length may be there; hyper checks it then.
async fn download_chunked(site: &Site, len: u64) {
    let path = format!("/download/{len}?length=unknown");
    let response = site.connect().await.send(request("GET", &path, "")).await;
    let digest = Digest::of(response.into_body()).await.expect("the answer is whole");
    assert_eq!(digest.to_string(), Pattern::digest(len).to_string());
}
