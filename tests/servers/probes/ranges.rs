//! `Range`: parts of what the application has.

use std::sync::Arc;

use axum::http::{StatusCode, header};

use crate::client::{Answer, request};
use crate::pattern::Pattern;
use crate::site::Site;

pub(crate) async fn are_answered_by_the_application(site: Arc<Site>) {
    let answer = part(&site, "/ranges/1000", "bytes=100-199").await;
    assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.header("content-range"), ["bytes 100-199/1000"]);
    assert_eq!(answer.header("content-length"), ["100"]);
    assert_eq!(answer.body, whole()[100..200]);
}

pub(crate) async fn that_cannot_be_met(site: Arc<Site>) {
    let answer = part(&site, "/ranges/1000", "bytes=2000-2100").await;
    assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(answer.header("content-range"), ["bytes */1000"]);
}

/// An application may ignore the header. A server that then cuts the part out itself must do so right.
pub(crate) async fn that_the_application_ignores(site: Arc<Site>) {
    let answer = part(&site, "/ranges/1000?ignore", "bytes=100-199").await;
    if answer.status == StatusCode::PARTIAL_CONTENT {
        assert_eq!(answer.header("content-range"), ["bytes 100-199/1000"]);
        assert_eq!(answer.body, whole()[100..200]);
        return;
    }
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, whole());
}

async fn part(site: &Site, path: &str, range: &str) -> Answer {
    let mut request = request("GET", path, "");
    request.headers_mut().insert(header::RANGE, range.parse().expect("a value"));
    site.fetch(request).await
}

fn whole() -> Vec<u8> {
    Pattern::sized(1000).flatten().collect()
}
