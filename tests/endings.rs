//! Every way in which a request or its connection ends before its time.

mod support;

use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use support::{
    App, Ask, BoxError, Client, CountingWake, DropFlag, Exec, Feed, Latch, Record, abort, begin,
    builder, end_params, end_stdin, feed, pairs, params, serve, serve_with, stdin, text,
};
use tower_fastcgi::{Error, Incoming};

#[test]
fn abort_while_the_params_come_is_one_end_request() {
    let content = pairs(Ask::get("/").params());
    for records in [
        vec![begin(1).keep_conn()],
        vec![begin(1).keep_conn(), params(1, &content[..20])],
        vec![begin(1).keep_conn(), params(1, &content)],
    ] {
        let (mut server, mut client) = serve(App::hello());
        client.send(records.clone());
        server.run();
        client.send(abort(1));
        server.run();
        assert_eq!(client.recv_all(), [Record::end(1)], "{records:?}");
        client.send([abort(1), params(1, &content[20..]), end_params(1), end_stdin(1)]);
        server.run();
        assert!(client.has_nothing());
        client.send(Ask::get("/").keep_conn());
        server.run();
        assert_eq!(client.response(1).text(), "hello");
    }
}

#[test]
fn begin_and_abort_in_one_read_is_one_end_request() {
    let (mut server, mut client) = serve(App::hello());
    client.send([begin(1).keep_conn(), abort(1), begin(1).keep_conn(), abort(1)]);
    server.run();
    assert_eq!(client.recv_all(), [Record::end(1), Record::end(1)]);
}

#[test]
fn abort_of_a_waiting_handler_drops_it_within_the_poll() {
    let (flag, app) = never();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert!(!flag.is_dropped());
    client.send(abort(1));
    server.poll_connection();
    assert!(flag.is_dropped());
    server.run();
    assert_aborted(&mut client, 1);
    assert!(server.is_running());
}

/// HAProxy that is reloaded aborts requests whose clients wait, and these would else wait for its timeout.
#[track_caller]
fn assert_aborted(client: &mut Client, id: u16) {
    assert_eq!(client.response(id).status, 503);
    assert!(client.has_nothing());
}

#[test]
fn abort_of_a_request_whose_body_still_comes_is_one_end_request() {
    let (flag, app) = never();
    let (mut server, mut client) = serve(app);
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    server.run();
    client.send(abort(1));
    server.run();
    assert!(flag.is_dropped());
    assert_eq!(client.recv_all(), [Record::end(1)]);
}

#[test]
fn abort_of_a_streaming_response_drops_its_body_within_the_poll() {
    let (feed, app) = feeding();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    feed.send("part");
    server.run();
    client.recv_all();
    client.send(abort(1));
    server.poll_connection();
    assert!(feed.is_dropped());
    server.run();
    assert_eq!(ends(&client.recv_all()), 1);
    assert!(client.has_nothing());
    assert!(!client.write_half_is_shut());
}

#[test]
fn abort_of_a_response_that_the_peer_does_not_read_drops_its_body_and_ends_it_once() {
    let dropped = DropFlag::default();
    let app = App::new({
        let dropped = dropped.clone();
        move |_| ready(Response::new(Endless { _guard: dropped.guard() }))
    });
    let (mut server, mut client) = serve(app);
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.send(abort(1));
    server.run();
    assert!(dropped.is_dropped());
    client.read_on();
    server.run();
    let records = client.recv_all();
    assert_eq!(ends(&records), 1);
    assert_eq!(records.last(), Some(&Record::end(1)));
}

#[test]
fn abort_without_keep_conn_ends_the_connection() {
    let (_, app) = never();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/"));
    server.run();
    client.send(abort(1));
    server.run();
    assert_aborted(&mut client, 1);
    assert!(client.write_half_is_shut());
    client.close();
    server.run();
    server.assert_ended_well();
}

