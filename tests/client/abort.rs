//! Requests that nobody wants any more.

use std::time::Duration;

use crate::link::{
    ABORT, Link, ReadBody, STDIN, builder, end, end_with, get, post, post_feed, stdout, timed,
};
use crate::support::feed;

#[test]
fn a_dropped_future_aborts_and_the_end_frees_the_connection() {
    let mut link = Link::new();
    let pending = link.request(get("/"));
    link.app.take_all();
    drop(pending);
    link.run();
    let records = link.app.take_all();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].kind, records[0].id), (ABORT, 1));
    assert!(!link.send.is_ready());
    // What comes until then belongs to nobody.
    link.answer([stdout(1, "Status: 500\r\n\r\nstale"), end(1)]);
    link.assert_works();
}

#[test]
fn a_dropped_body_aborts() {
    let mut link = Link::new();
    let mut pending = link.request(get("/"));
    link.app.take_all();
    link.answer([stdout(1, "A: b\r\n\r\npart")]);
    drop(pending.response());
    link.run();
    assert_eq!(link.app.take_all()[0].kind, ABORT);
    link.answer([stdout(1, "more"), end_with(1, 0)]);
    link.assert_works();
}

#[test]
fn a_request_dropped_before_it_began_is_not_sent() {
    let mut link = Link::new();
    drop(link.send.send_request(get("/")));
    link.run();
    assert!(link.app.take_all().is_empty());
    link.assert_works();
}

#[test]
fn a_dropped_future_drops_the_body_even_if_the_application_does_not_read() {
    let mut link = Link::new();
    link.app.read_only(0);
    let (feed, body) = feed();
    feed.send(vec![0; 1_000_000]);
    let pending = link.request(post_feed("/", body));
    drop(pending);
    link.run();
    assert!(feed.is_dropped());
}

#[test]
fn an_aborted_upload_ends_the_connection_with_its_end() {
    let mut link = Link::new();
    let (feed, body) = feed();
    let pending = link.request(post_feed("/", body));
    feed.send("part");
    link.run();
    drop(pending);
    link.run();
    let records = link.app.take_all();
    assert_eq!(records.last().unwrap().kind, ABORT);
    assert!(!records.iter().any(|record| record.kind == STDIN && record.content.is_empty()));
    link.answer([end(1)]);
    assert!(!link.is_running() && link.app.is_closed());
}

#[test]
fn a_body_dropped_when_all_of_it_came_aborts_nothing() {
    let mut link = Link::new();
    let mut pending = link.request(post("/", "x"));
    link.app.take_all();
    link.answer([stdout(1, "Content-Length: 4\r\n\r\nbody")]);
    let mut response = pending.response();
    assert_eq!(response.next().unwrap().unwrap(), b"body");
    drop(response);
    link.run();
    assert!(link.app.take_all().is_empty());
    link.answer([end(1)]);
    link.assert_works();
}

#[test]
fn a_body_dropped_behind_its_end_aborts_nothing() {
    let mut link = Link::new();
    let mut pending = link.request(get("/"));
    link.app.take_all();
    link.answer([stdout(1, "A: b\r\n\r\nunread"), end(1)]);
    let response = pending.response();
    let mut next = link.request(get("/next"));
    link.app.take_all();
    drop(response);
    link.run();
    assert!(link.app.take_all().is_empty(), "the next request is another one");
    link.answer([stdout(1, "A: b\r\n\r\n"), end(1)]);
    next.response();
}

#[tokio::test(start_paused = true)]
async fn an_end_that_does_not_come_closes_the_connection() {
    let mut link = Link::with(timed().abort_timeout(Duration::from_millis(500)));
    let pending = link.request(get("/"));
    drop(pending);
    link.run();
    link.advance(Duration::from_millis(450)).await;
    assert!(link.is_running() && !link.send.is_closed());
    link.advance(Duration::from_millis(100)).await;
    assert!(!link.is_running() && link.app.is_closed());
    assert!(link.outcome().is_ok());
}

#[test]
fn a_dropped_connection_fails_what_is_under_way() {
    let mut link = Link::new();
    let mut pending = link.request(get("/"));
    link.answer([stdout(1, "A: b\r\n\r\npart")]);
    let mut response = pending.response();
    link.drop_connection();
    assert!(response.next().unwrap().is_err());
    assert!(link.send.is_closed());

    let mut link = Link::new();
    let mut pending = link.request(get("/"));
    link.drop_connection();
    assert!(pending.error().is_incomplete());
}

#[test]
fn no_handles_no_connection() {
    let mut link = Link::with(&builder());
    let second = link.send.clone();
    link.run();
    drop(second);
    link.run();
    assert!(link.is_running());
    let mut pending = link.request(get("/"));
    link.app.take_all();
    let (mut connection, app) = link.drop_handle();
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    assert!(
        std::pin::Pin::new(&mut connection).poll(&mut cx).is_pending(),
        "a response is under way"
    );
    app.send([stdout(1, "A: b\r\n\r\n"), end(1)]);
    assert!(std::pin::Pin::new(&mut connection).poll(&mut cx).is_ready());
    pending.response();
}
