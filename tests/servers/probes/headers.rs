//! Request headers: what arrives, what must not, and cookies.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;

use crate::client::{Seen, request};
use crate::site::Site;

pub(crate) async fn arrive(site: Arc<Site>) {
    let seen = with(
        &site,
        &[
            ("User-Agent", b"probe/1.0"),
            ("Accept", b"text/html, */*;q=0.1"),
            ("Authorization", b"Basic dXNlcjpwYXNz"),
            ("If-None-Match", b"W/\"a\", \"b\""),
            ("X-Long", &[b'x'; 6000]),
            ("X-Latin", b"gr\xfcn"),
            ("X-Utf8", "grün".as_bytes()),
        ],
    )
    .await;
    assert_eq!(seen.header("user-agent"), ["probe/1.0"]);
    assert_eq!(seen.header("accept"), ["text/html, */*;q=0.1"]);
    assert_eq!(seen.header("authorization"), ["Basic dXNlcjpwYXNz"]);
    assert_eq!(seen.header("if-none-match"), ["W/\"a\", \"b\""]);
    assert_eq!(seen.header("x-long"), ["x".repeat(6000)]);
    assert_eq!(seen.header("x-latin"), ["grün"], "as characters of that number");
    assert_eq!(seen.header("x-utf8"), ["gr\u{c3}\u{bc}n"], "as characters of that number");
}

/// Line by line, or joined: that is the same.
pub(crate) async fn repeated(site: Arc<Site>) {
    let seen = with(&site, &[("X-Twice", b"one"), ("X-Twice", b"two, three")]).await;
    assert_eq!(seen.header("x-twice").join(", "), "one, two, three");
}

pub(crate) async fn a_hundred(site: Arc<Site>) {
    many(&site, 100).await;
}

pub(crate) async fn four_hundred(site: Arc<Site>) {
    many(&site, 400).await;
}

pub(crate) async fn of_16_kib(site: Arc<Site>) {
    let seen = with(&site, &[("X-Long", &[b'x'; 16_000])]).await;
    assert_eq!(seen.header("x-long"), ["x".repeat(16_000)]);
}

/// In lines that no server finds too long.
pub(crate) async fn of_60_kib_together(site: Arc<Site>) {
    let names = ["x-a", "x-b", "x-c", "x-d", "x-e", "x-f", "x-g", "x-h", "x-i", "x-j"];
    let seen = with(&site, &names.map(|name| (name, &[b'x'; 6000][..]))).await;
    for name in names {
        assert_eq!(seen.header(name), ["x".repeat(6000)]);
    }
}

async fn many(site: &Site, count: u16) {
    let mut request = request("GET", "/", "");
    for n in 0..count {
        let name = format!("x-number-{n}").parse::<axum::http::HeaderName>().expect("a name");
        request.headers_mut().insert(name, n.into());
    }
    let seen = site.see(request).await;
    for n in 0..count {
        assert_eq!(seen.header(&format!("x-number-{n}")), [n.to_string()]);
    }
}

/// A name with an underscore must not pass for the one with a hyphen, which someone may trust.
pub(crate) async fn with_underscores(site: Arc<Site>) {
    let seen = with(&site, &[("X_Under", b"forged")]).await;
    assert_eq!(seen.header("x-under"), [""; 0]);
    let seen = with(&site, &[("X-Under", b"trusted"), ("X_Under", b"forged")]).await;
    assert_eq!(seen.header("x-under"), ["trusted"]);
}

/// Nor must a name with a dot, if it arrives at all.
pub(crate) async fn with_dots(site: Arc<Site>) {
    let seen = with(&site, &[("X-Dot", b"trusted"), ("X.Dot", b"forged")]).await;
    assert_eq!(seen.header("x-dot"), ["trusted"]);
}

/// The length and type of the body are those of the request, not of a header that is spelled so that it becomes the
/// variable of the same name.
pub(crate) async fn twins_of_content_headers_are_ignored(site: Arc<Site>) {
    let mut post = request("POST", "/", "five!");
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content_length", "7"),
        ("content_type", "text/html"),
        ("http_content_type", "text/html"),
    ] {
        post.headers_mut().insert(name, value.parse().expect("a value"));
    }
    let seen = site.see(post).await;
    assert!(seen.get("body").starts_with("5 bytes "), "{seen:?}");
    assert_eq!(seen.header("content-length"), ["5"]);
    assert_eq!(seen.header("content-type"), ["text/plain"]);

    let seen = with(&site, &[("content_length", b"7"), ("content_type", b"text/html")]).await;
    assert!(seen.get("body").starts_with("0 bytes "), "{seen:?}");
    assert!(!seen.header("content-length").contains(&"7"), "{seen:?}");
    assert!(!seen.header("content-type").contains(&"text/html"), "{seen:?}");
}