#[test]
fn an_aborted_body_that_lives_elsewhere_is_woken_and_says_so() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    server.run();
    let mut body = seen.take_one().into_body();
    let wake = wait_for(&mut body);
    client.send(abort(1));
    server.run();
    assert!(wake.take(), "it would wait for ever");
    let error = take_error(&mut body);
    assert!(error.is_aborted(), "{error:?}");
}

#[test]
fn abort_of_an_answered_request_is_nothing() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.response(1);
    client.send([abort(1), abort(1)]);
    server.run();
    assert!(client.has_nothing());
}

#[test]
fn the_peers_close_between_requests_is_a_clean_end() {
    for keep in [0, 1, 3] {
        let (mut server, mut client) = serve(App::hello());
        for _ in 0..keep {
            client.send(Ask::get("/").keep_conn());
            server.run();
            client.response(1);
        }
        client.close();
        server.run();
        server.assert_ended_well();
        assert!(client.is_closed());
    }
}

#[test]
fn the_peers_close_within_a_record_or_an_unfinished_request_is_incomplete() {
    let content = pairs(Ask::get("/").params());
    let begun = support::bytes_of(begin(1));
    let whole = support::bytes_of([begin(1), params(1, &content)]);
    let head = support::bytes_of(Ask::post("/", "").content_length(Some("10")).head());
    let part = [&head[..], &support::bytes_of(stdin(1, "part"))].concat();
    let chunked = support::bytes_of(Ask::post("/", "").content_length(None).head());
    let cases =
        [&begun[..1], &begun[..7], &begun, &begun[..15], &whole[..40], &whole, &part, &chunked];
    for sent in cases {
        let (mut server, mut client) = serve(App::echo());
        client.send_bytes(sent);
        server.run();
        client.close();
        server.run();
        let error = server.error();
        assert!(error.is_incomplete(), "{} bytes: {error:?}", sent.len());
        assert_eq!(ends(&client.recv_all()), 0);
    }
}

