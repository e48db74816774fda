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

/// nginx passes a repeated header on line by line, Caddy joins the lines.
pub(crate) async fn repeated(site: Arc<Site>) {
    let seen = with(&site, &[("X-Twice", b"one"), ("X-Twice", b"two, three")]).await;
    let expected: &[&str] =
        if site.is_caddy() { &["one, two, three"] } else { &["one", "two, three"] };
    assert_eq!(seen.header("x-twice"), expected);
}

pub(crate) async fn a_hundred(site: Arc<Site>) {
    let mut request = request("GET", "/", "");
    for n in 0..100 {
        let name = format!("x-number-{n}").parse::<axum::http::HeaderName>().expect("a name");
        request.headers_mut().insert(name, n.into());
    }
    let seen = site.see(request).await;
    for n in 0..100 {
        assert_eq!(seen.header(&format!("x-number-{n}")), [n.to_string()]);
    }
}

/// nginx drops names with an underscore. Caddy makes one variable of both spellings, and one of the two values is lost.
pub(crate) async fn with_underscores(site: Arc<Site>) {
    let seen = with(&site, &[("X_Under", b"1")]).await;
    let expected: &[&str] = if site.is_caddy() { &["1"] } else { &[] };
    assert_eq!(seen.header("x-under"), expected);

    let seen = with(&site, &[("X-Under", b"trusted"), ("X_Under", b"forged")]).await;
    if site.is_caddy() {
        let [one] = seen.header("x-under")[..] else { panic!("not one value: {seen:?}") };
        assert!(["trusted", "forged"].contains(&one), "{one}");
    } else {
        assert_eq!(seen.header("x-under"), ["trusted"]);
    }
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
    let mut client = site.connect_raw().await;
    client.write(request.as_bytes()).await;
    let interim = client.read_head().await;
    assert!(interim.starts_with("HTTP/1.1 100 "), "{interim}");
    let seen = client.read_answer().await.seen();
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

/// Debian's nginx leaves the port out, so that what it passes on is what it chose the site by.
pub(crate) async fn host(site: Arc<Site>) {
    let seen = with(&site, &[("Host", b"shop.example:8443")]).await;
    let expected = if site.is_caddy() { "shop.example:8443" } else { "shop.example" };
    assert_eq!(seen.header("host"), [expected]);
}

/// nginx adds nothing to what the client sent. Caddy adds an empty `User-Agent`, a length to what has no body, and to POST the
/// type of a form.
pub(crate) async fn that_no_client_sent(site: Arc<Site>) {
    let get = site.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.seen();
    let post = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1";
    let post = site.exchange(post).await.seen();
    if site.is_caddy() {
        assert_eq!(sorted(get.names("headers")), "content-length host user-agent");
        assert_eq!(sorted(post.names("headers")), "content-length content-type host user-agent");
        assert_eq!(get.header("content-length"), ["0"]);
        assert_eq!(get.header("user-agent"), [""]);
        assert_eq!(post.header("content-type"), ["application/x-www-form-urlencoded"]);
    } else {
        assert_eq!(sorted(get.names("headers")), "host");
        assert_eq!(sorted(post.names("headers")), "content-length host");
    }
}

pub(crate) async fn of_http_1_0(site: Arc<Site>) {
    let seen = site.exchange("GET /old HTTP/1.0\r\n\r\n").await.seen();
    assert_eq!(seen.get("version"), "HTTP/1.0");
    assert_eq!(seen.get("uri"), "/old");
    // nginx knows its own name, Caddy does not.
    let host: &[&str] = if site.is_caddy() { &[] } else { &["localhost"] };
    assert_eq!(seen.header("host"), host);
}

pub(crate) async fn cookies(site: Arc<Site>) {
    let seen = with(&site, &[("Cookie", b"a=1; b=\"x y\"; c=")]).await;
    assert_eq!(seen.header("cookie"), ["a=1; b=\"x y\"; c="]);
}

/// HTTP/2 allows a cookie header per cookie. Joined again with `; ` they are what they were; Caddy joins with a comma, which
/// a cookie's value may hold, so nobody can undo it.
pub(crate) async fn cookies_in_several_lines(site: Arc<Site>) {
    let seen =
        with(&site, &[("Cookie", b"a=1"), ("Cookie", b"b=2"), ("Cookie", b"c=3; d=4")]).await;
    let expected = if site.is_caddy() { "a=1, b=2, c=3; d=4" } else { "a=1; b=2; c=3; d=4" };
    assert_eq!(seen.header("cookie"), [expected]);
}

fn sorted(mut names: Vec<&str>) -> String {
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
