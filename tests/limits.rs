//! The options that bound what a peer may send and how long it may take, on a paused clock.

mod support;

use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::Response;
use http_body::Body;
use hyper_util::rt::TokioTimer;
use support::{
    App, Ask, Client, Exec, Feed, Rec, Record, Server, Sink, begin, body_of, builder, end_params,
    feed, get_values, pairs, params, pipe, serve, serve_with, stdin, text,
};
use tower_fastcgi::Incoming;
use tower_fastcgi::server::Builder;

#[test]
fn params_of_more_than_128_kib_are_answered_431_and_the_next_request_is_served() {
    for (size, status) in [(SIZE_LIMIT, 200), (SIZE_LIMIT + 1, 431), (10 << 20, 431)] {
        let (mut server, mut client) = serve(App::hello());
        client.send(request_of_size(size));
        server.run();
        assert_eq!(client.response(1).status, status, "{size} bytes of params");
        assert_lives_on(&mut server, &mut client);
    }
}

#[test]
fn more_than_512_params_are_answered_431_and_the_next_request_is_served() {
    for (count, status) in [(512, 200), (513, 431), (20_000, 431)] {
        let (mut server, mut client) = serve(App::hello());
        client.send(request_of_pairs(count));
        server.run();
        assert_eq!(client.response(1).status, status, "{count} params");
        assert_lives_on(&mut server, &mut client);
    }
}

#[test]
fn the_limits_of_params_are_options() {
    let mut builder = builder();
    builder.max_params(30).max_params_size(2000);
    for (records, status) in [
        (request_of_pairs(30), 200),
        (request_of_pairs(31), 431),
        (request_of_size(2000), 200),
        (request_of_size(2001), 431),
    ] {
        let (mut server, mut client) = serve_with(&builder, Exec::InPlace, App::hello());
        client.send(records);
        server.run();
        assert_eq!(client.response(1).status, status);
        assert_lives_on(&mut server, &mut client);
    }
}

#[test]
fn one_value_that_announces_more_than_the_limit_is_answered_431_or_400() {
    let (mut server, mut client) = serve(App::hello());
    let content = b"\x0e\xff\xff\xff\xffREQUEST_METHOD";
    client.send([begin(1).keep_conn(), params(1, content), end_params(1)]);
    server.run();
    assert!(matches!(client.response(1).status, 400 | 431));
    assert_lives_on(&mut server, &mut client);
}

#[test]
fn the_service_never_sees_an_oversized_request() {
    let seen = Sink::default();
    let app = App::new({
        let seen = seen.clone();
        move |_| {
            seen.put(());
            ready(text("seen"))
        }
    });
    let (mut server, client) = serve(app);
    client.send(request_of_size(SIZE_LIMIT + 1));
    client.send(request_of_pairs(513).into_iter().map(|record| record.id(2)));
    server.run();
    assert!(seen.take().is_empty());
}

#[test]
fn an_oversized_request_with_a_body_is_answered_though_its_body_still_comes() {
    let (mut server, mut client) = serve(App::hello());
    let ask = Ask::post("/", vec![b'x'; 100_000]).keep_conn().param("BIG", vec![b'v'; SIZE_LIMIT]);
    client.send(ask);
    server.run();
    assert_eq!(client.response(1).status, 431);
    assert_lives_on(&mut server, &mut client);
}

