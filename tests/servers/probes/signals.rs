//! The example as a process that is told to end.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::uploads::post_head;
use crate::client::RawClient;
use crate::debian::Place;
use crate::example;
use crate::process::{POLL, Process};
use crate::site::{Server, Site};
use crate::variant::Variant;

/// What service managers and container runtimes send.
pub(crate) async fn sigterm(site: Arc<Site>) {
    finishes_and_exits(&site.variant, Signal::TERM).await;
}

/// What Ctrl-C sends.
pub(crate) async fn sigint(site: Arc<Site>) {
    finishes_and_exits(&site.variant, Signal::INT).await;
}

/// Uploads that are under way are answered, and the process then ends well.
async fn finishes_and_exits(variant: &Variant, signal: Signal) {
    let place = Place::new(variant.program.debian).expect("a directory");
    let (mut application, server) = start(variant, &place).await;
    let before = application.log().matches(BEGUN).count();
    let mut clients = JoinSet::new();
    for n in 0..UPLOADS {
        clients.spawn(begin_upload(server.listening.main, n));
    }
    let clients = clients.join_all().await;
    logs(&application, BEGUN, before + UPLOADS).await;

    application.signal(signal);
    logs(&application, ENDING, 1).await;
    assert_eq!(application.exited(), None, "requests are under way");
    for (n, mut client) in clients {
        client.write(&body(n)[PART..]).await;
        assert!(client.read_answer().await.body == body(n), "upload {n}");
    }
    let exited = timeout(BOUND, exit(&mut application)).await.expect("it ends");
    assert!(exited.success(), "{exited}");
}

async fn start(variant: &Variant, place: &Place) -> (Process, Server) {
    let application = example::start(variant.socket, place.dir()).await;
    let (address, process) = application.unwrap_or_else(|error| panic!("{error}"));
    let server = Server::start(variant, place, &address, None, None, ("/", "</form>")).await;
    (process, server.expect("it started before"))
}

async fn begin_upload(server: SocketAddr, n: usize) -> (usize, RawClient) {
    let body = body(n);
    let mut client = RawClient::connect(server).await;
    client.write(post_head("/echo", body.len() as u64).as_bytes()).await;
    client.write(&body[..PART]).await;
    (n, client)
}

fn body(n: usize) -> Vec<u8> {
    format!("{n} ").into_bytes().repeat(PART)
}

/// Waits until a text stands so often in the log.
async fn logs(process: &Process, text: &str, times: usize) {
    let logged = async {
        while process.log().matches(text).count() < times {
            sleep(POLL).await;
        }
    };
    let logged = timeout(BOUND, logged).await;
    assert!(logged.is_ok(), "no {times} times `{text}` in\n{}", process.log_tail());
}

async fn exit(process: &mut Process) -> ExitStatus {
    loop {
        match process.exited() {
            Some(status) => return status,
            None => sleep(POLL).await,
        }
    }
}

const UPLOADS: usize = 20;
/// Of a body, sent before the signal.
const PART: usize = 100 * 1024;
/// What the example logs of each request.
const BEGUN: &str = "started processing request";
const ENDING: &str = "finishing the requests under way";
const BOUND: Duration = Duration::from_secs(20);
