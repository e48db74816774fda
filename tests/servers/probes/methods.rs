//! Methods, known and unknown.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::client::request;
use crate::pattern::Pattern;
use crate::site::Site;

pub(crate) async fn arrive_unchanged(site: Arc<Site>) {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        arrives_unchanged(&site, method, "Content-Length: 0\r\n").await;
    }
}

pub(crate) async fn unknown_arrive_unchanged(site: Arc<Site>) {
    arrives_unchanged(&site, "M-SEARCH", "").await;
}

/// A length is not needed where there is no body.
pub(crate) async fn without_a_length(site: Arc<Site>) {
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        arrives_unchanged(&site, method, "").await;
    }
}

async fn arrives_unchanged(site: &Site, method: &str, headers: &str) {
    let request = format!("{method} /path?query HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    let seen = site.exchange(request).await.seen();
    assert_eq!(seen.get("method"), method);
    assert_eq!(seen.param("REQUEST_METHOD"), [method]);
    assert_eq!(seen.get("body"), Pattern::digest(0).to_string());
}

pub(crate) async fn carry_bodies(site: Arc<Site>) {
    for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        carries_a_body(&site, method).await;
    }
}

pub(crate) async fn get_carries_a_body(site: Arc<Site>) {
    carries_a_body(&site, "GET").await;
}

pub(crate) async fn options_carries_a_body(site: Arc<Site>) {
    carries_a_body(&site, "OPTIONS").await;
}

async fn carries_a_body(site: &Site, method: &str) {
    let seen = site.see(request(method, "/", Pattern::sized(1000))).await;
    assert_eq!(seen.get("method"), method);
    assert_eq!(seen.get("body"), Pattern::digest(1000).to_string(), "{method}");
}

/// The head alone, with the length that a GET would have, and the connection goes on.
pub(crate) async fn head_has_no_body(site: Arc<Site>) {
    let mut client = site.connect_raw().await;
    client.write(b"HEAD /download/1000 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let head = client.read_head().await.to_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/x-pattern\r\n"), "{head}");
    assert!(head.contains("content-length: 1000\r\n"), "{head}");

    client.write(b"GET /status/200 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(client.read_answer().await.text(), "status 200 OK");
}

/// Case counts in methods, so `get` is another than `GET`: it arrives as it is, or is refused.
pub(crate) async fn in_lower_case(site: Arc<Site>) {
    for method in ["get", "propfind"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = site.exchange(request).await;
        if !answer.status.is_client_error() && answer.status != StatusCode::NOT_IMPLEMENTED {
            assert_eq!(answer.seen().get("method"), method);
        }
    }
}

pub(crate) async fn options_of_the_server(site: Arc<Site>) {
    let answer = site.exchange("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.body.is_empty(), "the application never sees it");
    assert_eq!(answer.seen().get("uri"), "*");
}
