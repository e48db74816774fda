//! Peers that break FastCGI's rules, or do not speak it.

mod support;

use std::future::ready;

use support::{
    App, Ask, Event, Exec, Rec, Record, Sink, abort, begin, builder, end_params, end_stdin,
    get_values, pairs, params, record, serve, serve_with, stdin, text,
};

#[test]
fn a_wrong_version_ends_the_connection() {
    for version in [0, 2, 3, 128, 255] {
        assert_protocol_error([begin(1).version(version)], &format!("version {version} "));
        assert_protocol_error(
            [begin(1), params(1, "").version(version)],
            &format!("version {version} "),
        );
    }
}

#[test]
fn a_begin_request_of_another_length_ends_the_connection() {
    for len in [0, 1, 7, 9, 100] {
        assert_protocol_error([record(1, 1, vec![0; len])], "FCGI_BEGIN_REQUEST");
    }
}

#[test]
fn id_0_of_an_application_record_ends_the_connection() {
    let begin_of_0 = begin(0);
    let others = [params(0, ""), params(0, "\x01\x01AB"), stdin(0, "body"), end_stdin(0), abort(0)];
    assert_protocol_error([begin_of_0], "id 0");
    for wrong in others {
        assert_protocol_error([wrong.clone()], "id 0");
        assert_protocol_error(Ask::post("/", "").head().into_iter().chain([wrong]), "id 0");
    }
}

#[test]
fn a_second_begin_of_a_live_id_ends_the_connection() {
    for state in live_states() {
        let records = state.into_iter().chain([begin(7).keep_conn()]);
        assert_protocol_error(records, "FCGI_BEGIN_REQUEST for request id 7");
    }
}

#[test]
fn stdin_before_the_end_of_params_ends_the_connection() {
    for early in [stdin(7, "body"), end_stdin(7)] {
        let text = "FCGI_STDIN for request id 7";
        assert_protocol_error([begin(7), early.clone()], text);
        assert_protocol_error([begin(7), params(7, "\x01\x01AB"), early], text);
    }
}

#[test]
fn records_that_only_applications_send_end_the_connection() {
    for wrong in [
        record(6, 7, "stdout"),
        record(7, 7, "stderr"),
        record(3, 7, [0; 8]),
        record(10, 0, ""),
        record(11, 0, [0; 8]),
    ] {
        assert_protocol_error([wrong.clone()], "");
        assert_protocol_error(Ask::get("/").id(7).into_iter().chain([wrong]), "");
    }
}

#[test]
fn what_was_queued_before_the_error_is_flushed() {
    let (mut server, mut client) = serve(App::hello());
    client.stop_reading();
    client.send([get_values(&["FCGI_MPXS_CONNS"]), begin(9).role(9).keep_conn()]);
    server.run();
    client.send(stdin(0, "wrong"));
    server.run();
    assert!(!client.write_half_is_shut(), "there is more to write");
    client.read_on();
    server.run();
    let answers = client.recv_all();
    assert!(matches!(answers[..], [Record::Values(_), Record::End { id: 9, .. }]), "{answers:?}");
    assert!(client.write_half_is_shut());
}

#[test]
fn a_response_that_was_queued_before_the_error_is_flushed() {
    let (mut server, mut client) = serve(App::hello());
    client.stop_reading();
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.send(stdin(0, "wrong"));
    server.run();
    client.read_on();
    server.run();
    assert_eq!(client.response(1).text(), "hello");
    assert!(client.write_half_is_shut());
    client.close();
    server.run();
    assert!(server.error().is_protocol());
}

#[test]
fn after_the_error_the_input_is_drained_until_the_peer_closes() {
    let (mut server, client) = serve(App::hello());
    client.send(stdin(0, "wrong"));
    server.run();
    for _ in 0..100 {
        client.send_bytes(vec![0xff; 65_536]);
        server.run();
        assert_eq!(client.unread(), 0);
    }
    assert!(server.is_running());
    client.close();
    server.run();
    assert!(server.error().is_protocol());
    assert!(client.is_closed());
}

