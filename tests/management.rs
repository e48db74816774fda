//! Management records and roles: what the connection answers by itself.

mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use support::{
    App, Ask, Client, Exec, Record, Sink, abort, begin, builder, bytes_of, end_params, end_stdin,
    get_values, pairs, params, record, serve, serve_with, stdin, text,
};
use tower_fastcgi::Incoming;
use tower_fastcgi::record::Role;

#[test]
fn get_values_is_answered_with_the_names_asked_and_no_others() {
    for (asked, expected) in [
        (&["FCGI_MPXS_CONNS"][..], &[("FCGI_MPXS_CONNS", "0")][..]),
        (&["FCGI_MAX_REQS"], &[("FCGI_MAX_REQS", "1")]),
        (
            &["FCGI_MAX_REQS", "FCGI_MPXS_CONNS"],
            &[("FCGI_MAX_REQS", "1"), ("FCGI_MPXS_CONNS", "0")],
        ),
        (&["FCGI_UNHEARD_OF", "FCGI_MPXS_CONNS", ""], &[("FCGI_MPXS_CONNS", "0")]),
        (&["FCGI_UNHEARD_OF"], &[]),
        (&["fcgi_mpxs_conns"], &[]),
        (&[], &[]),
    ] {
        assert_eq!(values_of(&builder(), asked), expected_values(expected), "asked {asked:?}");
    }
}

#[test]
fn a_name_asked_twice_is_answered_once() {
    let asked = ["FCGI_MPXS_CONNS"; 500];
    let answer = values_of(&builder(), &asked);
    assert_eq!(answer, expected_values(&[("FCGI_MPXS_CONNS", "0")]));
}

#[test]
fn max_conns_is_a_number_if_it_is_answered() {
    for (_, value) in values_of(&builder(), &["FCGI_MAX_CONNS"]) {
        value.parse::<u32>().unwrap();
    }
}

#[test]
fn multiplexing_is_told_on_request_of_the_user_only() {
    let mut builder = builder();
    builder.multiplexing(true);
    let asked = ["FCGI_MPXS_CONNS", "FCGI_MAX_REQS"];
    let expected = expected_values(&[("FCGI_MAX_REQS", "100"), ("FCGI_MPXS_CONNS", "1")]);
    assert_eq!(values_of(&builder, &asked), expected);
    builder.max_requests(7);
    let expected = expected_values(&[("FCGI_MAX_REQS", "7"), ("FCGI_MPXS_CONNS", "1")]);
    assert_eq!(values_of(&builder, &asked), expected);
}

#[test]
fn a_value_in_the_question_does_not_matter() {
    let (mut server, mut client) = serve(App::hello());
    client.send(record(GET_VALUES, 0, pairs([("FCGI_MPXS_CONNS", "17")])));
    server.run();
    assert_eq!(client.recv(), Some(values(&[("FCGI_MPXS_CONNS", "0")])));
}