/// Of the connection between client and server, of the framing that is undone, or of an attack (httpoxy).
pub(crate) async fn that_must_not_arrive(site: Arc<Site>) {
    let request = "POST / HTTP/1.1\r\nHost: localhost\r\nProxy: http://evil.example\r\n\
        Proxy-Authorization: Basic eDp5\r\nTE: trailers\r\nConnection: TE, keep-alive\r\nKeep-Alive: 300\r\n\
        Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
    let seen = site.exchange(request).await.seen();
    assert!(seen.get("body").starts_with("4 bytes "), "{seen:?}");
    for name in [
        "proxy",
        "proxy-authorization",
        "te",
        "connection",
        "keep-alive",
        "expect",
        "transfer-encoding",
    ] {
        assert_eq!(seen.header(name), [""; 0], "{name}");
    }
}

/// Middleware believes these. None of them comes from the server, or it comes mixed with what the client said.
pub(crate) async fn that_claim_an_address_are_removed(site: Arc<Site>) {
    let claims = [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "forwarded",
    ];
    let headers: Vec<_> = claims.map(|name| (name, &b"203.0.113.7"[..])).into();
    let seen = with(&site, &headers).await;
    for name in claims {
        assert_eq!(seen.header(name), [""; 0], "{name}");
    }
    assert!(!format!("{seen:?}").contains("203.0.113.7"), "{seen:?}");
}

pub(crate) async fn host(site: Arc<Site>) {
    let seen = with(&site, &[("Host", b"shop.example:8443")]).await;
    assert_eq!(seen.header("host"), ["shop.example:8443"]);
}

/// There are none, unless it is the length of a body that is not there.
pub(crate) async fn that_no_client_sent(site: Arc<Site>) {
    let get = site.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.seen();
    let post = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1";
    let post = site.exchange(post).await.seen();
    assert!(["", "0"].contains(&&*get.header("content-length").concat()), "{get:?}");
    assert_eq!(sorted(post.names("headers")), "content-length host");
    let mut names = get.names("headers");
    names.retain(|&name| name != "content-length");
    assert_eq!(sorted(names), "host");
}

pub(crate) async fn of_http_1_0(site: Arc<Site>) {
    let seen = site.exchange("GET /old HTTP/1.0\r\n\r\n").await.seen();
    assert_eq!(seen.get("version"), "HTTP/1.0");
    assert_eq!(seen.get("uri"), "/old");
    // The client sent none, but the server may know its own name.
    let address = site.address();
    let with_port = format!("localhost:{}", address.port());
    let own = ["".to_owned(), "localhost".to_owned(), with_port, address.to_string()];
    assert!(own.contains(&seen.header("host").concat()), "{seen:?}");
}

pub(crate) async fn cookies(site: Arc<Site>) {
    let seen = with(&site, &[("Cookie", b"a=1; b=\"x y\"; c=")]).await;
    assert_eq!(seen.header("cookie"), ["a=1; b=\"x y\"; c="]);
}

/// HTTP/2 allows a cookie header per cookie. Joined again with `; ` they are what they were.
pub(crate) async fn cookies_in_several_lines(site: Arc<Site>) {
    let seen =
        with(&site, &[("Cookie", b"a=1"), ("Cookie", b"b=2"), ("Cookie", b"c=3; d=4")]).await;
    assert_eq!(seen.header("cookie"), ["a=1; b=2; c=3; d=4"]);
}

/// Without those that other probes are about.
fn sorted(mut names: Vec<&str>) -> String {
    names.retain(|name| !name.starts_with("x-forwarded-"));
    names.sort_unstable();
    names.join(" ")
}

async fn with(site: &Site, headers: &[(&'static str, &[u8])]) -> Seen {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.see(request.body(Body::empty()).expect("good names and values")).await
}
