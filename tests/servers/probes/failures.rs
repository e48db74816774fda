//! What fails in the application stays there.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::app::SECRET;
use crate::client::request;
use crate::pattern::Digest;
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

/// nginx shows it however it is set up. Caddy 2.6 takes any end of the connection for the end of the answer.
pub(crate) async fn cut_answer_of_unknown_length(site: Arc<Site>) {
    assert_eq!(is_cut(&site, "/cut/300000?length=unknown").await, !site.is_caddy());
}

async fn is_cut(site: &Site, path: &str) -> bool {
    let response = site.connect().await.send(request("GET", path, "")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let is_cut = Digest::of(response.into_body()).await.is_err();
    assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
    is_cut
}

/// The client learns nothing but the status, and its connection serves the next request.
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
