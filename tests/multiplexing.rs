//! Many requests at a time on one connection, run by the connection itself and on an executor.

mod support;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{Either, Full, StreamBody};
use hyper_util::rt::TokioExecutor;
use support::{
    App, Ask, Client, DropFlag, Exec, Latch, Late, Rec, Record, Server, Sink, abort, begin,
    body_of, builder, bytes_of, end_params, end_stdin, feed, pairs, params, pipe, serve_with,
    stdin, text,
};
use tower_fastcgi::Incoming;

#[test]
fn requests_whose_records_are_interleaved_each_get_their_own_body_back() {
    for exec in Exec::ALL {
        let (mut server, mut client) = serve_with(&builder(), exec, App::echo());
        let ids = [1, 2, 77, 65_535];
        let bodies = ids.map(|id| vec![id as u8; 10_000 + usize::from(id)]);
        client.send(ids.map(|id| begin(id).keep_conn()));
        let param_bytes = pairs(Ask::post("/", "").content_length(None).params());
        for chunk in param_bytes.chunks(50) {
            client.send(ids.map(|id| params(id, chunk)));
            server.run();
        }
        client.send(ids.map(end_params));
        for at in 0..20 {
            for (id, body) in ids.into_iter().zip(&bodies) {
                client
                    .send(body.chunks(body.len().div_ceil(20)).nth(at).map(|part| stdin(id, part)));
            }
            server.run();
        }
        client.send(ids.map(end_stdin));
        server.run();
        for (id, body) in ids.into_iter().zip(&bodies) {
            assert!(client.response(id).body == *body, "{exec:?} id {id}");
        }
        assert!(client.has_nothing());
    }
}

#[test]
fn responses_come_in_the_order_in_which_they_are_ready() {
    for exec in Exec::ALL {
        let (latches, app) = latched();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        let ids = [1, 2, 3, 4];
        client.send(ids.iter().flat_map(|&id| Ask::get(&format!("/{id}")).id(id).keep_conn()));
        server.run();
        assert!(client.has_nothing());
        for id in [3, 1, 4, 2] {
            latches.open(id);
            server.run();
            assert_eq!(client.response(id).status, 200, "{exec:?}");
            assert!(client.has_nothing(), "{exec:?} nobody but {id} was ready");
        }
    }
}

#[test]
fn a_request_is_answered_while_another_waits_on_the_same_connection() {
    for exec in Exec::ALL {
        let (latches, app) = latched();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(Ask::get("/1").keep_conn());
        server.run();
        for _ in 0..50 {
            latches.open(2);
            client.send(Ask::get("/2").id(2).keep_conn());
            server.run();
            client.response(2);
        }
        latches.open(1);
        server.run();
        client.response(1);
    }
}

#[test]
fn two_endless_bodies_take_turns() {
    for exec in Exec::ALL {
        for frame in [100, 8 * 1024, 100 * 1024] {
            let app = App::new(move |_| ready(Response::new(Endless { frame })));
            let (mut server, mut client) = serve_with(&builder(), exec, app);
            client.stop_reading();
            client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id)));
            server.run();
            let mut taken: BTreeMap<u16, usize> = BTreeMap::new();
            for _ in 0..100 {
                client.read_only(64 * 1024);
                server.run();
                for record in client.recv_all() {
                    let Record::Stdout { id, content } = record else { panic!("{record:?}") };
                    *taken.entry(id).or_default() += content.len();
                }
                let [one, two] = [1, 2].map(|id| taken.get(&id).copied().unwrap_or(0));
                let lead = one.abs_diff(two);
                assert!(lead <= 512 * 1024, "{exec:?} frames of {frame}: {one} and {two} bytes");
            }
        }
    }
}

