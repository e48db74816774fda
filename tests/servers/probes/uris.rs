//! Request targets arrive as the client wrote them, not decoded, merged or resolved.

use std::sync::Arc;

use axum::http::StatusCode;
use percent_encoding::percent_decode;

use crate::client::Seen;
use crate::site::Site;

pub(crate) async fn arrive_unchanged(site: Arc<Site>) {
    for target in [
        "/",
        "/a%2Fb%2fc",
        "/a%252Fb%25",
        "/%41%7e~",
        "//double//slash/",
        "/a/./b/../c/",
        "/semi;colon=1,2/@:!$&'()*+=",
        "/caf%C3%A9/%FF",
        "/space%20plus+",
    ] {
        assert_eq!(get(&site, target).await.get("uri"), target);
    }
}

pub(crate) async fn queries_arrive_unchanged(site: Arc<Site>) {
    for target in [
        "/q?",
        "/q??",
        "/q?a=1&a=2&b",
        "/q?a=b=c&&=&x=%41+%2B%26",
        "/q?path=/a/../b//c",
        "/q?%00%FF",
        "/?a=[1]",
        "/q?http://elsewhere.example/?x=1",
    ] {
        assert_eq!(get(&site, target).await.get("uri"), target);
    }
}

/// What is no URI by the letter, but browsers and tools send it.
pub(crate) async fn odd_characters_arrive(site: Arc<Site>) {
    for target in ["/{curly}?{a}", "/pipe|caret^?|^", "/`quote\"?`\"", "/back\\slash", "/<tag>?<>"]
    {
        let seen = get(&site, target).await;
        assert_same(seen.get("uri"), target.as_bytes());
    }
}

pub(crate) async fn utf8_bytes_arrive(site: Arc<Site>) {
    let seen = get(&site, "/grün?ß").await;
    assert_same(seen.get("uri"), "/grün?ß".as_bytes());
}

/// Bytes that are no UTF-8 pass too.
pub(crate) async fn latin1_bytes_arrive(site: Arc<Site>) {
    let request = b"GET /gr\xfcn?\xdf HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let seen = site.exchange(request).await.seen();
    assert_same(seen.get("uri"), b"/gr\xfcn?\xdf");
}

pub(crate) async fn of_7_kib_arrive(site: Arc<Site>) {
    let target = format!("/{}?{}", "p".repeat(3500), "q".repeat(3600));
    assert_eq!(get(&site, &target).await.get("uri"), target);
}

pub(crate) async fn of_9_kib(site: Arc<Site>) {
    let target = format!("/{}", "p".repeat(9000));
    let answer = site.exchange(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.seen().get("uri"), target);
}

pub(crate) async fn absolute_form(site: Arc<Site>) {
    let request = "GET http://localhost/path?q=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let seen = site.exchange(request).await.seen();
    assert_eq!(seen.get("uri"), "/path?q=1");
    assert_eq!(seen.header("host"), ["localhost"]);
}

/// The authority in the target is the one that counts, whatever the Host header says.
pub(crate) async fn absolute_form_of_another_host(site: Arc<Site>) {
    let request = "GET http://elsewhere.example/path?q=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let seen = site.exchange(request).await.seen();
    assert_eq!(seen.get("uri"), "/path?q=1");
    assert_eq!(seen.header("host"), ["elsewhere.example"]);
}

async fn get(site: &Site, target: &str) -> Seen {
    site.exchange(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await.seen()
}

/// `http::Uri` refuses some bytes, which then arrive percent-encoded.
fn assert_same(seen: &str, sent: &[u8]) {
    assert_eq!(percent_decode(seen.as_bytes()).collect::<Vec<_>>(), sent, "{seen}");
}
