//! The observer: every connection and request is told of once, however it ends.

mod support;

use std::sync::{Arc, Mutex};

use http::Response;
use support::{App, Ask, Client, Exec, Server, abort, begin, builder, feed, serve_with, text};
use tower_fastcgi::server::{Builder, Observer, RequestEnd};
use tower_fastcgi::{Error, Result};

/// What was told, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Log {
    fn connection_opened(&self) {
        self.add("opened");
    }

    fn connection_closed(&self, outcome: Option<&Result<()>>) {
        self.add(match outcome {
            None => "dropped".to_owned(),
            Some(Ok(())) => "closed".to_owned(),
            Some(Err(error)) => format!("closed: {}", kind(error)),
        });
    }

    fn request_began(&self) {
        self.add("began");
    }

    fn request_ended(&self, end: &RequestEnd) {
        let status = end.status.map_or(0, |status| status.as_u16());
        self.add(format!("ended {status} complete={}", end.is_complete));
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        _ if error.is_protocol() => "protocol",
        _ if error.is_canceled() => "canceled",
        _ if error.is_incomplete() => "incomplete",
        _ if error.is_user() => "user",
        _ => "other",
    }
}

fn observed(exec: Exec, app: App) -> (Log, Server, Client) {
    let log = Log::default();
    let mut builder: Builder = builder();
    builder.observer(log.clone()).max_params_size(4096);
    let (server, client) = serve_with(&builder, exec, app);
    (log, server, client)
}

#[test]
fn an_answered_request_on_a_connection_that_closes() {
    let (log, mut server, client) = observed(Exec::InPlace, App::hello());
    client.send(Ask::get("/"));
    server.run();
    assert_eq!(log.take(), ["opened", "began", "ended 200 complete=true", "closed"]);
    assert!(client.is_closed());
}

#[test]
fn two_requests_at_a_time_in_place_and_on_an_executor() {
    for exec in Exec::ALL {
        let (_requests, latch, app) = App::parked();
        let (log, mut server, client) = observed(exec, app);
        client.send(Ask::get("/").keep_conn());
        client.send(Ask::get("/").id(2).keep_conn());
        server.run();
        assert_eq!(log.take(), ["opened", "began", "began"]);
        latch.open();
        server.run();
        assert_eq!(log.take(), ["ended 200 complete=true", "ended 200 complete=true"]);
    }
}

#[test]
fn a_failed_service_ends_with_the_status_that_was_sent_for_it() {
    let app = App::fallible(|_| async { Err::<Response<String>, _>("broken".into()) });
    let (log, mut server, client) = observed(Exec::InPlace, app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(log.take(), ["opened", "began", "ended 500 complete=true"]);
}

#[test]
fn a_refused_request_ends_with_the_status_of_its_refusal() {
    let (log, mut server, client) = observed(Exec::InPlace, App::hello());
    client.send(Ask::get("/").keep_conn().param("X", vec![b'x'; 5000]));
    client.send(Ask::get("/").keep_conn().param("REQUEST_METHOD", "G T"));
    server.run();
    let refused = |status| format!("ended {status} complete=true");
    assert_eq!(log.take(), ["opened", "began", &refused(431), "began", &refused(400)]);
}

#[test]
fn an_aborted_request_and_one_that_lost_its_connection_are_not_complete() {
    let (_requests, _latch, app) = App::parked();
    let (log, mut server, client) = observed(Exec::InPlace, app);
    client.send(Ask::get("/").keep_conn());
    client.send([abort(1)]);
    server.run();
    assert_eq!(log.take(), ["opened", "began", "ended 0 complete=false"]);

    client.send(Ask::get("/").keep_conn());
    server.run();
    client.close();
    server.run();
    assert_eq!(log.take(), ["began", "ended 0 complete=false", "closed: canceled"]);
}

#[test]
fn a_response_that_is_cut_short_is_not_complete() {
    let (source, body) = feed();
    let body = Mutex::new(Some(body));
    let app = App::new(move |_| {
        let body = body.lock().unwrap().take().expect("one request");
        async { Response::new(body) }
    });
    let (log, mut server, client) = observed(Exec::InPlace, app);
    client.send(Ask::get("/").keep_conn());
    source.send("half");
    server.run();
    source.fail();
    server.run();
    client.close();
    server.run();
    assert_eq!(log.take(), ["opened", "began", "ended 200 complete=false", "closed: user"]);
}

#[test]
fn what_is_no_fastcgi_closes_with_a_protocol_error() {
    let (log, mut server, client) = observed(Exec::InPlace, App::hello());
    client.send_bytes("GET / HTTP/1.1\r\n\r\n");
    client.close();
    server.run();
    assert_eq!(log.take(), ["opened", "closed: protocol"]);
}

#[test]
fn a_dropped_connection_is_told_with_its_requests() {
    let (_requests, _latch, app) = App::parked();
    let (log, mut server, client) = observed(Exec::InPlace, app);
    client.send([begin(1)]);
    client.send(Ask::get("/").id(2));
    server.run();
    assert_eq!(log.take(), ["opened", "began", "began"]);
    server.drop_connection();
    let mut told = log.take();
    told.sort();
    assert_eq!(told, ["dropped", "ended 0 complete=false", "ended 0 complete=false"]);
}

#[test]
fn the_time_of_a_request_is_told() {
    #[derive(Clone, Default)]
    struct Times(Arc<Mutex<Vec<RequestEnd>>>);
    impl Observer for Times {
        fn request_ended(&self, end: &RequestEnd) {
            self.0.lock().unwrap().push(end.clone());
        }
    }
    let times = Times::default();
    let mut builder = builder();
    builder.observer(times.clone());
    let app = App::new(|_| async {
        std::thread::sleep(std::time::Duration::from_millis(3));
        text("slow")
    });
    let (mut server, client) = serve_with(&builder, Exec::InPlace, app);
    client.send(Ask::get("/"));
    server.run();
    let ends = times.0.lock().unwrap();
    assert_eq!(ends.len(), 1);
    assert!(ends[0].duration.as_millis() >= 3);
}