#[test]
fn a_giant_frame_does_not_starve_a_sibling_that_streams() {
    for exec in Exec::ALL {
        let giant = Bytes::from(vec![b'g'; 16 << 20]);
        let app = App::new(move |request: Request<Incoming>| {
            let body = match request.uri().path() {
                "/giant" => Either::Left(Full::new(giant.clone())),
                _ => Either::Right(Endless { frame: 1000 }),
            };
            ready(Response::new(body))
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.stop_reading();
        client.send([Ask::get("/small").id(3), Ask::get("/giant")].into_iter().flatten());
        server.run();
        let (mut of_giant, mut of_small) = (0, 0);
        for _ in 0..64 {
            client.read_only(64 * 1024);
            server.run();
            of_giant += client.stdout(1).len();
            of_small += client.stdout(3).len();
        }
        // The giant's turns are a record each, the small one's a frame each.
        assert!(of_giant > 64 * 1024, "{exec:?}: {of_giant} and {of_small} bytes");
        assert!(of_small > 20 * 1000, "{exec:?}: {of_giant} and {of_small} bytes");
    }
}

#[test]
fn a_giant_frame_does_not_hold_up_the_whole_answer_of_a_sibling() {
    for exec in Exec::ALL {
        let giant = Bytes::from(vec![b'g'; 16 << 20]);
        let app = App::new(move |request: Request<Incoming>| {
            let body = match request.uri().path() {
                "/giant" => giant.clone(),
                _ => Bytes::from("small"),
            };
            ready(Response::new(Full::new(body)))
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.stop_reading();
        client.send([Ask::get("/giant"), Ask::get("/small").id(3)].into_iter().flatten());
        server.run();
        client.read_only(1 << 20);
        server.run();
        let small = client.try_response(3);
        assert!(small.is_some(), "{exec:?}: not within the first MiB");
        client.read_on();
        server.run();
        assert_eq!(client.response(1).body.len(), 16 << 20);
    }
}

#[test]
fn a_request_that_begins_while_a_giant_frame_is_on_its_way_is_answered_before_its_end() {
    for exec in Exec::ALL {
        let giant = Bytes::from(vec![b'g'; 16 << 20]);
        let app = App::new(move |request: Request<Incoming>| {
            let body = match request.uri().path() {
                "/giant" => giant.clone(),
                _ => Bytes::from("small"),
            };
            ready(Response::new(Full::new(body)))
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.read_only(1 << 20);
        client.send(Ask::get("/giant"));
        server.run();
        client.send(Ask::get("/small").id(3));
        server.run();
        client.read_only(2 << 20);
        server.run();
        assert!(client.try_response(3).is_some(), "{exec:?}: not within the next 2 MiB");
    }
}

#[test]
fn requests_that_keep_coming_do_not_go_before_a_sibling_that_waits() {
    for exec in Exec::ALL {
        let (feed, body) = feed();
        let body = Mutex::new(Some(body));
        let large = Bytes::from(vec![b'l'; 60_000]);
        let app = App::new(move |request: Request<Incoming>| {
            ready(Response::new(match request.uri().path() {
                "/fed" => Either::Left(body.lock().unwrap().take().unwrap()),
                _ => Either::Right(Full::new(large.clone())),
            }))
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send([begin(100).keep_conn()]);
        client.send(Ask::get("/fed").keep_conn());
        server.run();
        client.recv_all();
        feed.send("fed");
        server.tasks().poll_woken();
        // Each read brings more than may be queued at a time.
        for first in (2..90).step_by(4) {
            client.send((first..first + 4).flat_map(|id| Ask::get("/").id(id).keep_conn()));
        }
        while client.has_nothing() {
            server.poll_connection();
        }
        let records = client.recv_all();
        let fed = records.iter().position(|record| record.request_id() == Some(1));
        assert!(fed.is_some_and(|at| at <= 20), "{exec:?}: {fed:?} of {}", records.len());
        feed.end();
        server.run();
        assert_eq!(ends(&client.recv_all()).len() + ends(&records).len(), 89, "{exec:?}");
    }
}

#[test]
fn the_101st_request_at_a_time_is_answered_503_and_disturbs_nobody() {
    for exec in Exec::ALL {
        let (seen, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send((1..=100).flat_map(|id| Ask::get("/").id(id).keep_conn()));
        server.run();
        assert!(client.has_nothing());
        client.send(Ask::post("/", "its body").id(101).keep_conn());
        server.run();
        let refused = client.response(101);
        assert_eq!((refused.status, refused.protocol_status), (503, 0), "{exec:?}");
        assert!(client.has_nothing());
        assert_eq!(seen.take().len(), 100);
        latch.open();
        server.run();
        for id in 1..=100 {
            assert_eq!(client.response(id).text(), "parked");
        }
        client.send(Ask::get("/").id(101).keep_conn());
        server.run();
        assert_eq!(client.response(101).text(), "parked", "there is room again");
    }
}

#[test]
fn an_end_makes_room_for_one_more_request() {
    for exec in Exec::ALL {
        let (latches, app) = latched();
        let mut builder = builder();
        builder.max_requests(2);
        let (mut server, mut client) = serve_with(&builder, exec, app);
        let ask = |id: u16| Ask::get(&format!("/{id}")).id(id).keep_conn();
        client.send([1, 2, 3].into_iter().flat_map(ask));
        server.run();
        assert_eq!(client.response(3).status, 503);
        latches.open(1);
        server.run();
        assert_eq!(client.response(1).status, 200);
        client.send([4, 5].into_iter().flat_map(ask));
        server.run();
        assert_eq!(client.response(5).status, 503, "{exec:?}: 2 and 4 are live");
        [2, 4].into_iter().for_each(|id| latches.open(id));
        server.run();
        [2, 4].into_iter().for_each(|id| assert_eq!(client.response(id).status, 200));
    }
}

#[test]
fn a_request_that_only_began_counts_as_one_at_a_time() {
    let (mut server, mut client) = {
        let mut builder = builder();
        builder.max_requests(2);
        serve_with(&builder, Exec::InPlace, App::hello())
    };
    client.send([begin(1).keep_conn(), begin(2).keep_conn()]);
    client.send(Ask::get("/").id(3).keep_conn());
    server.run();
    assert_eq!(client.response(3).status, 503);
}

#[test]
fn a_refused_request_without_keep_conn_ends_the_connection_when_nothing_else_is_live() {
    let mut builder = builder();
    builder.max_requests(1);
    let (_, latch, app) = App::parked();
    let (mut server, mut client) = serve_with(&builder, Exec::InPlace, app);
    client.send(Ask::get("/").keep_conn());
    client.send(Ask::get("/").id(2));
    server.run();
    assert_eq!(client.response(2).status, 503);
    assert!(!client.write_half_is_shut());
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "parked");
    assert!(client.write_half_is_shut());
}

#[test]
fn records_of_ids_that_never_began_are_ignored() {
    let (mut server, mut client) = serve_with(&builder(), Exec::InPlace, App::hello());
    client.send([
        params(9, pairs([("REQUEST_METHOD", "GET")])),
        end_params(9),
        stdin(9, "body"),
        end_stdin(9),
        abort(9),
        support::record(8, 9, "data"),
        support::record(8, 9, ""),
    ]);
    server.run();
    assert!(client.has_nothing());
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "hello");
}

#[test]
fn data_records_of_a_responder_are_ignored() {
    let (mut server, mut client) = serve_with(&builder(), Exec::InPlace, App::echo());
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    client.send([support::record(8, 1, "data"), stdin(1, "body"), support::record(8, 1, "")]);
    client.send(end_stdin(1));
    server.run();
    assert_eq!(client.response(1).text(), "body");
}

#[test]
fn an_id_may_be_used_again_and_again_beside_a_sibling() {
    for exec in Exec::ALL {
        let (latches, app) = latched();
        latches.open(1);
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(Ask::get("/2").id(2).keep_conn());
        for _ in 0..200 {
            client.send(Ask::get("/1").keep_conn());
            server.run();
            client.response(1);
        }
        latches.open(2);
        server.run();
        client.response(2);
        assert_eq!(server.tasks().live(), 0);
    }
}

#[test]
fn a_request_without_keep_conn_ends_the_connection_once_its_siblings_are_answered() {
    for exec in Exec::ALL {
        let (latches, app) = latched();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(Ask::get("/1").keep_conn());
        client.send(Ask::get("/2").id(2));
        latches.open(2);
        server.run();
        client.response(2);
        assert!(!client.write_half_is_shut(), "{exec:?}: 1 is live");
        latches.open(1);
        server.run();
        client.response(1);
        assert!(client.write_half_is_shut(), "{exec:?}");
        client.close();
        server.run();
        server.assert_ended_well();
    }
}

#[test]
fn unread_bodies_stop_the_reading_at_the_budget_and_reading_them_lets_it_go_on() {
    for exec in Exec::ALL {
        let (seen, _latch, app) = App::parked();
        let (mut server, client) = serve_with(&builder(), exec, app);
        let heads: Vec<Rec> = [1, 2]
            .into_iter()
            .flat_map(|id| Ask::post("/", "").id(id).content_length(None).head())
            .collect();
        let head_len = bytes_of(heads.clone()).len();
        client.send(heads);
        server.run();
        for _ in 0..64 {
            client.send([1, 2].map(|id| stdin(id, vec![b'b'; 16 * 1024])));
        }
        server.run();
        let at_most = head_len + BUDGET + READ_BUFFER;
        let read = client.bytes_read();
        assert!(read <= at_most, "{exec:?}: {read} bytes read, {at_most} allowed");
        assert!(read >= BUDGET, "{exec:?}: only {read} bytes read");

        let mut bodies: Vec<Incoming> = seen.take().into_iter().map(Request::into_body).collect();
        let mut consumed = 0;
        while client.unread() > 0 {
            let before = consumed;
            for body in &mut bodies {
                consumed += poll_data(body).map_or(0, |data| data.len());
            }
            assert!(consumed > before, "{exec:?}: stuck after {consumed} bytes");
            server.run();
            let (read, at_most) = (client.bytes_read(), at_most + consumed * 8 / 7);
            assert!(read <= at_most, "{exec:?}: {read} bytes read, {at_most} allowed");
        }
        while let Some(data) = bodies.iter_mut().find_map(poll_data) {
            consumed += data.len();
        }
        assert_eq!(consumed, 2 * 64 * 16 * 1024);
    }
}

#[test]
fn a_dropped_body_gives_its_share_of_the_budget_back() {
    for exec in Exec::ALL {
        let (seen, _latch, app) = App::parked();
        let (mut server, client) = serve_with(&builder(), exec, app);
        for id in [1, 2] {
            client.send(Ask::post("/", "").id(id).content_length(None).head());
        }
        server.run();
        let mut requests = seen.take();
        client.send(body_of(1, &vec![0; 1 << 20]));
        server.run();
        assert!(client.unread() > 0);
        let first = requests.remove(0);
        drop(first);
        server.run();
        assert_eq!(client.unread(), 0, "{exec:?}: nobody is to read it, it is discarded");
        client.send(body_of(2, &vec![0; 200 * 1024]));
        server.run();
        assert_eq!(client.unread(), 0, "{exec:?}");
    }
}

#[test]
fn the_budget_is_an_option() {
    let (_seen, _latch, app) = App::parked();
    let mut builder = builder();
    builder.max_body_buf_size(10_000);
    let (mut server, client) = serve_with(&builder, Exec::InPlace, app);
    client.send(Ask::post("/", "").content_length(None).head());
    server.run();
    client.forget_events();
    for _ in 0..100 {
        client.send(stdin(1, vec![0; 1000]));
    }
    server.run();
    let read = client.bytes_read();
    assert!((10_000..12_100).contains(&read), "{read} bytes read in pieces of 1008");
}

#[test]
fn abort_ends_one_request_and_leaves_the_others() {
    for exec in Exec::ALL {
        let (latches, app) = latched();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(
            [1, 2, 3].into_iter().flat_map(|id| Ask::get(&format!("/{id}")).id(id).keep_conn()),
        );
        server.run();
        client.send(abort(2));
        server.run();
        assert_eq!(ends(&client.recv_all()), [2], "{exec:?}");
        latches.open(2);
        server.run();
        assert!(client.has_nothing(), "{exec:?}: it has ended");
        [1, 3].into_iter().for_each(|id| latches.open(id));
        server.run();
        [1, 3].into_iter().for_each(|id| assert_eq!(client.response(id).status, 200));
    }
}

/// What waits to be called is put down by its place, and the second takes that of the first.
#[test]
fn a_request_in_the_place_of_one_that_was_aborted_in_the_same_read_is_called_once() {
    for exec in Exec::ALL {
        for sibling in [None, Some(begin(9).keep_conn())] {
            let (mut server, mut client) = serve_with(&builder(), exec, Late::new(App::echo()));
            let first = Ask::post("/", "first").keep_conn().into_iter().chain(abort(1));
            let second = Ask::post("/", "second").id(3).keep_conn();
            client.send(sibling.into_iter().chain(first).chain(second));
            server.run();
            assert_eq!(client.response(1).status, 503, "{exec:?}");
            assert_eq!(client.response(3).text(), "second", "{exec:?}");
            assert!(client.has_nothing(), "{exec:?}");
        }
    }
}

#[test]
fn a_request_that_was_aborted_in_the_read_that_brought_it_is_not_called_for_another() {
    for exec in Exec::ALL {
        let seen = Sink::default();
        let app = App::new({
            let seen = seen.clone();
            move |request: Request<Incoming>| {
                seen.put(request.uri().path().to_owned());
                ready(text("called"))
            }
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(begin(9).keep_conn());
        let aborted = Ask::get("/aborted").keep_conn().into_iter().chain(abort(1));
        client.send(aborted.chain(begin(2).keep_conn()));
        server.run();
        assert_eq!(client.response(1).status, 503, "{exec:?}");
        assert!(seen.take().is_empty() && client.has_nothing(), "{exec:?}");
        client.send(Ask::get("/asked").id(2).keep_conn().into_iter().skip(1));
        server.run();
        assert_eq!(client.response(2).text(), "called", "{exec:?}");
        assert_eq!(seen.take_one(), "/asked", "{exec:?}");
    }
}

#[test]
fn on_an_executor_an_aborted_request_is_dropped_and_its_task_ends() {
    let flag = DropFlag::default();
    let app = App::new({
        let flag = flag.clone();
        move |_| {
            let guard = flag.guard();
            async move {
                let _guard = guard;
                std::future::pending::<Response<Full<Bytes>>>().await
            }
        }
    });
    let (mut server, mut client) = serve_multiplexed(app);
    client.send(Ask::get("/").id(2).keep_conn());
    server.run();
    assert_eq!(server.tasks().live(), 1);
    client.send(abort(2));
    server.run();
    assert!(flag.is_dropped());
    assert_eq!(server.tasks().live(), 0);
    assert_eq!(ends(&client.recv_all()), [2]);
}

#[test]
fn on_an_executor_the_peers_close_wakes_and_drops_every_request() {
    let flags = [DropFlag::default(), DropFlag::default()];
    let app = App::new({
        let flags = flags.clone();
        move |request: Request<Incoming>| {
            let guard = flags[usize::from(request.uri().path() == "/3")].guard();
            async move {
                let _guard = guard;
                std::future::pending::<Response<Full<Bytes>>>().await
            }
        }
    });
    let (mut server, client) = serve_with(&builder(), Exec::Spawned, app);
    client.send([2, 3].into_iter().flat_map(|id| Ask::get(&format!("/{id}")).id(id).keep_conn()));
    server.run();
    assert_eq!(server.tasks().live(), 2);
    client.close();
    server.run();
    assert!(flags.iter().all(DropFlag::is_dropped));
    assert_eq!(server.tasks().live(), 0);
    assert!(server.error().is_canceled(), "{:?}", server.error());
}

#[test]
fn on_an_executor_a_dropped_connection_ends_every_task() {
    let (feed, body) = feed();
    let body = Mutex::new(Some(body));
    let app = App::new(move |_| ready(Response::new(body.lock().unwrap().take().unwrap())));
    let (mut server, client) = serve_multiplexed(app);
    client.send(Ask::get("/").id(2).keep_conn());
    server.run();
    assert_eq!(server.tasks().live(), 1);
    server.drop_connection();
    server.run();
    assert!(feed.is_dropped());
    assert_eq!(server.tasks().live(), 0);
}

#[test]
fn requests_run_on_the_executor_once_two_were_live_at_a_time() {
    let (_, latch, app) = App::parked();
    let (mut server, mut client) = serve_with(&builder(), Exec::Spawned, app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(server.tasks().live(), 0, "it is alone");
    client.send(Ask::get("/").id(2).keep_conn());
    server.run();
    assert_eq!(server.tasks().live(), 1);
    latch.open();
    server.run();
    [1, 2].into_iter().for_each(|id| assert_eq!(client.response(id).text(), "parked"));
}

#[test]
fn what_is_answered_at_its_first_turn_needs_no_task() {
    let (mut server, mut client) = serve_multiplexed(App::new(|_| ready(text("at once"))));
    // A turn in place may take too long on a busy machine; some requests become tasks then.
    let has_been_seen = (0..10_000).any(|_| {
        client.send(Ask::get("/").id(2).keep_conn());
        while server.poll_connection() {}
        let response = client.try_response(2);
        let is_in_place = response.is_some();
        server.run();
        assert_eq!(response.unwrap_or_else(|| client.response(2)).text(), "at once");
        assert_eq!(server.tasks().live(), 0);
        is_in_place
    });
    assert!(has_been_seen);
}

#[test]
fn after_a_turn_that_took_long_the_next_requests_are_tasks_from_the_start() {
    let (mut server, mut client) = serve_multiplexed(App::new(|request: Request<Incoming>| {
        let begun = Instant::now();
        while request.uri().path() == "/long" && begun.elapsed() < Duration::from_millis(1) {}
        ready(text("done"))
    }));
    client.send(Ask::get("/long").id(2).keep_conn());
    server.run();
    assert_eq!(client.response(2).text(), "done");
    for nth in 0..64 {
        client.send(Ask::get("/").id(2).keep_conn());
        while server.poll_connection() {}
        assert!(client.try_response(2).is_none(), "{nth}");
        assert_eq!(server.tasks().live(), 1);
        server.run();
        assert_eq!(client.response(2).text(), "done");
    }
}

#[test]
fn requests_that_take_long_only_together_leave_the_rest_of_a_read_to_the_executor() {
    let (mut server, mut client) = serve_multiplexed(App::new(|_| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(30) {}
        ready(text("done"))
    }));
    let ids = 10..100;
    client.send(ids.clone().flat_map(|id| Ask::get("/").id(id).keep_conn()));
    while server.poll_connection() {}
    let in_place = ids.len() - server.tasks().live();
    assert!(in_place <= 9, "{in_place} of 30 us each, in one poll");
    server.run();
    ids.for_each(|id| assert_eq!(client.response(id).text(), "done"));
}

#[test]
fn a_streamed_response_on_an_executor_arrives_frame_by_frame() {
    let (feed, body) = feed();
    let body = Mutex::new(Some(body));
    let app = App::new(move |_| ready(Response::new(body.lock().unwrap().take().unwrap())));
    let (mut server, mut client) = serve_multiplexed(app);
    client.send(Ask::get("/").id(2).keep_conn());
    server.run();
    assert!(client.stdout(2).ends_with(b"\r\n\r\n"));
    for frame in ["one", "two", "three"] {
        feed.send(frame);
        server.run();
        assert_eq!(client.stdout(2), frame.as_bytes());
    }
    feed.end();
    server.run();
    assert_eq!(ends(&client.recv_all()), [2]);
}

#[test]
fn a_peer_that_does_not_read_stops_the_bodies_on_an_executor() {
    let frames = Arc::new(Mutex::new(0));
    let app = App::new({
        let frames = frames.clone();
        move |_| ready(Response::new(Counted { frames: frames.clone() }))
    });
    let (mut server, client) = serve_multiplexed(app);
    client.stop_reading();
    client.send(Ask::get("/").id(2).keep_conn());
    server.run();
    assert_eq!(server.tasks().live(), 1);
    let taken = *frames.lock().unwrap();
    assert!(taken <= 1024, "{taken} KiB of body taken for a peer that reads nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokios_executor_serves_many_requests_at_a_time_on_many_threads() {
    let (io, shared) = pipe();
    let mut client = Client::new(shared);
    let builder = builder().executor(TokioExecutor::new());
    let connection = tokio::spawn(builder.serve_connection(io, App::echo()));
    let body = |id: u16| vec![id as u8; 20_000 + usize::from(id)];
    for _ in 0..20 {
        client.send((1..=50).flat_map(|id| Ask::post("/", body(id)).id(id).keep_conn()));
        for id in 1..=50 {
            let response = eventually(|| client.try_response(id)).await;
            assert!(response.body == body(id), "id {id}");
        }
    }
    assert!(client.has_nothing());
    client.close();
    assert!(connection.await.unwrap().is_ok());
}

#[test]
fn a_task_whose_frames_are_taken_as_fast_as_it_makes_them_yields_and_goes_on() {
    const FRAMES: usize = 1000;
    let frames = || {
        (0..FRAMES).map(|_| {
            // As if the connection ran on another thread: it takes each frame before the next is made.
            CONNECTION.with_borrow_mut(|server| server.as_mut().unwrap().poll_connection());
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"frame")))
        })
    };
    let body = move || StreamBody::new(futures_util::stream::iter(frames()));
    let (server, mut client) = serve_multiplexed(App::new(move |_| async move {
        tokio::task::yield_now().await;
        Response::new(body())
    }));
    let tasks = server.tasks().clone();
    CONNECTION.set(Some(server));
    let poll_connection =
        || CONNECTION.with_borrow_mut(|server| server.as_mut().unwrap().poll_connection());
    client.send(Ask::get("/").id(2).keep_conn());
    poll_connection();
    tasks.poll_woken();
    assert!(client.try_response(2).is_none(), "it yields to other tasks");
    while poll_connection() | tasks.poll_woken() {}
    assert_eq!(client.response(2).body.len(), FRAMES * 5);
}

#[tokio::test]
async fn on_tokios_executor_abort_close_and_panic_end_their_requests() {
    let flag = DropFlag::default();
    let app = App::new({
        let flag = flag.clone();
        move |request: Request<Incoming>| {
            let guard = flag.guard();
            async move {
                if request.uri().path() == "/waits" {
                    let _guard = guard;
                    return std::future::pending().await;
                }
                std::mem::forget(guard);
                assert!(request.uri().path() != "/panics", "the handler panics");
                text("answer")
            }
        }
    });
    let (io, shared) = pipe();
    let mut client = Client::new(shared);
    let builder = builder().executor(TokioExecutor::new());
    let connection = tokio::spawn(builder.serve_connection(io, app));
    client.send(begin(9).keep_conn());
    client.send(Ask::get("/waits").id(2).keep_conn());
    client.send(Ask::get("/panics").id(3).keep_conn());
    assert_eq!(eventually(|| client.try_response(3)).await.status, 500);
    client.send(abort(2));
    assert_eq!(eventually(|| client.try_response(2)).await.status, 503);
    eventually(|| flag.is_dropped().then_some(())).await;
    client.send(Ask::get("/").id(2).keep_conn());
    assert_eq!(eventually(|| client.try_response(2)).await.text(), "answer");
    client.send([abort(9)]);
    client.close();
    assert!(connection.await.unwrap().is_ok());
}

thread_local! {
    /// The connection that a body polls.
    static CONNECTION: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// What `look` finds, once it does.
async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found).await.expect("it happens in time")
}

/// A connection on which another request is live, so that the test's runs on the executor.
fn serve_multiplexed(app: App) -> (Server, Client) {
    let (mut server, client) = serve_with(&builder(), Exec::Spawned, app);
    client.send(begin(9).keep_conn());
    server.run();
    (server, client)
}

/// Handlers that wait, each for the latch of the number that is their path.
#[derive(Clone, Default)]
struct Latches(Arc<Mutex<HashMap<String, Latch>>>);

impl Latches {
    fn of(&self, path: &str) -> Latch {
        self.0.lock().unwrap().entry(path.to_owned()).or_default().clone()
    }

    fn open(&self, id: u16) {
        self.of(&format!("/{id}")).open();
    }
}

fn latched() -> (Latches, App) {
    let latches = Latches::default();
    let app = App::new({
        let latches = latches.clone();
        move |request: Request<Incoming>| {
            let wait = latches.of(request.uri().path()).wait();
            async {
                wait.await;
                text("answer")
            }
        }
    });
    (latches, app)
}

/// A body that always has one more frame of this size.
struct Endless {
    frame: usize,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'e'; self.frame])))))
    }
}

/// An endless body of 1 KiB frames that counts those taken.
struct Counted {
    frames: Arc<Mutex<usize>>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        *self.frames.lock().unwrap() += 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 1024])))))
    }
}

fn poll_data(body: &mut Incoming) -> Option<Bytes> {
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(frame)) => Some(frame.unwrap().into_data().unwrap()),
        Poll::Ready(None) | Poll::Pending => None,
    }
}

/// The ids that ended, in order.
fn ends(records: &[Record]) -> Vec<u16> {
    let id = |record: &Record| if let Record::End { id, .. } = record { Some(*id) } else { None };
    records.iter().filter_map(id).collect()
}

const BUDGET: usize = 256 * 1024;
const READ_BUFFER: usize = 64 * 1024;
