//! Several requests on a connection.

use std::time::Duration;

use crate::link::{ABORT, BEGIN, Link, ReadBody, builder, end, get, stdout, timed};

#[test]
fn responses_come_in_any_order() {
    let mut link = Link::multiplexed(&mut builder(), 3);
    let mut pending: Vec<_> = ["/a", "/b", "/c"].map(|path| link.request(get(path))).into();
    let begun: Vec<_> =
        link.app.take_all().iter().filter(|it| it.kind == BEGIN).map(|it| it.id).collect();
    assert_eq!(begun, [1, 2, 3]);
    assert!(!link.send.is_ready());
    link.answer([
        stdout(3, "A: b\n\nthree"),
        stdout(1, "A: b\n\no"),
        end(3),
        stdout(1, "ne"),
        end(1),
    ]);
    assert_eq!(pending[2].response().read_all().unwrap(), b"three");
    assert_eq!(pending[0].response().read_all().unwrap(), b"one");
    assert!(pending[1].is_pending());
    let mut again = link.request(get("/d"));
    assert_eq!(link.app.take().id, 1, "the lowest id that is free");
    link.answer([stdout(2, "A: b\n\ntwo"), end(2), stdout(1, "A: b\n\nfour"), end(1)]);
    assert_eq!(pending[1].response().read_all().unwrap(), b"two");
    assert_eq!(again.response().read_all().unwrap(), b"four");
}

#[test]
fn an_abort_concerns_one_request() {
    let mut link = Link::multiplexed(&mut builder(), 2);
    let first = link.request(get("/a"));
    let mut second = link.request(get("/b"));
    link.app.take_all();
    drop(first);
    link.run();
    let records = link.app.take_all();
    assert_eq!((records.len(), records[0].kind, records[0].id), (1, ABORT, 1));
    assert!(!link.send.is_ready(), "its id is live until its end");
    link.answer([stdout(1, "A: b\n\nstale"), end(1), stdout(2, "A: b\n\nfresh"), end(2)]);
    assert_eq!(second.response().read_all().unwrap(), b"fresh");
    link.assert_works();
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_leaves_its_siblings_alone() {
    let mut link = Link::multiplexed(timed().abort_timeout(Duration::from_secs(1)), 2);
    let first = link.request(get("/a"));
    let mut second = link.request(get("/b"));
    drop(first);
    link.run();
    link.advance(Duration::from_secs(2)).await;
    assert!(link.is_running() && link.send.is_closed());
    link.answer([stdout(2, "A: b\n\nwhole"), end(2)]);
    assert_eq!(second.response().read_all().unwrap(), b"whole");
    assert!(!link.is_running());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_is_given_up_for_its_siblings() {
    let mut builder = timed();
    builder.max_body_buf_size(1000).stall_timeout(Duration::from_secs(1));
    let mut link = Link::multiplexed(&mut builder, 2);
    let mut unread = link.request(get("/a"));
    let mut waiting = link.request(get("/b"));
    link.app.take_all();
    link.answer([stdout(1, "A: b\n\n")]);
    let mut unread = unread.response();
    link.answer([stdout(1, [0; 2000])]);
    link.answer([stdout(2, "A: b\n\nwhole"), end(2)]);
    assert!(waiting.is_pending());
    link.advance(Duration::from_millis(1100)).await;
    assert_eq!(waiting.response().read_all().unwrap(), b"whole");
    assert!(unread.next().unwrap().unwrap_err().is_stalled());
    assert_eq!(link.app.take_all()[0].kind, ABORT);
}

#[test]
fn a_broken_connection_fails_all_requests() {
    let mut link = Link::multiplexed(&mut builder(), 2);
    let mut first = link.request(get("/a"));
    let mut second = link.request(get("/b"));
    link.app.close();
    link.run();
    assert!(first.error().is_incomplete());
    assert!(second.error().is_incomplete());
}
