//! What is no request, or could be another one to somebody else.

use crate::application::app;
use crate::kit::{Front, body, status};

async fn front() -> Front {
    Front::to(app().await).await
}

/// The statuses of all responses to these bytes, on a connection that the gateway closes or that is given up.
async fn statuses(bytes: &str) -> Vec<u16> {
    let all = front().await.talk(bytes).await;
    all.split("HTTP/1.1 ").skip(1).map(|response| status(&format!("HTTP/1.1 {response}"))).collect()
}

#[tokio::test]
async fn the_host_must_be_clear() {
    assert_eq!(statuses("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await, [400]);
    assert_eq!(
        statuses("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n").await,
        [400]
    );
    assert_eq!(statuses("GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n").await, [400]);
}

#[tokio::test]
async fn methods_that_are_no_requests_for_an_application() {
    assert_eq!(statuses("TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await, [501]);
    assert_eq!(
        statuses("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n").await,
        [501]
    );
}

#[tokio::test]
async fn a_host_alone_is_no_target() {
    for target in ["a", "a.example:80"] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n");
        assert_eq!(statuses(&request).await, [400], "{target}");
    }
}

#[tokio::test]
async fn lengths_that_differ() {
    let two =
        "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd";
    assert_eq!(statuses(two).await, [400]);
    let list = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n\r\nabcd";
    assert_eq!(statuses(list).await, [400]);
    let signed = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc";
    assert_eq!(statuses(signed).await, [400]);
}

/// The chunks count, and the connection ends behind the response (RFC 9112 section 6.1): what follows the body never becomes a request
/// of its own that the application sees.
#[tokio::test]
async fn a_length_beside_chunks() {
    let front = front().await;
    let smuggled = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = format!("Content-Length: {}", 13 + smuggled.len());
    let chunked = "Transfer-Encoding: chunked".to_owned();
    for [first, second] in [[&length, &chunked], [&chunked, &length]] {
        let response = front
            .talk(&format!(
                "POST /length HTTP/1.1\r\nHost: a\r\n{first}\r\n{second}\r\nConnection: keep-alive\r\n\r\n\
                 3\r\nabc\r\n0\r\n\r\n{smuggled}"
            ))
            .await;
        assert_eq!(status(&response), 200, "{response}");
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
        assert_eq!(body(&response), "3 of -", "{first} first");
    }
}

#[tokio::test]
async fn codings_that_are_not_chunked() {
    for coding in ["gzip", "chunked, gzip", "xchunked", "chunked, identity"] {
        let request = format!(
            "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
        let answers = statuses(&request).await;
        assert_eq!(answers, [400], "{coding}");
    }
}

#[tokio::test]
async fn chunks_over_http_1_0() {
    let request = "POST /length HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(statuses(request).await, [400]);
}

#[tokio::test]
async fn headers_that_are_none() {
    for line in [
        "Content-Length : 3",
        "Transfer-Encoding : chunked",
        "X: a\r\n folded: b",
        "X: a\0b",
        "X\u{e4}: b",
        ": b",
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\nConnection: close\r\n\r\n");
        assert_eq!(statuses(&request).await, [400], "{line:?}");
    }
}

#[tokio::test]
async fn a_bare_carriage_return_ends_no_line() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX: b\rTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    assert_eq!(statuses(request).await, [400]);
}

#[tokio::test]
async fn chunk_sizes_that_are_none() {
    for size in ["-1", "0x3", "3 3", "FFFFFFFFFFFFFFFFF", ""] {
        let request = format!(
            "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nabc\r\n0\r\n\r\n\
             GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let answers = statuses(&request).await;
        assert!(!answers.contains(&200), "{size:?}: {answers:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_at_all() {
    let tls = "\u{16}\u{3}\u{1}\u{0}\u{5}hello";
    let response = front().await.talk(tls).await;
    assert!(response.is_empty() || status(&response) == 400, "{response}");
}