#[test]
fn an_oversized_request_leaves_a_sibling_alone() {
    for exec in Exec::ALL {
        let (_, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(Ask::get("/").id(5).keep_conn());
        client.send(request_of_pairs(513));
        server.run();
        assert_eq!(client.response(1).status, 431);
        latch.open();
        server.run();
        assert_eq!(client.response(5).text(), "parked");
    }
}

#[test]
fn malformed_requests_are_answered_400_and_the_next_one_is_served() {
    let good = Ask::get("/").params();
    let without = |name: &str| good.iter().filter(|(n, _)| n != name).cloned().collect::<Vec<_>>();
    let with = |name: &str, value: &str| {
        let mut params = without(name);
        params.push((name.to_owned(), value.as_bytes().to_vec()));
        pairs(params)
    };
    let whole = pairs(good.clone());
    for (what, content) in [
        ("nothing", vec![]),
        ("cut pair", whole[..whole.len() - 1].to_vec()),
        ("no method", pairs(without("REQUEST_METHOD"))),
        ("method", with("REQUEST_METHOD", "GE T")),
        ("empty method", with("REQUEST_METHOD", "")),
        ("content length", with("CONTENT_LENGTH", "many")),
    ] {
        let (mut server, mut client) = serve(App::hello());
        client.send([begin(1).keep_conn(), params(1, content), end_params(1)]);
        server.run();
        let response = client.response(1);
        assert_eq!((response.status, response.protocol_status), (400, 0), "{what}");
        assert_lives_on(&mut server, &mut client);
    }
}

#[tokio::test(start_paused = true)]
async fn params_a_byte_at_a_time_are_served_within_the_time() {
    let (mut server, mut client) = serve_timed(App::hello());
    let wire = support::bytes_of(Ask::get("/").keep_conn());
    assert!(wire.len() < 590);
    for byte in wire {
        client.send_bytes([byte]);
        server.advance(Duration::from_millis(50)).await;
    }
    assert_eq!(client.response(1).text(), "hello");
}

#[tokio::test(start_paused = true)]
async fn params_that_take_longer_than_30_seconds_from_begin_end_the_connection() {
    let (mut server, client) = serve_timed(App::hello());
    client.send(begin(1).keep_conn());
    server.advance(Duration::from_millis(29_900)).await;
    client.send(params(1, b"\x01\x01AB"));
    server.run();
    assert!(!client.write_half_is_shut());
    server.advance(Duration::from_millis(200)).await;
    assert!(client.write_half_is_shut() || !server.is_running());
    client.close();
    server.run();
    assert!(server.error().is_timeout(), "{:?}", server.error());
}

#[tokio::test(start_paused = true)]
async fn a_trickle_of_params_does_not_prolong_the_time() {
    let (mut server, client) = serve_timed(App::hello());
    client.send(begin(1).keep_conn());
    let mut seconds = 0;
    while server.is_running() && !client.write_half_is_shut() {
        client.send(params(1, b"\x01\x01AB"));
        server.advance(Duration::from_secs(1)).await;
        seconds += 1;
        assert!(seconds <= 31, "still waiting");
    }
    assert!(seconds >= 30, "after {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn params_that_take_too_long_leave_a_sibling_alone() {
    for exec in Exec::ALL {
        let (_, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&timed(), exec, app);
        client.send(Ask::get("/").keep_conn());
        client.send(begin(2).keep_conn());
        server.advance(Duration::from_secs(31)).await;
        assert_eq!(client.response(2).status, 408, "{exec:?}");
        server.advance(Duration::from_secs(300)).await;
        latch.open();
        server.run();
        assert_eq!(client.response(1).text(), "parked", "{exec:?}");
        assert!(client.write_half_is_shut());
    }
}

#[tokio::test(start_paused = true)]
async fn with_half_close_params_that_never_end_leave_a_sibling_alone() {
    for exec in Exec::ALL {
        let mut builder = timed();
        builder.half_close(true);
        let (_, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&builder, exec, app);
        client.send(Ask::get("/").keep_conn());
        client.send(begin(2).keep_conn());
        server.run();
        client.close();
        server.advance(Duration::from_secs(300)).await;
        latch.open();
        server.run();
        assert_eq!(client.response(1).text(), "parked", "{exec:?}");
        assert!(server.error().is_incomplete(), "{exec:?}: {:?}", server.error());
    }
}

#[tokio::test(start_paused = true)]
async fn params_that_wait_behind_an_unread_body_are_not_late() {
    for exec in Exec::ALL {
        let (_seen, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&timed(), exec, app);
        let mut second: Vec<_> = Ask::get("/").id(2).keep_conn().into_iter().collect();
        client.send(Ask::post("/", "").content_length(None).keep_conn().head());
        client.send(second.remove(0));
        server.advance(Duration::from_secs(20)).await;
        client.send(body_of(1, &vec![0; 1 << 20]));
        client.send(second);
        server.advance(Duration::from_secs(25)).await;
        assert!(client.has_nothing(), "{exec:?}: the body has not stalled yet");
        server.advance(Duration::from_secs(10)).await;
        latch.open();
        server.run();
        [1, 2].into_iter().for_each(|id| assert_eq!(client.response(id).text(), "parked"));
        assert!(!client.write_half_is_shut(), "{exec:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn params_that_are_complete_have_no_timeout_however_long_the_handler_takes() {
    let (_, latch, app) = App::parked();
    let (mut server, mut client) = serve_timed(app);
    client.send(Ask::get("/").keep_conn());
    server.advance(Duration::from_secs(600)).await;
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "parked");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_pauses_has_no_timeout() {
    let (mut server, mut client) = serve_timed(App::echo());
    client.send(Ask::post("/", "").content_length(Some("8")).keep_conn().head());
    client.send(stdin(1, "half"));
    server.advance(Duration::from_secs(600)).await;
    client.send(stdin(1, "half"));
    server.run();
    assert_eq!(client.response(1).text(), "halfhalf");
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_may_stay_idle_by_default() {
    let (mut server, mut client) = serve_timed(App::hello());
    for _ in 0..3 {
        server.advance(Duration::from_secs(600)).await;
        client.send(Ask::get("/").keep_conn());
        server.run();
        assert_eq!(client.response(1).text(), "hello");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_timeout_closes_a_kept_connection_and_nothing_else() {
    let mut builder = timed();
    builder.idle_timeout(Duration::from_secs(10));
    let (_, latch, app) = App::parked();
    let (mut server, mut client) = serve_with(&builder, Exec::InPlace, app);
    client.send(Ask::get("/").keep_conn());
    server.advance(Duration::from_secs(60)).await;
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "parked");
    server.advance(Duration::from_millis(9_900)).await;
    assert!(!client.write_half_is_shut());
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.response(1);
    server.advance(Duration::from_millis(9_900)).await;
    assert!(!client.write_half_is_shut(), "the request was activity");
    server.advance(Duration::from_millis(200)).await;
    assert!(client.write_half_is_shut());
    client.close();
    server.run();
    server.assert_ended_well();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_for_60_seconds_is_given_up() {
    let (mut server, client) = serve_timed(App::hello());
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    server.advance(Duration::from_millis(59_900)).await;
    assert!(server.is_running());
    server.advance(Duration::from_millis(200)).await;
    assert!(server.error().is_timeout(), "{:?}", server.error());
    assert!(client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_a_byte_now_and_then_is_not_given_up() {
    let (mut server, mut client) = serve_timed(App::hello());
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    server.run();
    for _ in 0..10 {
        server.advance(Duration::from_secs(50)).await;
        client.read_only(1);
        server.run();
    }
    client.read_on();
    server.run();
    assert_eq!(client.response(1).text(), "hello");
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_no_slow_peer() {
    let (feed, app) = feeding();
    let (mut server, mut client) = serve_timed(app);
    client.send(Ask::get("/").keep_conn());
    for _ in 0..5 {
        server.advance(Duration::from_secs(100)).await;
        feed.send("x");
    }
    feed.end();
    server.run();
    assert_eq!(client.response(1).text(), "xxxxx");
}

#[tokio::test(start_paused = true)]
async fn an_echo_larger_than_all_buffers_to_a_peer_that_writes_first_ends_with_a_timeout() {
    let (mut server, client) = serve_timed(App::stream_echo());
    client.stop_reading();
    client.send(Ask::post("/", "").content_length(Some("8388608")).keep_conn().head());
    client.send(body_of(1, &vec![b'x'; 8 << 20]));
    server.advance(Duration::from_millis(59_000)).await;
    assert!(server.is_running());
    let read = client.bytes_read();
    assert!(read < 1 << 20, "{read} bytes read into buffers");
    server.advance(Duration::from_millis(1_200)).await;
    assert!(server.error().is_timeout(), "{:?}", server.error());
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_progress_ends_after_5_seconds() {
    let (mut server, client) = serve_timed(App::hello());
    client.send(Ask::get("/").head());
    server.advance(Duration::from_millis(4_900)).await;
    assert!(server.is_running());
    server.advance(Duration::from_millis(200)).await;
    assert!(!server.is_running());
    assert!(client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_drain_with_progress_goes_on_past_5_seconds_and_ends_after_30_in_all() {
    let (mut server, client) = serve_timed(App::hello());
    client.send(Ask::post("/", "").content_length(Some("99999999")).head());
    server.run();
    let mut seconds = 0;
    while server.is_running() {
        client.send(stdin(1, vec![0; 60_000]));
        server.advance(Duration::from_secs(1)).await;
        seconds += 1;
        assert!(seconds <= 31, "still draining");
    }
    assert!((29..=31).contains(&seconds), "after {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_drain_takes_any_number_of_bytes() {
    let (mut server, client) = serve_timed(App::hello());
    client.send(Ask::post("/", "").content_length(Some("99999999")).head());
    server.run();
    for _ in 0..20 {
        client.send(body_of(1, &vec![0; 1 << 20]));
        server.advance(Duration::from_secs(1)).await;
        assert_eq!(client.unread(), 0);
    }
    assert!(server.is_running());
    client.close();
    server.run();
    server.assert_ended_well();
}

#[tokio::test(start_paused = true)]
async fn after_a_protocol_error_the_drain_ends_in_time_too() {
    let (mut server, client) = serve_timed(App::hello());
    client.send_bytes("GET / HTTP/1.1\r\n\r\n");
    server.advance(Duration::from_millis(4_900)).await;
    assert!(server.is_running());
    server.advance(Duration::from_millis(200)).await;
    assert!(server.error().is_protocol(), "the first error is told: {:?}", server.error());
    assert!(client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_never_comes_back_ends_in_time() {
    let (mut server, client) = serve_timed(App::hello());
    client.hold_shutdown(true);
    client.send(Ask::get("/"));
    server.advance(Duration::from_secs(61)).await;
    assert!(!server.is_running());
    assert!(client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_its_siblings_for_30_seconds_fails_and_they_go_on() {
    for exec in Exec::ALL {
        let (seen, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&timed(), exec, app);
        for id in [1, 2] {
            client.send(Ask::post("/", "").id(id).content_length(None).keep_conn().head());
        }
        server.run();
        client.send(body_of(1, &vec![0; 1 << 20]));
        client.send([stdin(2, "sibling"), support::end_stdin(2)]);
        server.advance(Duration::from_millis(29_000)).await;
        assert!(client.unread() > 0, "{exec:?}: it waits for the body to be read");
        server.advance(Duration::from_millis(1_200)).await;
        assert_eq!(client.unread(), 0, "{exec:?}: the rest is discarded");
        let mut requests = seen.take().into_iter();
        let (mut stalled, mut sibling) =
            (requests.next().unwrap().into_body(), requests.next().unwrap().into_body());
        let error = last_error(&mut stalled).expect("the body failed");
        assert!(error.is_stalled(), "{exec:?}: {error:?}");
        assert!(last_error(&mut sibling).is_none(), "{exec:?}");
        latch.open();
        server.run();
        [1, 2].into_iter().for_each(|id| assert_eq!(client.response(id).text(), "parked"));
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_stalled_bodies_fail_as_it_takes_to_read_on_for_a_while() {
    for exec in Exec::ALL {
        let (seen, _latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&timed(), exec, app);
        let ids = 1..=40;
        for id in ids.clone() {
            client.send(Ask::post("/", "").id(id).content_length(None).keep_conn().head());
        }
        server.run();
        let requests = seen.take();
        // 320 KiB, of which no single one brings the connection far below its 256 KiB.
        client.send(ids.flat_map(|id| body_of(id, &[0; 8 * 1024])).collect::<Vec<_>>());
        client.send(get_values(&[]));
        server.advance(Duration::from_millis(29_500)).await;
        assert!(client.has_nothing(), "{exec:?}");
        server.advance(Duration::from_secs(1)).await;
        assert_eq!(client.recv_all(), [Record::Values(vec![])], "{exec:?}");
        let errors =
            requests.into_iter().filter_map(|request| last_error(&mut request.into_body()));
        let stalled = errors.filter(tower_fastcgi::Error::is_stalled).count();
        assert!((9..=26).contains(&stalled), "{exec:?}: {stalled} bodies failed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_read_a_little_now_and_then_does_not_stall() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve_with(&timed(), Exec::InPlace, app);
    for id in [1, 2] {
        client.send(Ask::post("/", "").id(id).content_length(None).keep_conn().head());
    }
    server.run();
    client.send(body_of(1, &vec![0; 4 << 20]));
    server.run();
    let mut body = seen.take().remove(0).into_body();
    for _ in 0..20 {
        server.advance(Duration::from_secs(20)).await;
        match poll_body(&mut body) {
            Poll::Ready(Some(Ok(_))) => {}
            other => panic!("{other:?}"),
        }
        server.run();
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_of_the_only_request_may_wait_for_its_handler_for_ever() {
    let (seen, _latch, app) = App::parked();
    let (mut server, client) = serve_timed(app);
    client.send(Ask::post("/", "").content_length(Some("1048576")).keep_conn().head());
    server.run();
    client.send(body_of(1, &vec![0; 1 << 20]));
    server.advance(Duration::from_secs(300)).await;
    let mut body = seen.take_one().into_body();
    let mut taken = 0;
    while let Poll::Ready(Some(data)) = poll_body(&mut body) {
        taken += data.unwrap();
        server.run();
    }
    assert_eq!(taken, 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn siblings_of_a_cut_response_may_finish_for_the_drain_timeout() {
    for (wait, answered) in [(4, true), (31, false)] {
        let (feed, body) = feed();
        let (latch, app) = App::fed_beside_parked("/fails", body, "sibling");
        let (mut server, mut client) = serve_timed(app);
        client.send(Ask::get("/").keep_conn());
        client.send(Ask::get("/fails").id(2).keep_conn());
        feed.send("part");
        server.run();
        feed.fail();
        server.advance(Duration::from_secs(wait)).await;
        latch.open();
        server.run();
        let response = client.try_response(1);
        assert_eq!(response.is_some(), answered, "after {wait} s");
        assert_eq!(client.recv_all().last(), Some(&Record::Cut));
        client.close();
        server.run();
        assert!(server.error().is_user(), "{:?}", server.error());
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_given_up_after_a_wrong_record_is_visibly_cut() {
    let (feed, app) = feeding();
    let (mut server, mut client) = serve_timed(app);
    client.send(Ask::get("/"));
    feed.send("part");
    server.run();
    client.send_bytes([9; 8]);
    server.advance(Duration::from_secs(29)).await;
    assert!(!feed.is_dropped(), "it may finish");
    server.advance(Duration::from_secs(2)).await;
    assert!(feed.is_dropped());
    assert_eq!(client.recv_all().last(), Some(&Record::Cut));
    client.close();
    server.run();
    assert!(server.error().is_protocol(), "{:?}", server.error());
}

#[tokio::test(start_paused = true)]
async fn graceful_shutdown_waits_a_quiet_200_ms_for_a_request_that_was_on_its_way() {
    let (mut server, mut client) = serve_timed(App::hello());
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.response(1);
    server.graceful_shutdown();
    server.advance(Duration::from_millis(150)).await;
    assert!(!client.write_half_is_shut());
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "hello");
    server.advance(Duration::from_millis(300)).await;
    assert!(client.write_half_is_shut());
    client.close();
    server.run();
    server.assert_ended_well();
}

#[tokio::test(start_paused = true)]
async fn graceful_shutdown_of_a_quiet_connection_ends_it_after_200_ms() {
    let (mut server, client) = serve_timed(App::hello());
    server.run();
    server.graceful_shutdown();
    server.advance(Duration::from_millis(150)).await;
    assert!(!client.write_half_is_shut());
    server.advance(Duration::from_millis(100)).await;
    assert!(client.write_half_is_shut());
}

#[tokio::test(start_paused = true)]
async fn graceful_shutdown_waits_its_200_ms_after_the_answer_was_taken() {
    let (mut server, mut client) = serve_timed(App::hello());
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    server.run();
    server.graceful_shutdown();
    server.advance(Duration::from_secs(1)).await;
    client.read_on();
    server.run();
    assert_eq!(client.response(1).text(), "hello");
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "hello", "asked as soon as the id was free");
    server.advance(Duration::from_millis(250)).await;
    assert!(client.write_half_is_shut());
}

#[tokio::test(start_paused = true)]
async fn graceful_shutdown_waits_its_200_ms_however_long_the_connection_was_idle() {
    let mut builder = timed();
    builder.idle_timeout(Duration::from_secs(60));
    let (mut server, mut client) = serve_with(&builder, Exec::InPlace, App::hello());
    server.advance(Duration::from_secs(10)).await;
    server.graceful_shutdown();
    server.advance(Duration::from_millis(100)).await;
    // Asked twice, it does not begin anew.
    server.graceful_shutdown();
    server.advance(Duration::from_millis(50)).await;
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "hello");
    server.advance(Duration::from_millis(150)).await;
    server.graceful_shutdown();
    server.advance(Duration::from_millis(100)).await;
    assert!(client.write_half_is_shut());
}

#[tokio::test(start_paused = true)]
async fn the_idle_time_begins_when_the_answer_was_taken() {
    let mut builder = timed();
    builder.idle_timeout(Duration::from_secs(10));
    let (mut server, mut client) = serve_with(&builder, Exec::InPlace, App::hello());
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    server.advance(Duration::from_secs(11)).await;
    client.read_on();
    server.advance(Duration::from_secs(9)).await;
    client.response(1);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "hello");
}

#[tokio::test(start_paused = true)]
async fn every_timeout_can_be_switched_off() {
    let mut builder = timed();
    builder
        .params_timeout(None)
        .write_timeout(None)
        .stall_timeout(None)
        .idle_timeout(None)
        .drain_timeout(None)
        .drain_limit(None);
    let (mut server, client) = serve_with(&builder, Exec::InPlace, App::hello());
    client.send(begin(1));
    server.advance(Duration::from_secs(120)).await;
    client.stop_reading();
    client.send(Ask::get("/").head().into_iter().skip(1));
    server.advance(Duration::from_secs(120)).await;
    client.read_on();
    server.advance(Duration::from_secs(120)).await;
    assert!(server.is_running());
    assert!(client.write_half_is_shut());
}

#[tokio::test(start_paused = true)]
async fn every_timeout_is_an_option() {
    let second = Duration::from_secs(1);
    let mut builder = timed();
    builder.params_timeout(second).write_timeout(second).drain_timeout(second);
    let (mut server, client) = serve_with(&builder, Exec::InPlace, App::hello());
    client.send(begin(1));
    server.advance(second + Duration::from_millis(100)).await;
    client.close();
    server.run();
    assert!(server.error().is_timeout());

    let (mut server, client) = serve_with(&builder, Exec::InPlace, App::hello());
    client.stop_reading();
    client.send(Ask::get("/"));
    server.advance(second + Duration::from_millis(100)).await;
    assert!(server.error().is_timeout());

    let (mut server, client) = serve_with(&builder, Exec::InPlace, App::hello());
    client.send(Ask::get("/"));
    server.advance(second + Duration::from_millis(100)).await;
    assert!(!server.is_running());
}

#[test]
fn buffer_options_of_0_are_the_least_there_is_and_do_not_hang() {
    let set: [fn(&mut Builder); 3] = [
        |builder| _ = builder.max_send_buf_size(0),
        |builder| _ = builder.max_body_buf_size(0),
        |builder| _ = builder.max_control_buf_size(0),
    ];
    for (at, set) in set.into_iter().enumerate() {
        let mut builder = builder();
        set(&mut builder);
        let (mut server, mut client) = serve_with(&builder, Exec::InPlace, App::echo());
        client.send(Ask::post("/", "body").keep_conn());
        server.run();
        let response = client.try_response(1);
        assert_eq!(response.map(|response| response.text()), Some("body".into()), "option {at}");
    }
}

#[test]
fn without_a_timer_the_default_timeouts_are_off() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "hello");
}

#[test]
fn a_timeout_without_a_timer_panics() {
    let second = Duration::from_secs(1);
    let set: [fn(&mut Builder, Duration); 6] = [
        |builder, time| _ = builder.params_timeout(time),
        |builder, time| _ = builder.write_timeout(time),
        |builder, time| _ = builder.stall_timeout(time),
        |builder, time| _ = builder.idle_timeout(time),
        |builder, time| _ = builder.drain_timeout(time),
        |builder, time| _ = builder.drain_limit(time),
    ];
    for set in set {
        let mut builder = builder();
        set(&mut builder, second);
        let serve = || drop(builder.serve_connection(pipe().0, App::hello()));
        assert!(catch_unwind(AssertUnwindSafe(serve)).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_never_idle_ends_5_seconds_after_it_was_asked_to() {
    let (mut server, mut client) = serve_timed(App::hello());
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.response(1);
    server.graceful_shutdown();
    let mut answered = 0;
    while !client.write_half_is_shut() {
        server.advance(Duration::from_millis(100)).await;
        if !client.write_half_is_shut() {
            client.send(Ask::get("/").keep_conn());
            server.run();
            assert_eq!(client.response(1).status, 200);
            answered += 1;
        }
        assert!(answered < 100, "it goes on for ever");
    }
    assert!((48..=50).contains(&answered), "{answered} requests, one each 100 ms");
    client.close();
    server.run();
    server.assert_ended_well();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_live_when_patience_ends_is_answered() {
    let (_requests, latch, app) = App::parked();
    let (mut server, mut client) = serve_timed(app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    server.graceful_shutdown();
    server.advance(Duration::from_secs(20)).await;
    assert!(!client.write_half_is_shut());
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "parked");
    assert!(client.write_half_is_shut(), "at once");
}

fn timed() -> Builder {
    let mut builder = builder();
    builder.timer(TokioTimer::new());
    builder
}

fn serve_timed(app: App) -> (Server, Client) {
    serve_with(&timed(), Exec::InPlace, app)
}

fn assert_lives_on(server: &mut Server, client: &mut Client) {
    client.send([get_values(&[])]);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.recv(), Some(Record::Values(vec![])));
    assert_eq!(client.response(1).text(), "hello");
}

/// A request with so many bytes of params.
fn request_of_size(size: usize) -> Vec<Rec> {
    let ask = Ask::get("/").keep_conn();
    let plain = pairs(ask.params()).len();
    // The name's length takes one byte, the value's four.
    let value = vec![b'v'; size - plain - 5 - "BIG".len()];
    let ask = ask.param("BIG", value);
    assert_eq!(pairs(ask.params()).len(), size);
    ask.into_iter().collect()
}

fn request_of_pairs(count: usize) -> Vec<Rec> {
    let ask = Ask::get("/").keep_conn();
    let plain = ask.params().len();
    (plain..count).fold(ask, |ask, at| ask.param(&format!("P{at}"), "")).into_iter().collect()
}

fn feeding() -> (Feed, App) {
    let (feed, body) = feed();
    let body = Mutex::new(Some(body));
    let app = App::new(move |_| ready(Response::new(body.lock().unwrap().take().unwrap())));
    (feed, app)
}

fn poll_body(body: &mut Incoming) -> Poll<Option<tower_fastcgi::Result<usize>>> {
    let frame = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
    frame.map_ok(|frame| frame.into_data().expect("FastCGI has no trailers").len())
}

fn last_error(body: &mut Incoming) -> Option<tower_fastcgi::Error> {
    loop {
        match poll_body(body) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => return Some(error),
            Poll::Ready(None) | Poll::Pending => return None,
        }
    }
}

const SIZE_LIMIT: usize = 128 * 1024;
