//! What fails in the application stays there.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::app::SECRET;
use crate::client::request;
use crate::pattern::{Digest, MIB, Pattern};
use crate::site::Site;

pub(crate) async fn service_error_is_500(site: Arc<Site>) {
    is_500(&site, "/fail/error").await;
}

pub(crate) async fn panic_is_500(site: Arc<Site>) {
    is_500(&site, "/fail/panic").await;
}

/// A response that fails midway is not passed off as a whole one.
pub(crate) async fn cut_answer_of_known_length_is_seen(site: Arc<Site>) {
    assert!(is_cut(&site, "/cut/300000").await);
}

pub(crate) async fn cut_answer_of_unknown_length_is_seen(site: Arc<Site>) {
    assert!(is_cut(&site, "/cut/300000?length=unknown").await);
}

/// A body that panics is one that fails.
pub(crate) async fn panicking_body_of_known_length_is_seen(site: Arc<Site>) {
    assert!(is_cut(&site, "/panic/300000").await);
}

pub(crate) async fn panicking_body_of_unknown_length_is_seen(site: Arc<Site>) {
    assert!(is_cut(&site, "/panic/300000?length=unknown").await);
}

pub(crate) async fn body_shorter_than_its_length_is_seen(site: Arc<Site>) {
    assert!(is_cut(&site, "/claim/400000/300000").await);
}

/// What is above the announced length is not sent, lest it pass for something else.
pub(crate) async fn body_longer_than_its_length(site: Arc<Site>) {
    let mut client = site.connect().await;
    for _ in 0..2 {
        let answer = client.fetch(request("GET", "/claim/300000/400000", "")).await;
        let whole: Vec<u8> = Pattern::sized(400_000).flatten().collect();
        assert_eq!(answer.header("content-length"), ["300000"]);
        assert!(answer.body == whole[..300_000], "{} bytes", answer.body.len());
    }
}

/// A response that fails while the client still uploads. A server that comes to know of it in time makes it a 502. One that
/// hides what has no length does it here, too.
pub(crate) async fn cut_answer_while_the_upload_goes_on(site: Arc<Site>) {
    let is_shown = site.can("failures::cut_answer_of_unknown_length_is_seen");
    for (path, is_shown) in [("/cut/300000", true), ("/cut/300000?length=unknown", is_shown)] {
        let upload = request("POST", path, Pattern::sized(8 * MIB));
        let Ok(response) = site.connect().await.try_send(upload).await else { continue };
        let status = response.status();
        let is_cut = Digest::of(response.into_body()).await.is_err();
        assert!(status == StatusCode::OK || status == StatusCode::BAD_GATEWAY, "{status}");
        assert!(is_cut || status == StatusCode::BAD_GATEWAY || !is_shown, "{path}");
    }
    assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
}

async fn is_cut(site: &Site, path: &str) -> bool {
    let response = site.connect().await.send(request("GET", path, "")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let is_cut = Digest::of(response.into_body()).await.is_err();
    assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
    is_cut
}

/// The client learns nothing but the status, and the next request is served.
async fn is_500(site: &Site, path: &str) {
    let mut client = site.connect().await;
    for _ in 0..3 {
        let answer = client.fetch(request("GET", path, "")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!answer.text().contains(SECRET), "{answer:?}");
        let answer = client.fetch(request("GET", "/status/200", "")).await;
        assert_eq!(answer.text(), "status 200 OK");
    }
}
