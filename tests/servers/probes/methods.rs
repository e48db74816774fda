//! Methods, known and unknown.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::client::request;
use crate::pattern::Pattern;
use crate::site::Site;

pub(crate) async fn arrive_unchanged(site: Arc<Site>) {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH"] {
        let seen = site.see(request(method, "/path?query", "")).await;
        assert_eq!(seen.get("method"), method);
        assert_eq!(seen.param("REQUEST_METHOD"), [method]);
        assert_eq!(seen.get("body"), Pattern::digest(0).to_string());
    }
}

/// Caddy drops the body of OPTIONS.
pub(crate) async fn carry_bodies(site: Arc<Site>) {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let seen = site.see(request(method, "/", Pattern::sized(1000))).await;
        let arrives = if site.is_caddy() && method == "OPTIONS" { 0 } else { 1000 };
        assert_eq!(seen.get("method"), method);
        assert_eq!(seen.get("body"), Pattern::digest(arrives).to_string(), "{method}");
    }
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

/// nginx refuses methods in lower case. Caddy turns them into upper case, and `get` into POST.
pub(crate) async fn in_lower_case(site: Arc<Site>) {
    for (sent, through_caddy) in [("get", "POST"), ("propfind", "PROPFIND")] {
        let answer = site.exchange(format!("{sent} / HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        if site.is_caddy() {
            assert_eq!(answer.seen().get("method"), through_caddy);
        } else {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        }
    }
}

/// Caddy answers `OPTIONS *` itself, nginx refuses it.
pub(crate) async fn options_of_the_server(site: Arc<Site>) {
    let answer = site.exchange("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    if site.is_caddy() {
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, ""));
    } else {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
}
