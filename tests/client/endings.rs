//! Connections that end.

use crate::link::{Link, ReadBody, builder, end, end_stdout, get, post_feed, stdout};
use crate::support::feed;

#[test]
fn a_close_between_requests_is_a_clean_end() {
    let mut link = Link::new();
    link.assert_works();
    link.app.close();
    link.run();
    assert!(link.outcome().is_ok());
    assert!(link.send.is_closed());
}

#[test]
fn nothing_is_sent_where_the_application_has_closed_the_connection() {
    let mut link = Link::new();
    link.assert_works();
    link.app.close();
    // The connection has not seen it when the request comes.
    let mut failed = link.request(get("/again")).failure();
    assert!(failed.error().is_closed());
    assert_eq!(failed.take_message().unwrap().uri(), "/again");
    assert!(link.app.take_all().is_empty());
}

#[test]
fn a_reset_before_anything_was_sent_gives_the_request_back() {
    let mut link = Link::new();
    link.assert_works();
    link.app.reset();
    let failed = link.request(get("/again")).failure();
    assert!(failed.error().is_closed() && failed.message().is_some());

    let mut link = Link::new();
    link.app.break_writes();
    let pending = link.request(get("/again"));
    link.app.close();
    link.run();
    let mut pending = pending;
    let failed = pending.failure();
    assert!(failed.error().is_closed() && failed.message().is_some());
}

#[test]
fn a_close_within_a_response_is_an_error() {
    for records in [vec![], vec![stdout(1, "A: b\r\n")]] {
        let mut link = Link::new();
        let mut pending = link.request(get("/"));
        link.app.send(records);
        link.app.close();
        link.run();
        assert!(pending.error().is_incomplete());
        assert!(link.outcome().as_ref().unwrap_err().is_incomplete());
    }
    let mut link = Link::new();
    let mut pending = link.request(get("/"));
    link.answer([stdout(1, "A: b\r\n\r\npart")]);
    let mut response = pending.response();
    link.app.close();
    link.run();
    assert_eq!(response.next().unwrap().unwrap(), b"part");
    assert!(response.next().unwrap().unwrap_err().is_incomplete());
}

#[test]
fn a_close_behind_the_end_of_stdout_is_the_end_of_the_response() {
    let mut link = Link::new();
    let mut pending = link.request(get("/"));
    link.answer([stdout(1, "A: b\r\n\r\nwhole"), end_stdout(1)]);
    let mut response = pending.response();
    link.app.close();
    link.run();
    assert_eq!(response.read_all().unwrap(), b"whole");
}

#[test]
fn a_reset_within_a_response_is_an_error() {
    let mut link = Link::new();
    let mut pending = link.request(get("/"));
    link.app.reset();
    link.run();
    let error = pending.error();
    assert!(error.is_io(), "{error:?}");
    assert!(link.outcome().as_ref().unwrap_err().is_io());
}

#[test]
fn an_answer_is_read_though_the_application_reads_no_more() {
    let mut link = Link::new();
    let (feed, body) = feed();
    let mut pending = link.request(post_feed("/", body));
    link.app.break_writes();
    feed.send("late");
    link.run();
    assert!(pending.is_pending());
    link.answer([stdout(1, "Status: 413\r\n\r\ntoo much"), end(1)]);
    let mut response = pending.response();
    assert_eq!(response.status(), 413);
    assert_eq!(response.read_all().unwrap(), b"too much");
    assert!(link.send.is_closed() && feed.is_dropped());
}

#[test]
fn an_application_that_ignores_keep_conn_is_asked_on_another_connection() {
    let mut link = Link::new();
    let mut pending = link.request(get("/"));
    link.app.send([stdout(1, "A: b\r\n\r\nwhole"), end(1)]);
    link.app.close();
    link.run();
    assert_eq!(pending.response().read_all().unwrap(), b"whole");
    assert!(link.outcome().is_ok());
    assert!(link.send.is_closed());
}

#[test]
fn requests_wait_for_their_turn() {
    let mut link = Link::with(&builder());
    let mut first = link.request(get("/first"));
    link.app.take_all();
    assert!(!link.send.is_ready());
    let failed = link.request(get("/second")).failure();
    assert!(failed.error().is_canceled() && failed.message().is_some());
    let waker = std::sync::Arc::new(crate::support::CountingWake::asleep());
    let as_waker = std::task::Waker::from(waker.clone());
    let mut cx = std::task::Context::from_waker(&as_waker);
    assert!(link.send.poll_ready(&mut cx).is_pending());
    link.answer([stdout(1, "A: b\r\n\r\n"), end(1)]);
    first.response();
    assert!(waker.take(), "it would wait for ever");
    assert!(link.send.poll_ready(&mut cx).is_ready());
    link.assert_works();
}

#[test]
fn a_place_that_is_not_used_is_given_back() {
    let mut link = Link::new();
    let mut other = link.send.clone();
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    assert!(other.poll_ready(&mut cx).is_ready());
    assert!(!link.send.is_ready());
    drop(other);
    assert!(link.send.is_ready());
    link.assert_works();
}
