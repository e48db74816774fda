//! Applications that take too long.

use std::time::Duration;

use crate::link::{ABORT, Link, ReadBody, builder, end, get, post, stdout, timed};

const SECOND: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(950);
const REST: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_aborts() {
    let mut link = Link::with(timed().head_timeout(SECOND));
    let mut pending = link.request(get("/"));
    link.app.take_all();
    link.advance(SHORT).await;
    assert!(pending.is_pending());
    link.advance(REST).await;
    assert!(pending.error().is_timeout());
    assert_eq!(link.app.take_all()[0].kind, ABORT);
    link.answer([end(1)]);
    link.assert_works();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_go_on_aborts() {
    let mut link = Link::with(timed().body_timeout(SECOND));
    let mut pending = link.request(get("/"));
    link.app.take_all();
    link.answer([stdout(1, "A: b\r\n\r\n1")]);
    let mut response = pending.response();
    link.advance(SHORT).await;
    link.answer([stdout(1, "2")]);
    link.advance(SHORT).await;
    assert_eq!(response.next().unwrap().unwrap(), b"12");
    assert!(response.next().is_none());
    link.advance(REST).await;
    assert!(response.next().unwrap().unwrap_err().is_timeout());
    assert_eq!(link.app.take_all()[0].kind, ABORT);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_read_is_not_late() {
    let mut link = Link::with(timed().body_timeout(SECOND).max_body_buf_size(10));
    let mut pending = link.request(get("/"));
    link.answer([stdout(1, "A: b\r\n\r\n0123456789")]);
    let mut response = pending.response();
    link.advance(10 * SECOND).await;
    assert_eq!(response.next().unwrap().unwrap(), b"0123456789");
    link.answer([end(1)]);
    assert_eq!(response.read_all().unwrap(), b"");
}

#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_read_fails_the_connection() {
    let mut link = Link::with(timed().send_timeout(SECOND));
    link.app.read_only(10);
    let mut pending = link.request(post("/", vec![0; 1000]));
    link.advance(SHORT).await;
    assert!(pending.is_pending());
    link.app.read_only(10);
    link.run();
    link.advance(SHORT).await;
    assert!(pending.is_pending(), "there was progress");
    link.advance(REST).await;
    assert!(pending.error().is_timeout());
    assert!(link.outcome().as_ref().unwrap_err().is_timeout());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_closes() {
    let mut link = Link::with(timed().idle_timeout(SECOND));
    link.run();
    link.advance(SHORT).await;
    link.assert_works();
    link.advance(SHORT).await;
    assert!(link.is_running());
    link.advance(REST).await;
    assert!(link.outcome().is_ok());
    assert!(link.send.is_closed());
}

#[test]
fn without_a_timer_there_are_no_default_timeouts() {
    let mut link = Link::with(&builder());
    link.assert_works();
}

#[test]
#[should_panic(expected = "a timeout was set, but no timer")]
fn a_timeout_needs_a_timer() {
    Link::with(builder().head_timeout(SECOND));
}