#[test]
fn the_write_half_is_shut_before_the_input_is_drained() {
    let (mut server, client) = serve(App::hello());
    client.send(stdin(0, "wrong"));
    server.run();
    client.send_bytes("whatever");
    server.run();
    let events = client.events();
    let shutdown = events.iter().position(|&event| event == Event::Shutdown).unwrap();
    let drained = events.iter().rposition(|&event| event == Event::Read(8)).unwrap();
    assert!(shutdown < drained, "{events:?}");
}

#[test]
fn complete_siblings_are_still_answered_after_the_error() {
    for exec in Exec::ALL {
        let (_, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
        server.run();
        client.send(stdin(0, "wrong"));
        server.run();
        assert!(!client.write_half_is_shut(), "{exec:?}");
        latch.open();
        server.run();
        [1, 2].into_iter().for_each(|id| assert_eq!(client.response(id).text(), "parked"));
        assert!(client.write_half_is_shut());
        client.close();
        server.run();
        assert!(server.error().is_protocol(), "{exec:?}: {:?}", server.error());
    }
}

#[test]
fn a_sibling_whose_body_can_no_longer_come_does_not_hold_the_end_up() {
    for exec in Exec::ALL {
        let seen = Sink::default();
        let app = App::new({
            let seen = seen.clone();
            move |request: http::Request<tower_fastcgi::Incoming>| {
                let seen = seen.clone();
                async move {
                    seen.put(support::read_all(request.into_body()).await);
                    text("read")
                }
            }
        });
        let (mut server, client) = serve_with(&builder(), exec, app);
        for id in [1, 2] {
            client.send(Ask::post("/", "").id(id).content_length(Some("10")).keep_conn().head());
        }
        server.run();
        client.send(stdin(0, "wrong"));
        server.run();
        assert!(seen.take().iter().all(Result::is_err), "{exec:?}: a cut body may not look whole");
        assert!(client.write_half_is_shut(), "{exec:?}");
    }
}

#[test]
fn nothing_that_comes_after_the_error_is_believed() {
    let seen = Sink::default();
    let app = App::new({
        let seen = seen.clone();
        move |_| {
            seen.put(());
            ready(text("hello"))
        }
    });
    let (mut server, mut client) = serve(app);
    client.send([stdin(0, "wrong")].into_iter().chain(Ask::get("/")));
    client.send(Ask::get("/"));
    server.run();
    assert!(seen.take().is_empty());
    assert!(client.has_nothing());
}

#[test]
fn nothing_that_comes_after_the_error_is_believed_while_siblings_are_answered() {
    for exec in Exec::ALL {
        let (seen, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(Ask::get("/").keep_conn());
        server.run();
        client.send([stdin(0, "wrong"), abort(1), get_values(&[])]);
        client.send(Ask::get("/").id(2));
        client.send(abort(1));
        server.run();
        assert!(client.has_nothing(), "{exec:?}");
        assert_eq!(client.unread(), 0, "{exec:?}");
        latch.open();
        server.run();
        assert_eq!(client.response(1).text(), "parked", "{exec:?}");
        assert!(client.has_nothing());
        assert_eq!(seen.take().len(), 1);
    }
}

#[test]
fn http_is_answered_400_with_the_sentence_that_names_the_fix() {
    let long = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "c".repeat(100_000));
    for request in [
        "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST /path HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody",
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "PROPFIND / HTTP/1.1\r\n\r\n",
        "DELETE /a/very/long/path HTTP/1.1\r\n\r\n",
        "GET /nine",
        &long,
    ] {
        let (mut server, mut client) = serve(App::hello());
        client.send_bytes(request);
        server.run();
        assert_is_http_400(&client.recv_bytes());
        assert!(client.write_half_is_shut());
        client.close();
        server.run();
        let error = server.error();
        assert!(error.is_protocol() && error.to_string().contains("HTTP"), "{error}");
    }
}

#[test]
fn http_cut_at_any_byte_is_answered_once() {
    let request = "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
    for at in 1..request.len() {
        let (mut server, mut client) = serve(App::hello());
        client.send_bytes(&request[..at]);
        server.run();
        client.send_bytes(&request[at..]);
        server.run();
        assert_is_http_400(&client.recv_bytes());
    }
}

#[test]
fn http_byte_by_byte_is_answered_once() {
    let (mut server, mut client) = serve(App::hello());
    for byte in "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n".bytes() {
        client.send_bytes([byte]);
        server.run();
    }
    assert_is_http_400(&client.recv_bytes());
}

#[test]
fn a_tls_client_hello_is_closed_without_an_answer_and_named() {
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0x55; 500]].concat();
    for at in 1..20 {
        let (mut server, mut client) = serve(App::hello());
        client.send_bytes(&hello[..at]);
        server.run();
        client.send_bytes(&hello[at..]);
        server.run();
        assert!(client.has_nothing());
        assert!(client.write_half_is_shut());
        client.close();
        server.run();
        let error = server.error();
        assert!(error.is_protocol() && error.to_string().contains("TLS"), "{error}");
    }
}