#[test]
fn get_values_is_answered_at_once_while_a_handler_runs() {
    for exec in Exec::ALL {
        let (_, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
        server.run();
        client.send(get_values(&["FCGI_MPXS_CONNS"]));
        server.run();
        assert_eq!(client.recv_all(), [values(&[("FCGI_MPXS_CONNS", "0")])]);
        latch.open();
        server.run();
        [1, 2].into_iter().for_each(|id| assert_eq!(client.response(id).text(), "parked"));
    }
}

#[test]
fn get_values_is_answered_between_the_params_and_between_the_parts_of_a_body() {
    let (mut server, mut client) = serve(App::echo());
    let content = pairs(Ask::post("/", "").content_length(None).params());
    let (front, back) = content.split_at(content.len() / 2);
    let ask = || get_values(&["FCGI_MPXS_CONNS"]);
    let answer = [values(&[("FCGI_MPXS_CONNS", "0")])];
    for records in [
        [begin(1).keep_conn(), ask()],
        [params(1, front), ask()],
        [params(1, back), ask()],
        [end_params(1), ask()],
        [stdin(1, "bo"), ask()],
        [stdin(1, "dy"), ask()],
    ] {
        client.send(records);
        server.run();
        assert_eq!(client.recv_all(), answer);
    }
    client.send(end_stdin(1));
    server.run();
    assert_eq!(client.response(1).text(), "body");
}

#[test]
fn get_values_cut_at_any_byte_is_answered_once() {
    let wire = bytes_of(get_values(&["FCGI_MPXS_CONNS", "FCGI_MAX_REQS"]).padding(4));
    for at in 1..wire.len() {
        let (mut server, mut client) = serve(App::hello());
        for part in [&wire[..at], &wire[at..]] {
            client.send_bytes(part);
            server.run();
        }
        assert_eq!(client.recv_all().len(), 1, "cut at {at}");
    }
}

#[test]
fn the_largest_get_values_record_is_answered() {
    let mut content = pairs([(vec![b'x'; 65_500], "")]);
    content.extend(pairs([("FCGI_MPXS_CONNS", "")]));
    let (mut server, mut client) = serve(App::hello());
    client.send(record(GET_VALUES, 0, &content));
    server.run();
    assert_eq!(client.recv_all(), [values(&[("FCGI_MPXS_CONNS", "0")])]);
}

#[test]
fn get_values_alone_leaves_the_connection_open_and_a_close_after_it_is_a_clean_end() {
    let (mut server, mut client) = serve(App::hello());
    client.send(get_values(&["FCGI_MPXS_CONNS"]));
    server.run();
    assert_eq!(client.recv_all().len(), 1);
    assert!(!client.write_half_is_shut());
    client.close();
    server.run();
    server.assert_ended_well();
}

#[test]
fn a_management_record_of_unknown_type_is_answered_with_its_type() {
    for kind in [0, 12, 13, 100, 255] {
        let (mut server, mut client) = serve(App::hello());
        client.send([record(kind, 0, "whatever it holds").padding(3), record(kind, 0, "")]);
        server.run();
        assert_eq!(client.recv_all(), [Record::UnknownType(kind), Record::UnknownType(kind)]);
        client.send(Ask::get("/").keep_conn());
        server.run();
        assert_eq!(client.response(1).text(), "hello");
    }
}

#[test]
fn a_record_of_unknown_type_within_a_request_is_no_management_record_and_not_answered() {
    let (mut server, mut client) = serve(App::echo());
    client.send(Ask::post("/", "").content_length(None).keep_conn().head());
    client.send([record(99, 1, "what"), stdin(1, "body"), record(99, 5, "what"), end_stdin(1)]);
    server.run();
    assert_eq!(client.response(1).text(), "body");
    assert!(client.has_nothing());
}

#[test]
fn an_unknown_role_is_refused_and_the_connection_lives_on() {
    for role in [0, 3, 4, 255, 256, u16::MAX] {
        let (seen, app) = seeing();
        let (mut server, mut client) = serve(app);
        client.send(begin(1).role(role).keep_conn());
        server.run();
        assert_eq!(client.recv_all(), [refused(1)], "role {role}");
        // The rest of the request was on its way.
        client.send(Ask::post("/refused", "body").into_iter().skip(1));
        server.run();
        assert!(client.has_nothing());
        client.send(Ask::get("/").keep_conn());
        server.run();
        assert_eq!(client.response(1).text(), "seen");
        assert_eq!(seen.take(), ["/"]);
    }
}

#[test]
fn a_whole_request_in_an_unknown_role_is_refused_once() {
    let (seen, app) = seeing();
    let (mut server, mut client) = serve(app);
    let mut records: Vec<_> = Ask::post("/", "body").keep_conn().into_iter().collect();
    records[0] = begin(1).role(9).keep_conn();
    client.send(records);
    server.run();
    assert_eq!(client.recv_all(), [refused(1)]);
    assert!(seen.take().is_empty());
}

#[test]
fn an_unknown_role_without_keep_conn_ends_the_connection() {
    let (mut server, mut client) = serve(App::hello());
    client.send(begin(1).role(9));
    server.run();
    assert_eq!(client.recv_all(), [refused(1)]);
    assert!(client.write_half_is_shut());
    client.send(Ask::post("/", "body").into_iter().skip(1));
    server.run();
    client.close();
    server.run();
    server.assert_ended_well();
}

#[test]
fn an_unknown_role_leaves_a_sibling_alone() {
    let (_, latch, app) = App::parked();
    let (mut server, mut client) = serve(app);
    client.send(Ask::get("/").keep_conn());
    client.send(begin(2).role(9).keep_conn());
    server.run();
    assert_eq!(client.recv_all(), [refused(2)]);
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "parked");
}

/// lighttpd takes an end without an answer for leave to pass.
#[test]
fn an_authorizers_role_is_refused_with_an_answer_that_denies() {
    let (mut server, mut client) = serve(App::hello());
    client.send(begin(1).role(2).keep_conn());
    server.run();
    let response = client.response(1);
    assert_eq!((response.status, response.protocol_status), (500, UNKNOWN_ROLE));
    assert_eq!(response.text(), "the application is no Authorizer\n");
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).text(), "hello");
}

#[test]
fn roles_are_those_that_the_builder_says() {
    for served in [1, 2, 3] {
        let mut builder = builder();
        builder.roles(Role::new(served));
        let app = App::new(|request: Request<Incoming>| {
            ready(request.extensions().get::<Role>().map_or(text("none"), |_| teapot()))
        });
        for role in [1, 2, 3, 4] {
            let (mut server, mut client) = serve_with(&builder, Exec::InPlace, app.clone());
            client.send(Ask::get("/").role(role).keep_conn().head());
            server.run();
            let response = client.response(1);
            let is_served = role == served;
            assert_eq!(response.protocol_status == UNKNOWN_ROLE, !is_served, "{served} {role}");
            assert_eq!(response.status == 418, is_served, "{served} {role}");
        }
    }
}

