//! FCGI_GET_VALUES, and what follows from its answer.

use std::time::Duration;

use crate::link::{Application, GET_VALUES, Link, Wait, builder, get, timed, values};
use crate::support::{pipe, record};

#[test]
fn nobody_is_asked_unless_several_requests_are_wanted() {
    let mut link = Link::new();
    link.run();
    assert!(link.app.take_all().is_empty());
}

#[test]
fn an_application_that_does_not_multiplex_gets_one_request_at_a_time() {
    for answer in [
        values(&[("FCGI_MPXS_CONNS", "0"), ("FCGI_MAX_REQS", "9")]),
        values(&[("FCGI_MAX_REQS", "9")]),
        values(&[]),
        record(11, 0, [9, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let (io, pipe) = pipe();
        let mut handshake = Wait::new(builder().max_requests(8).clone(), io);
        assert!(handshake.poll().is_none());
        let mut app = Application::new(pipe.clone());
        let asked = app.take();
        assert_eq!((asked.kind, asked.id), (GET_VALUES, 0));
        let names: Vec<_> = tower_fastcgi::record::Pairs::new(&asked.content)
            .map(|pair| String::from_utf8(pair.unwrap().0.to_vec()).unwrap())
            .collect();
        assert_eq!(names, ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]);
        // The padding comes later, and is no record.
        let mut bytes = crate::support::bytes_of([answer.padding(5)]);
        let padding = bytes.split_off(bytes.len() - 5);
        app.send_bytes(&bytes);
        let made = handshake.poll().expect("an answer").unwrap();
        app.send_bytes(&padding);
        let mut link = Link::of(made, pipe);
        link.run();
        let _first = link.request(get("/first"));
        assert!(!link.send.is_ready());
        assert!(link.request(get("/second")).failure().error().is_canceled());
    }
}

#[test]
fn an_answer_may_have_an_empty_one_behind_it() {
    for is_at_once in [true, false] {
        let (io, pipe) = pipe();
        let mut handshake = Wait::new(builder().max_requests(8).clone(), io);
        assert!(handshake.poll().is_none());
        let app = Application::new(pipe.clone());
        let answer =
            crate::support::bytes_of([values(&[("FCGI_MPXS_CONNS", "1")]), record(10, 0, [])]);
        let (now, later) =
            answer.split_at(if is_at_once { answer.len() } else { answer.len() - 8 });
        app.send_bytes(now);
        let made = handshake.poll().expect("an answer").unwrap();
        assert_eq!(made.1.values().unwrap().mpxs_conns, Some(true));
        app.send_bytes(later);
        let mut link = Link::of(made, pipe);
        let _first = link.request(get("/first"));
        assert!(link.send.is_ready());
    }
}

#[test]
fn a_close_instead_of_an_answer_says_so() {
    let (io, pipe) = pipe();
    let mut handshake = Wait::new(builder().max_requests(8).clone(), io);
    assert!(handshake.poll().is_none());
    Application::new(pipe).close();
    let error = handshake.poll().expect("an end").unwrap_err();
    assert!(error.is_closed());
}

#[test]
fn another_answer_is_an_error() {
    let (io, pipe) = pipe();
    let mut handshake = Wait::new(builder().max_requests(8).clone(), io);
    assert!(handshake.poll().is_none());
    Application::new(pipe).send([crate::link::stdout(1, "x")]);
    assert!(handshake.poll().expect("an end").unwrap_err().is_protocol());
}

#[test]
fn an_http_server_is_told() {
    let (io, pipe) = pipe();
    let mut handshake = Wait::new(builder().max_requests(8).clone(), io);
    assert!(handshake.poll().is_none());
    Application::new(pipe).send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let error = handshake.poll().expect("an end").unwrap_err();
    assert!(error.is_protocol());
    assert!(error.to_string().starts_with("HTTP came back"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_waited_for_only_so_long() {
    let (io, pipe) = pipe();
    let mut builder = timed();
    builder.max_requests(8).values_timeout(Duration::from_secs(1));
    let mut handshake = Wait::new(builder, io);
    assert!(handshake.poll().is_none());
    tokio::time::advance(Duration::from_millis(900)).await;
    assert!(handshake.poll().is_none());
    tokio::time::advance(Duration::from_millis(200)).await;
    let made = handshake.poll().expect("an end").unwrap();
    assert!(made.1.values().is_none());
    let mut link = Link::of(made, pipe);
    link.app.take();
    // It may answer later.
    link.answer([values(&[("FCGI_MPXS_CONNS", "1")])]);
    let _first = link.request(get("/first"));
    assert!(!link.send.is_ready());
}
