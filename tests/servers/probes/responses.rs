//! Statuses and response headers.

use std::sync::Arc;

use axum::http::{StatusCode, header};

use crate::app::COMPRESSED;
use crate::client::request;
use crate::site::Site;

pub(crate) async fn statuses(site: Arc<Site>) {
    for status in [200, 202, 400, 401, 403, 404, 409, 418, 422, 429, 451, 499, 500, 501, 503, 599] {
        let answer = site.get(&format!("/status/{status}")).await;
        assert_eq!(answer.status, status);
        assert!(answer.text().starts_with(&format!("status {status}")), "{answer:?}");
    }
}

/// No body and no sign of one, and the connection to the client goes on.
pub(crate) async fn without_a_body(site: Arc<Site>) {
    let mut client = site.connect_raw().await;
    for status in [204, 304] {
        let request =
            format!("GET /status/{status}?etag=%22a%22 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.write(request.as_bytes()).await;
        let head = client.read_head().await.to_lowercase();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        assert!(head.contains("etag: \"a\"\r\n"), "{head}");
        assert!(!head.contains("content-length") && !head.contains("chunked"), "{head}");
    }
    client.write(b"GET /status/200 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(client.read_answer().await.text(), "status 200 OK");
}

pub(crate) async fn redirects(site: Arc<Site>) {
    for status in [201, 300, 301, 302, 303, 307, 308] {
        location_arrives(&site, status).await;
    }
}

/// What means nothing to a client is nothing that a server should act on.
pub(crate) async fn location_without_a_redirect(site: Arc<Site>) {
    location_arrives(&site, 200).await;
}

async fn location_arrives(site: &Site, status: u16) {
    for location in ["/local/path?x=1", "https://elsewhere.example/", "relative"] {
        let location_encoded = location.replace('?', "%3F").replace('=', "%3D");
        let answer = site.get(&format!("/status/{status}?location={location_encoded}")).await;
        assert_eq!(answer.status, status, "{location}");
        assert_eq!(answer.header("location"), [location], "{status}");
        assert!(answer.text().starts_with("status "), "{answer:?}");
    }
}

pub(crate) async fn headers_arrive(site: Arc<Site>) {
    let answer = site.get("/headers").await;
    assert_eq!(
        answer.header("set-cookie"),
        ["a=1; Path=/; HttpOnly", "b=2; Expires=Thu, 01 Jan 2032 00:00:00 GMT", "c="]
    );
    assert_eq!(answer.header("x-twice").join(", "), "one, two");
    assert_eq!(answer.header("x-latin"), ["grün"], "as characters of that number");
    assert_eq!(answer.header("x-utf8"), ["gr\u{c3}\u{bc}n"], "as characters of that number");
    assert_eq!(answer.header("date").len(), 1);
}

/// A service's own `Status`, `Transfer-Encoding` and the like would make nonsense of the answer.
pub(crate) async fn headers_that_must_not_arrive(site: Arc<Site>) {
    let answer = site.get("/headers").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text(), "headers");
    assert_eq!(answer.header("content-length"), ["7"]);
    for name in ["transfer-encoding", "trailer"] {
        assert_eq!(answer.header(name), [""; 0], "{name}");
    }
    assert!(!answer.header("connection").contains(&"close".to_owned()), "{answer:?}");
    assert!(!answer.header("keep-alive").contains(&"timeout=1".to_owned()), "{answer:?}");
}

/// What tells the server the status is not for the client.
pub(crate) async fn status_is_no_header(site: Arc<Site>) {
    let answer = site.get("/headers").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("status"), [""; 0]);
}

pub(crate) async fn head_of_16_kib(site: Arc<Site>) {
    let answer = site.get("/head/16384").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("x-large"), ["x".repeat(16384)]);
    assert_eq!(answer.text(), "large head");
}

pub(crate) async fn head_of_40_kib(site: Arc<Site>) {
    let answer = site.get("/head/40960").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("x-large"), ["x".repeat(40960)]);
}

pub(crate) async fn head_of_60_kib(site: Arc<Site>) {
    let answer = site.get("/head/60000").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("x-large"), ["x".repeat(60_000)]);
}

/// What the application has compressed stays as it is.
pub(crate) async fn compressed(site: Arc<Site>) {
    let mut request = request("GET", "/compressed", "");
    request.headers_mut().insert(header::ACCEPT_ENCODING, "gzip".parse().expect("a value"));
    let answer = site.fetch(request).await;
    assert_eq!(answer.header("content-encoding"), ["gzip"]);
    assert_eq!(answer.body, COMPRESSED);
    assert!(answer.header("vary").concat().to_lowercase().contains("accept-encoding"));
}

/// No server adds a type, or Caddy guesses one from the bytes: what a user uploaded must not become a page.
pub(crate) async fn body_without_a_type(site: Arc<Site>) {
    let answer = site.get("/untyped").await;
    assert_eq!(answer.header("content-type"), ["application/octet-stream"]);
    assert_eq!(answer.text(), "<html>no type");
}