#[test]
fn a_peer_that_asks_for_ever_and_never_reads_is_read_no_more() {
    let ask = bytes_of(get_values(&["FCGI_MPXS_CONNS"]));
    assert_flood_stops(|client| client.send_bytes(ask.repeat(1000)), 128 * 1024 + READ_BUFFER);
}

#[test]
fn a_peer_that_sends_unknown_types_for_ever_and_never_reads_is_read_no_more() {
    let flood = bytes_of(record(77, 0, "")).repeat(1000);
    assert_flood_stops(|client| client.send_bytes(&flood), 128 * 1024 + READ_BUFFER);
}

#[test]
fn a_peer_that_begins_in_unknown_roles_for_ever_and_never_reads_is_read_no_more() {
    let flood = bytes_of(begin(1).role(9).keep_conn()).repeat(1000);
    assert_flood_stops(|client| client.send_bytes(&flood), 128 * 1024 + READ_BUFFER);
}

#[test]
fn a_peer_that_aborts_for_ever_and_never_reads_is_read_no_more() {
    let flood = bytes_of([begin(1).keep_conn(), abort(1)]).repeat(1000);
    assert_flood_stops(|client| client.send_bytes(&flood), 128 * 1024 + READ_BUFFER);
}

#[test]
fn the_control_backlog_is_an_option() {
    let mut builder = builder();
    builder.max_control_buf_size(100);
    let (mut server, client) = serve_with(&builder, Exec::InPlace, App::hello());
    client.stop_reading();
    for _ in 0..100 {
        client.send(get_values(&["FCGI_MPXS_CONNS"]));
    }
    server.run();
    let answered = client.bytes_read() / bytes_of(get_values(&["FCGI_MPXS_CONNS"])).len();
    assert!((3..=5).contains(&answered), "{answered} answers of 26 bytes");
}

#[test]
fn a_backlog_of_answers_goes_out_whole_once_the_peer_reads() {
    let (mut server, mut client) = serve(App::hello());
    client.stop_reading();
    for _ in 0..5000 {
        client.send(get_values(&["FCGI_MPXS_CONNS"]));
    }
    server.run();
    assert!(client.unread() > 0);
    client.read_on();
    server.run();
    assert_eq!(client.unread(), 0);
    let mut counts = BTreeMap::new();
    for record in client.recv_all() {
        *counts.entry(format!("{record:?}")).or_insert(0) += 1;
    }
    let answer = format!("{:?}", values(&[("FCGI_MPXS_CONNS", "0")]));
    assert_eq!(counts, BTreeMap::from([(answer, 5000)]));
}

#[test]
fn answers_that_are_out_do_not_stop_the_reading_though_a_stream_keeps_the_writer_busy() {
    let app = App::new(|_| ready(Response::new(Endless)));
    let (mut server, mut client) = serve(app);
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    server.run();
    for n in 0..2000 {
        client.send(get_values(&["FCGI_MPXS_CONNS"]));
        // Less than what is queued, so that the writer never gets to the end of it.
        client.read_only(64 * 1024);
        server.run();
        assert_eq!(client.unread(), 0, "after {n} answers");
        client.recv_all();
    }
    client.send(abort(1));
    client.read_on();
    server.run();
    assert_eq!(client.recv_all().last(), Some(&Record::end(1)));
}

fn assert_flood_stops(send: impl Fn(&Client), at_most: usize) {
    let (mut server, client) = serve(App::hello());
    client.stop_reading();
    for _ in 0..100 {
        send(&client);
        server.run();
    }
    let read = client.bytes_read();
    assert!(client.unread() > 0 && read <= at_most, "{read} bytes read, {} left", client.unread());
    assert!(server.is_running());
}

fn values_of(builder: &tower_fastcgi::server::Builder, asked: &[&str]) -> Vec<(String, String)> {
    let (mut server, mut client) = serve_with(builder, Exec::InPlace, App::hello());
    client.send(get_values(asked));
    server.run();
    let answer = client.recv();
    assert!(client.has_nothing());
    match answer {
        Some(Record::Values(mut values)) => {
            values.sort_unstable();
            values
        }
        other => panic!("{other:?}"),
    }
}

fn expected_values(values: &[(&str, &str)]) -> Vec<(String, String)> {
    values.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn values(values: &[(&str, &str)]) -> Record {
    Record::Values(expected_values(values))
}

fn teapot() -> http::Response<Full<Bytes>> {
    let mut response = text("a teapot");
    *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
    response
}

fn refused(id: u16) -> Record {
    Record::End { id, app_status: 0, protocol_status: UNKNOWN_ROLE }
}

/// Notes the paths that were asked for.
fn seeing() -> (Sink<String>, App) {
    let seen = Sink::default();
    let app = App::new({
        let seen = seen.clone();
        move |request: Request<Incoming>| {
            seen.put(request.uri().path().to_owned());
            ready(text("seen"))
        }
    });
    (seen, app)
}

/// A body that always has one more frame.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 4096])))))
    }
}

const GET_VALUES: u8 = 9;
const UNKNOWN_ROLE: u8 = 3;
const READ_BUFFER: usize = 64 * 1024;
