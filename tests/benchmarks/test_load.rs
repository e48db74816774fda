//! The load generator against both kinds of servers.

use std::time::Duration;

use tokio::net::UnixListener;
use tokio::runtime::Runtime;

use crate::apps::router::router;
use crate::content::HELLO;
use crate::load::{Address, Done, Exchange, Load, Plan, Protocol, Result, Reuse, Until, Waiting};

/// Serves the application by `protocol` and runs `plan` against it.
fn run(protocol: Protocol, until: Until, plan: impl FnOnce(Plan) -> Plan) -> Result<Done> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("socket");
    let runtime = Runtime::new()?;
    let listener = {
        let _context = runtime.enter();
        UnixListener::bind(&path)?
    };
    match protocol {
        Protocol::FastCgi => {
            runtime.spawn(async { tower_fastcgi::serve(listener, router()).await });
        }
        Protocol::Http => {
            runtime.spawn(async { axum::serve(listener, router()).await });
        }
    }
    let plan = plan(Plan::new(Address::Unix(path), protocol, Exchange::get("/", HELLO)));
    Load::open(&Plan { waiting: Waiting::Sleep, ..plan })?.run(until)
}

#[test]
fn each_request_is_answered_once() {
    for protocol in [Protocol::FastCgi, Protocol::Http] {
        for reuse in [Reuse::Kept, Reuse::Never] {
            let plan = |plan| Plan { reuse, connections: 7, ..plan };
            let done = run(protocol, Until::Requests(100), plan).unwrap();
            assert_eq!((done.requests, done.latencies.len()), (100, 100), "{protocol:?} {reuse:?}");
        }
    }
}

#[test]
fn requests_share_a_connection() {
    let plan = |plan| Plan { multiplexed: 9, connections: 2, ..plan };
    let done = run(Protocol::FastCgi, Until::Requests(100), plan).unwrap();
    assert_eq!(done.latencies.len(), 100);
}

#[test]
fn uploads_are_larger_than_what_a_socket_holds() {
    for protocol in [Protocol::FastCgi, Protocol::Http] {
        let plan = |plan| Plan { exchange: Exchange::upload("/upload", 2_000_000), ..plan };
        let done = run(protocol, Until::Requests(40), plan).unwrap();
        assert_eq!(done.latencies.len(), 40);
    }
}

#[test]
fn no_request_is_sent_after_the_time_is_up() {
    let done = run(Protocol::FastCgi, Until::Elapsed(Duration::ZERO), |plan| plan).unwrap();
    assert_eq!(done.requests, 0);
    let done = run(Protocol::FastCgi, Until::Elapsed(Duration::from_millis(20)), |plan| plan);
    assert!(done.unwrap().requests >= 32);
}

#[test]
fn a_wrong_answer_is_an_error() {
    for protocol in [Protocol::FastCgi, Protocol::Http] {
        let plan = |plan| Plan { exchange: Exchange::get("/", "Hello, World?"), ..plan };
        let error = run(protocol, Until::Requests(1), plan).unwrap_err();
        assert_eq!(error.to_string(), "a body with wrong content");
        let plan = |plan| Plan { exchange: Exchange::get("/nowhere", HELLO), ..plan };
        let error = run(protocol, Until::Requests(1), plan).unwrap_err();
        assert!(error.to_string().contains("404"), "{error}");
    }
}