#[test]
fn the_proxy_protocol_is_closed_without_an_answer_and_named() {
    for header in [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 9000\r\n"[..],
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\xc3\x50\x23\x28",
    ] {
        let (mut server, mut client) = serve(App::hello());
        client.send_bytes(header);
        client.send(Ask::get("/"));
        server.run();
        assert!(client.has_nothing());
        client.close();
        server.run();
        let error = server.error();
        assert!(error.is_protocol() && error.to_string().contains("PROXY"), "{error}");
    }
}

#[test]
fn http_after_fastcgi_is_no_http_but_a_wrong_record() {
    let (mut server, mut client) = serve(App::hello());
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.response(1);
    client.send_bytes("GET / HTTP/1.1\r\n\r\n");
    server.run();
    assert!(client.has_nothing());
    client.close();
    server.run();
    let error = server.error();
    assert!(error.is_protocol() && error.to_string().contains("version 71"), "{error}");
}

#[test]
fn a_connection_that_closes_at_once_or_after_a_few_bytes_of_nothing_ends_quietly() {
    let (mut server, mut client) = serve(App::hello());
    client.close();
    server.run();
    server.assert_ended_well();
    assert!(client.has_nothing());
    for bytes in [&b"G"[..], b"\x16\x03\x01", b"\x01", b"\r\n", b"GET / "] {
        let (mut server, client) = serve(App::hello());
        client.send_bytes(bytes);
        client.close();
        server.run();
        assert!(server.outcome().is_err(), "{bytes:?}");
        assert!(client.is_closed());
    }
}

/// Sends the records, and expects the connection to end as after any protocol error.
fn assert_protocol_error(records: impl IntoIterator<Item = Rec>, text: &str) {
    let (_, latch, app) = App::parked();
    let (mut server, client) = serve(app);
    let records: Vec<Rec> = records.into_iter().collect();
    client.send(records.clone());
    server.run();
    latch.open();
    server.run();
    assert!(client.write_half_is_shut(), "{records:?}");
    assert!(server.is_running(), "{records:?}");
    client.close();
    server.run();
    let error = server.error();
    assert!(error.is_protocol(), "{records:?} gave {error:?}");
    assert!(error.to_string().contains(text), "{records:?} gave {error}");
}

/// Requests of id 7 that are live in each way.
fn live_states() -> Vec<Vec<Rec>> {
    let content = pairs(Ask::get("/").params());
    vec![
        vec![begin(7)],
        vec![begin(7), params(7, &content)],
        vec![begin(7), params(7, &content), end_params(7)],
        vec![begin(7), params(7, &content), end_params(7), stdin(7, "part")],
        Ask::post("/", "whole").id(7).into_iter().collect(),
    ]
}

fn assert_is_http_400(answer: &[u8]) {
    let answer = String::from_utf8(answer.to_vec()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let mut lines = head.split("\r\n");
    assert!(lines.next().unwrap().starts_with("HTTP/1.1 400 "), "{head}");
    let headers: Vec<(String, &str)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let header =
        |name: &str| headers.iter().find(|(header, _)| header == name).map(|(_, value)| *value);
    assert_eq!(header("content-length"), Some(&*body.len().to_string()));
    assert!(header("connection").unwrap().eq_ignore_ascii_case("close"));
    assert!(header("content-type").unwrap().starts_with("text/plain"));
    assert!(body.contains("fastcgi_pass") && body.contains("proxy_pass"), "{body}");
}