#[test]
fn the_peers_close_drops_a_waiting_handler_within_one_poll() {
    let (flag, app) = never();
    let (mut server, client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.close();
    server.poll_connection();
    assert!(flag.is_dropped());
    server.run();
    assert!(server.error().is_canceled(), "{:?}", server.error());
    assert!(client.is_closed());
}

#[test]
fn the_peers_close_drops_a_streaming_body_within_one_poll() {
    let (feed, app) = feeding();
    let (mut server, client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    feed.send("part");
    server.run();
    client.close();
    server.poll_connection();
    assert!(feed.is_dropped());
    server.run();
    assert!(server.error().is_canceled(), "{:?}", server.error());
}

#[test]
fn the_peers_close_drops_a_body_that_is_written_to_nobody_within_one_poll() {
    let dropped = DropFlag::default();
    let app = App::new({
        let dropped = dropped.clone();
        move |_| ready(Response::new(Endless { _guard: dropped.guard() }))
    });
    let (mut server, client) = serve(app);
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.close();
    server.poll_connection();
    assert!(dropped.is_dropped());
    server.run();
    assert!(server.error().is_canceled(), "{:?}", server.error());
}

#[test]
fn the_peers_close_is_seen_behind_a_body_that_nobody_reads_when_reading_goes_on() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    client.send(support::body_of(1, &vec![0; 300 * 1024]));
    server.run();
    client.close();
    let mut body = seen.take_one().into_body();
    let error = loop {
        match poll_body(&mut body) {
            Poll::Ready(Some(Ok(_))) => server.run(),
            Poll::Ready(Some(Err(error))) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert!(error.is_incomplete() || error.is_canceled(), "{error:?}");
    assert!(server.error().is_incomplete(), "{:?}", server.error());
}

#[test]
fn the_peers_close_fails_an_unfinished_body_that_lives_elsewhere() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve(app);
    client.send(Ask::post("/", "").content_length(Some("10")).keep_conn().head());
    client.send(stdin(1, "part"));
    server.run();
    let mut body = seen.take_one().into_body();
    assert!(matches!(poll_body(&mut body), Poll::Ready(Some(Ok(data))) if data == "part"));
    let wake = wait_for(&mut body);
    client.close();
    server.run();
    assert!(wake.take());
    take_error(&mut body);
    assert!(server.error().is_incomplete(), "{:?}", server.error());
}

#[test]
fn with_half_close_a_complete_request_is_answered_after_the_peers_close() {
    let mut builder = builder();
    builder.half_close(true);
    for exec in Exec::ALL {
        for ids in [&[1][..], &[1, 2]] {
            let (_, latch, app) = App::parked();
            let (mut server, mut client) = serve_with(&builder, exec, app);
            client.send(ids.iter().flat_map(|&id| Ask::get("/").id(id).keep_conn()));
            server.run();
            client.close();
            server.run();
            assert!(server.is_running());
            latch.open();
            server.run();
            for &id in ids {
                assert_eq!(client.response(id).text(), "parked", "{exec:?}");
            }
            server.assert_ended_well();
            assert!(client.write_half_is_shut());
        }
    }
}

#[test]
fn with_half_close_an_unfinished_body_fails_and_the_handler_may_still_answer() {
    let mut builder = builder();
    builder.half_close(true);
    for exec in Exec::ALL {
        let (mut server, mut client) = serve_with(&builder, exec, App::echo());
        for id in [1, 2] {
            client.send(Ask::post("/", "").id(id).content_length(Some("10")).keep_conn().head());
            client.send(stdin(id, "part"));
        }
        server.run();
        client.close();
        server.run();
        for id in [1, 2] {
            assert_eq!(client.response(id).status, 400, "{exec:?}: what the echo makes of it");
        }
        assert!(!server.is_running());
    }
}

#[test]
fn with_half_close_params_without_an_end_are_the_end_of_the_connection() {
    let mut builder = builder();
    builder.half_close(true);
    for sent in [
        support::bytes_of(begin(1))[..3].to_vec(),
        support::bytes_of(begin(1)),
        support::bytes_of([begin(1), params(1, "\x01\x01AB")]),
    ] {
        let (mut server, mut client) = serve_with(&builder, Exec::InPlace, App::hello());
        client.send_bytes(&sent);
        server.run();
        client.close();
        server.run();
        assert!(server.error().is_incomplete(), "{:?} after {} bytes", server.error(), sent.len());
        assert!(client.has_nothing());
    }
}

#[test]
fn a_reset_drops_everything_within_one_poll_and_is_an_io_error() {
    let content = pairs(Ask::get("/").params());
    for records in [
        vec![],
        vec![begin(1)],
        vec![begin(1), params(1, &content)],
        Ask::post("/", "").content_length(Some("10")).head(),
        Ask::get("/").into_iter().collect(),
    ] {
        let (flag, app) = never();
        let (mut server, client) = serve(app);
        client.send(records.clone());
        server.run();
        client.reset();
        server.poll_connection();
        assert!(!server.is_running(), "{records:?}");
        assert!(server.error().is_io(), "{:?} after {records:?}", server.error());
        assert!(client.is_closed());
        drop(server);
        assert!(flag.is_dropped() || records.len() < 3);
    }
}

#[test]
fn a_reset_while_the_connection_drains_is_no_error() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/"));
    server.run();
    assert_eq!(client.response(1).text(), "hello");
    client.reset();
    server.run();
    server.assert_ended_well();
}

#[test]
fn a_reset_while_the_connection_drains_does_not_hide_the_first_error() {
    let (mut server, client) = serve(App::hello());
    client.send(stdin(0, "wrong"));
    server.run();
    client.reset();
    server.run();
    assert!(server.error().is_protocol(), "{:?}", server.error());
}

#[test]
fn a_cut_that_the_peer_does_not_read_at_once_waits_for_it() {
    let (feed, app) = feeding();
    let (mut server, mut client) = serve(app);
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    feed.send("part");
    server.run();
    feed.fail();
    server.run();
    assert!(server.is_running());
    client.read_on();
    server.run();
    let records = client.recv_all();
    assert_eq!(records.last(), Some(&Record::Cut), "{records:?}");
    client.close();
    server.run();
    assert!(server.error().is_user());
}

#[test]
fn a_reset_drops_a_streaming_body_within_one_poll() {
    let (feed, app) = feeding();
    let (mut server, client) = serve(app);
    client.send(Ask::get("/"));
    feed.send("part");
    server.run();
    client.reset();
    server.poll_connection();
    assert!(feed.is_dropped());
    assert!(server.error().is_io());
}

#[test]
fn a_write_that_fails_drops_everything_and_is_an_io_error() {
    for exec in Exec::ALL {
        let (feed, app) = feeding();
        let (mut server, client) = serve_with(&builder(), exec, app);
        client.send(begin(9));
        client.send(Ask::get("/").id(2));
        server.run();
        client.break_writes();
        feed.send("part");
        server.run();
        assert!(feed.is_dropped(), "{exec:?}");
        assert!(server.error().is_io(), "{exec:?}: {:?}", server.error());
        assert_eq!(server.tasks().live(), 0);
    }
}

#[test]
fn the_io_error_is_the_source() {
    let (mut server, client) = serve(App::hello());
    client.reset();
    server.run();
    let source = std::error::Error::source(server.error()).unwrap();
    let io = source.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(io.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_dropped_connection_drops_all_it_owns_and_fails_bodies_elsewhere() {
    for exec in Exec::ALL {
        let (seen, _latch, app) = App::parked();
        let (mut server, client) = serve_with(&builder(), exec, app);
        client.send(begin(9));
        client.send(Ask::post("/", "").id(2).content_length(None).head());
        server.run();
        let mut body = seen.take_one().into_body();
        let wake = wait_for(&mut body);
        server.drop_connection();
        server.run();
        assert!(wake.take(), "{exec:?}");
        let error = take_error(&mut body);
        assert!(error.is_canceled(), "{exec:?}: {error:?}");
        assert!(client.is_closed());
        assert_eq!(server.tasks().live(), 0);
    }
}

#[test]
fn a_dropped_connection_drops_a_handler_and_a_streaming_body() {
    let (flag, app) = never();
    let (mut server, client) = serve(app);
    client.send(Ask::get("/"));
    server.run();
    server.drop_connection();
    assert!(flag.is_dropped());
    let (feed, app) = feeding();
    let (mut server, client_too) = serve(app);
    client_too.send(Ask::get("/"));
    server.run();
    server.drop_connection();
    assert!(feed.is_dropped());
    assert!(client.is_closed() && client_too.is_closed());
}

#[test]
fn an_error_of_the_service_is_a_500_and_the_connection_lives_on() {
    for exec in Exec::ALL {
        let app = App::fallible(|request: Request<Incoming>| async move {
            match request.uri().path() {
                "/fails" => Err("a secret cause".into()),
                _ => Ok(text("fine")),
            }
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(begin(9).keep_conn());
        for id in [1, 2] {
            client.send(Ask::get("/fails").id(id).keep_conn());
            server.run();
            let response = client.response(id);
            assert_eq!((response.status, response.protocol_status), (500, 0), "{exec:?}");
            assert!(!response.text().contains("secret"));
            assert!(response.stderr.is_empty());
            client.send(Ask::get("/").id(id).keep_conn());
            server.run();
            assert_eq!(client.response(id).text(), "fine");
        }
    }
}

#[test]
fn an_error_of_poll_ready_is_a_500() {
    let app = App::hello().poll_ready_with(|_| Poll::Ready(Err("not ready, ever".into())));
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).status, 500);
}

#[test]
fn a_service_that_is_not_ready_for_one_request_does_not_stop_the_others() {
    for exec in Exec::ALL {
        let waiting: Arc<Mutex<(usize, Option<Waker>)>> = Arc::default();
        let app = App::hello().poll_ready_with({
            let waiting = waiting.clone();
            move |cx| {
                let mut state = waiting.lock().unwrap();
                state.0 += 1;
                if state.0 == 1 {
                    state.1 = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(Ok(()))
            }
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(Ask::get("/").keep_conn());
        server.run();
        client.send(Ask::get("/").id(2).keep_conn());
        server.run();
        assert_eq!(client.response(2).text(), "hello", "{exec:?}");
        assert!(client.has_nothing());
        waiting.lock().unwrap().1.take().unwrap().wake();
        server.run();
        assert_eq!(client.response(1).text(), "hello", "{exec:?}");
    }
}

#[test]
fn a_panic_before_the_head_is_a_500_and_harms_nobody_else() {
    for exec in Exec::ALL {
        for place in ["/call", "/future", "/drop"] {
            let (mut server, mut client) = serve_with(&builder(), exec, panicking());
            client.send(Ask::get("/waits").keep_conn());
            server.run();
            for id in [2, 3] {
                client.send(Ask::get(place).id(id).keep_conn());
                server.run();
                assert_eq!(client.response(id).status, 500, "{exec:?} {place}");
            }
            client.send(abort(1));
            server.run();
            assert_aborted(&mut client, 1);
            client.send(Ask::get("/fine").keep_conn());
            server.run();
            assert_eq!(client.response(1).text(), "fine", "{exec:?} {place}");
        }
    }
}

#[test]
fn a_panic_of_the_only_request_before_the_head_is_a_500_and_the_connection_lives_on() {
    for place in ["/call", "/future"] {
        let (mut server, mut client) = serve(panicking());
        client.send(Ask::get(place).keep_conn());
        server.run();
        assert_eq!(client.response(1).status, 500, "{place}");
        client.send(Ask::get("/fine").keep_conn());
        server.run();
        assert_eq!(client.response(1).text(), "fine", "{place}");
    }
}

#[test]
fn a_panic_in_poll_ready_is_a_500_for_its_own_request() {
    for exec in Exec::ALL {
        let calls = Mutex::new(0);
        let app = App::hello().poll_ready_with(move |_| {
            let call = {
                let mut calls = calls.lock().unwrap();
                *calls += 1;
                *calls
            };
            assert!(call != 1, "poll_ready panics");
            Poll::Ready(Ok(()))
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(begin(9).keep_conn());
        for (id, status) in [(1, 500), (2, 200), (1, 200)] {
            client.send(Ask::get("/").id(id).keep_conn());
            server.run();
            assert_eq!(client.response(id).status, status, "{exec:?}");
        }
    }
}

#[test]
fn a_panic_in_the_drop_of_an_aborted_handler_harms_nobody() {
    for exec in Exec::ALL {
        let app = App::new(|request: Request<Incoming>| async move {
            if request.uri().path() == "/fine" {
                return text("fine");
            }
            let _bomb = DropBomb;
            pending::<Response<Full<Bytes>>>().await
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(begin(9).keep_conn());
        client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
        server.run();
        client.send([abort(1), abort(2)]);
        server.run();
        assert_eq!(ends(&client.recv_all()), 2, "{exec:?}");
        client.send(Ask::get("/fine").keep_conn());
        server.run();
        assert_eq!(client.response(1).text(), "fine", "{exec:?}");
    }
}

#[test]
fn a_panic_in_the_drop_of_a_handler_when_the_peer_closes_stays_within() {
    for exec in Exec::ALL {
        let flag = DropFlag::default();
        let app = App::new({
            let flag = flag.clone();
            move |request: Request<Incoming>| {
                let guard = flag.guard();
                async move {
                    if request.uri().path() == "/good" {
                        let _guard = guard;
                        return pending::<Response<Full<Bytes>>>().await;
                    }
                    let _bomb = DropBomb;
                    pending::<Response<Full<Bytes>>>().await
                }
            }
        });
        let (mut server, client) = serve_with(&builder(), exec, app);
        client.send(Ask::get("/bomb"));
        client.send(Ask::get("/bomb").id(2));
        client.send(Ask::get("/good").id(3));
        server.run();
        client.close();
        server.run();
        assert!(flag.is_dropped(), "{exec:?}");
        assert!(server.error().is_canceled(), "{exec:?}: {:?}", server.error());
    }
}

#[test]
fn a_panic_in_the_drop_of_a_response_extension_is_a_500_and_harms_nobody() {
    for exec in Exec::ALL {
        let app = App::new(|request: Request<Incoming>| {
            let mut response = text("fine");
            if request.uri().path() == "/bomb" {
                response.extensions_mut().insert(Arc::new(DropBomb));
            }
            ready(response)
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(begin(9).keep_conn());
        client.send(Ask::get("/bomb").keep_conn());
        client.send(Ask::get("/").id(2).keep_conn());
        server.run();
        assert_eq!(client.response(1).status, 500, "{exec:?}");
        assert_eq!(client.response(2).text(), "fine", "{exec:?}");
    }
}

#[test]
fn a_panic_in_the_drop_of_a_response_body_harms_nobody() {
    for exec in Exec::ALL {
        let app = App::new(|request: Request<Incoming>| {
            let body = if request.uri().path() == "/fine" { None } else { Some(DropBomb) };
            ready(Response::new(Bombed { _bomb: body, data: Some(Bytes::from("data")) }))
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(begin(9).keep_conn());
        for id in [1, 2] {
            client.send(Ask::get("/").id(id).keep_conn());
            server.run();
            assert_eq!(client.response(id).text(), "data", "{exec:?}: it was whole");
        }
        client.send(Ask::get("/fine").keep_conn());
        server.run();
        assert_eq!(client.response(1).text(), "data", "{exec:?}");
    }
}

#[test]
fn a_body_that_fails_after_the_head_is_cut_when_its_request_is_alone() {
    for panics in [false, true] {
        for ask in [Ask::get("/"), Ask::get("/").keep_conn()] {
            for length in [None, Some(100)] {
                let (feed, app) = feeding_of_length(length);
                let (mut server, mut client) = serve(app);
                client.send(ask.clone());
                feed.send("part");
                server.run();
                break_body(&feed, panics);
                server.run();
                let records = client.recv_all();
                assert_eq!(records.last(), Some(&Record::Cut), "{records:?}");
                assert_eq!(ends(&records), 0);
                assert!(!has_empty_stdout(&records), "the end of STDOUT says that it is whole");
                assert!(client.write_half_is_shut(), "the peer reads all, and then the end");
                assert!(!client.is_closed(), "a reset could take what it has not read");
                client.close();
                server.run();
                assert!(server.error().is_user(), "{:?}", server.error());
                assert!(client.is_closed());
            }
        }
    }
}

#[test]
fn a_body_that_fails_at_its_first_frame_is_a_500_or_cut() {
    let (feed, app) = feeding();
    feed.fail();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    let records = client.recv_all();
    assert!(records.last() == Some(&Record::Cut) || ends(&records) == 1, "{records:?}");
}

#[test]
fn a_body_that_fails_beside_siblings_ends_when_its_length_shows_the_cut() {
    for exec in Exec::ALL {
        for panics in [false, true] {
            let (latch, feed, app) = feeding_beside_a_sibling(Some(100));
            let (mut server, mut client) = serve_with(&builder(), exec, app);
            client.send(Ask::get("/sibling").keep_conn());
            client.send(Ask::get("/fails").id(2).keep_conn());
            feed.send("part");
            server.run();
            break_body(&feed, panics);
            server.run();
            let records = client.recv_all();
            assert_eq!(records.last(), Some(&Record::end(2)), "{exec:?} {panics} {records:?}");
            latch.open();
            server.run();
            assert_eq!(client.response(1).text(), "sibling", "{exec:?}");
            client.send(Ask::get("/sibling").keep_conn());
            server.run();
            assert_eq!(client.response(1).text(), "sibling", "{exec:?}: the connection lives on");
        }
    }
}

#[test]
fn a_body_that_fails_beside_siblings_without_a_length_is_cut_when_they_are_answered() {
    for exec in Exec::ALL {
        for panics in [false, true] {
            let (latch, feed, app) = feeding_beside_a_sibling(None);
            let (mut server, mut client) = serve_with(&builder(), exec, app);
            client.send(Ask::get("/sibling").keep_conn());
            client.send(Ask::get("/fails").id(2).keep_conn());
            feed.send("part");
            server.run();
            break_body(&feed, panics);
            server.run();
            let records = client.recv_all();
            assert_eq!(ends(&records), 0, "{exec:?} {panics} {records:?}");
            assert!(!records.contains(&Record::Cut) && !has_empty_stdout(&records));
            assert!(!client.write_half_is_shut());
            latch.open();
            server.run();
            assert_eq!(client.response(1).text(), "sibling", "{exec:?}");
            assert_eq!(client.recv_all(), [Record::Cut], "{exec:?}");
            client.close();
            server.run();
            assert!(server.error().is_user(), "{exec:?}: {:?}", server.error());
            assert!(client.is_closed());
        }
    }
}

#[test]
fn a_body_shorter_than_its_length_is_cut() {
    let (feed, app) = feeding_of_length(Some(100));
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    feed.send("part");
    feed.end();
    server.run();
    let records = client.recv_all();
    assert_eq!(ends(&records), 0, "{records:?}");
    assert_eq!(records.last(), Some(&Record::Cut));
}

#[test]
fn a_body_longer_than_its_length_ends_at_its_length() {
    let (feed, app) = feeding_of_length(Some(6));
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    feed.send("four");
    feed.send("four");
    feed.send("four");
    feed.end();
    server.run();
    assert_eq!(client.response(1).text(), "fourfo");
    client.send(abort(1));
    server.run();
    assert!(client.has_nothing());
}

#[test]
fn the_transport_comes_back_when_the_connection_is_over() {
    let (io, _shared) = support::pipe();
    let mut connection = builder().serve_connection(io, App::hello());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Future::poll(Pin::new(&mut connection), &mut cx).is_pending());
    let parts = connection.into_parts();
    let _: (support::Pipe, App) = (parts.io, parts.service);
}

#[test]
fn graceful_shutdown_ends_an_idle_connection_at_once_without_a_timer() {
    for requests in [0, 1] {
        let (mut server, mut client) = serve(App::hello());
        for _ in 0..requests {
            client.send(Ask::get("/").keep_conn());
            server.run();
            client.response(1);
        }
        server.run();
        server.graceful_shutdown();
        server.run();
        assert!(client.write_half_is_shut());
        client.close();
        server.run();
        server.assert_ended_well();
    }
}

#[test]
fn graceful_shutdown_lets_what_is_live_finish() {
    for exec in Exec::ALL {
        let (_, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
        client.send(begin(3).keep_conn());
        server.run();
        server.graceful_shutdown();
        server.run();
        assert!(!client.write_half_is_shut());
        client.send(Ask::get("/").id(3).into_iter().skip(1));
        client.send(Ask::get("/").id(4).keep_conn());
        server.run();
        latch.open();
        server.run();
        for id in [1, 2, 3, 4] {
            assert_eq!(client.response(id).text(), "parked", "{exec:?} id {id}");
        }
        assert!(client.write_half_is_shut());
        client.close();
        server.run();
        server.assert_ended_well();
    }
}

#[test]
fn graceful_shutdown_lets_an_upload_finish() {
    let (mut server, mut client) = serve(App::echo());
    client.send(Ask::post("/", "").content_length(Some("8")).keep_conn().head());
    client.send(stdin(1, "half"));
    server.run();
    server.graceful_shutdown();
    server.run();
    client.send(stdin(1, "half"));
    server.run();
    assert_eq!(client.response(1).text(), "halfhalf");
    assert!(client.write_half_is_shut());
}

#[test]
fn graceful_shutdown_twice_or_after_the_end_of_the_answers_is_harmless() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/").head());
    server.run();
    server.graceful_shutdown();
    server.graceful_shutdown();
    server.run();
    assert_eq!(client.response(1).text(), "hello");
    client.close();
    server.run();
    server.assert_ended_well();
}

#[test]
fn each_begin_is_ended_once_however_events_meet() {
    for exec in Exec::ALL {
        let (latch, feed, app) = feeding_beside_a_sibling(Some(4));
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(Ask::get("/sibling").keep_conn());
        client.send(Ask::get("/fails").id(2).keep_conn());
        server.run();
        // The body's last frame, its failure and the abort are there together.
        feed.send("part");
        feed.end();
        feed.fail();
        latch.open();
        client.send([abort(2), abort(1), abort(2)]);
        server.run();
        assert_eq!(ends(&client.recv_all()), 2, "{exec:?}");
    }
}

/// A handler that never answers, and whether it was dropped.
fn never() -> (DropFlag, App) {
    let flag = DropFlag::default();
    let app = App::new({
        let flag = flag.clone();
        move |_| {
            let guard = flag.guard();
            async move {
                let _guard = guard;
                pending::<Response<Full<Bytes>>>().await
            }
        }
    });
    (flag, app)
}

fn feeding() -> (Feed, App) {
    feeding_of_length(None)
}

fn feeding_of_length(length: Option<u64>) -> (Feed, App) {
    let (feed, body) = feed();
    let body = Mutex::new(Some(match length {
        Some(length) => body.of_length(length),
        None => body,
    }));
    let app = App::new(move |_| ready(Response::new(body.lock().unwrap().take().unwrap())));
    (feed, app)
}

/// "/fails" is answered with the feed, everything else with "sibling" once the latch is open.
fn feeding_beside_a_sibling(length: Option<u64>) -> (Latch, Feed, App) {
    let (feed, body) = feed();
    let body = match length {
        Some(length) => body.of_length(length),
        None => body,
    };
    let (latch, app) = App::fed_beside_parked("/fails", body, "sibling");
    (latch, feed, app)
}

fn break_body(feed: &Feed, panics: bool) {
    if panics { feed.panic() } else { feed.fail() }
}

/// Panics where its path says.
fn panicking() -> App {
    App::new(|request: Request<Incoming>| {
        let path = request.uri().path().to_owned();
        assert!(path != "/call", "call panics");
        async move {
            assert!(path != "/future", "the future panics");
            if path == "/waits" {
                pending::<()>().await;
            }
            let _bomb = (path == "/drop").then(|| DropBomb);
            text("fine")
        }
    })
}

struct DropBomb;

impl Drop for DropBomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the drop panics");
        }
    }
}

/// One frame, and a `Drop` that may panic.
struct Bombed {
    _bomb: Option<DropBomb>,
    data: Option<Bytes>,
}

impl Body for Bombed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.data.take().map(|data| Ok(Frame::data(data))))
    }
}

struct Endless {
    _guard: support::DropGuard,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 4096])))))
    }
}

fn poll_body(body: &mut Incoming) -> Poll<Option<Result<Bytes, Error>>> {
    let frame = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
    frame.map_ok(|frame| frame.into_data().expect("FastCGI has no trailers"))
}

/// Polls the body in a task of its own, which must have to wait.
fn wait_for(body: &mut Incoming) -> Arc<CountingWake> {
    let wake = Arc::new(CountingWake::asleep());
    let waker = Waker::from(wake.clone());
    assert!(Pin::new(body).poll_frame(&mut Context::from_waker(&waker)).is_pending());
    wake
}

fn take_error(body: &mut Incoming) -> Error {
    match poll_body(body) {
        Poll::Ready(Some(Err(error))) => error,
        other => panic!("no error but {other:?}"),
    }
}

fn ends(records: &[Record]) -> usize {
    records.iter().filter(|record| matches!(record, Record::End { .. })).count()
}

fn has_empty_stdout(records: &[Record]) -> bool {
    records
        .iter()
        .any(|record| matches!(record, Record::Stdout { content, .. } if content.is_empty()))
}
