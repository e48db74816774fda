//! The application ends, or makes room for its successor, while the web server goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::uploads::post_head;
use crate::application::{Application, Options, Outcome};
use crate::client::{Answer, request};
use crate::pattern::{Digest, KIB, Pattern};
use crate::process::POLL;
use crate::site::{LONG_ENOUGH, START_BOUND, Site};
use crate::stage::Stage;
use crate::variant::Socket;

/// Uploads and streams that are under way are served to their end, and the connections that nginx keeps do not hold the end up.
pub(crate) async fn finishes_what_is_under_way(site: Arc<Site>) {
    let site = Arc::new(site.another(Options::default()).await);
    let mut requests = JoinSet::new();
    for n in 0..EACH {
        requests.spawn(held_upload(site.clone(), n));
        requests.spawn(held_download(site.clone(), n));
    }
    for n in 0..EACH {
        site.stage.pass(&format!("upload-{n}")).await;
        site.stage.pass(&format!("download-{n}/begun")).await;
    }
    site.application().shut_down();
    let early = timeout(LONG_ENOUGH, site.application().end()).await;
    assert!(early.is_err(), "requests are under way");
    for n in 0..EACH {
        site.stage.open(&format!("upload-{n}/rest"));
        site.stage.open(&format!("download-{n}/rest"));
    }
    requests.join_all().await;
    ends_well(site.application()).await;
    assert_eq!(failures(site.application()).await, []);
}

async fn held_upload(site: Arc<Site>, n: u64) {
    let (part, whole) = (100 * KIB, 160 * KIB + n);
    let body: Vec<u8> = Pattern::sized(whole).flatten().collect();
    let (first, rest) = body.split_at(part as usize);
    let mut client = site.connect_raw().await;
    client.write(post_head(&format!("/first-bytes/upload-{n}"), whole).as_bytes()).await;
    client.write(first).await;
    site.stage.pass(&format!("upload-{n}/rest")).await;
    client.write(rest).await;
    assert_eq!(client.read_answer().await.text(), Pattern::digest(whole).to_string());
}

async fn held_download(site: Arc<Site>, n: u64) {
    let len = 160 * KIB + n;
    let path = format!("/held/download-{n}/{len}");
    let response = site.connect().await.send(request("GET", &path, "")).await;
    let digest = Digest::of(response.into_body()).await.expect("the answer is whole");
    assert_eq!(digest.to_string(), Pattern::digest(len).to_string());
}

/// A successor takes the address over while clients go on. On a Unix socket none of them notices. On TCP, whoever connects in the
/// instant in which the old listener closes is reset. Connections that nginx keeps are tried with GET alone: it repeats that if a
/// connection is being closed for lack of requests just when it sends one, but not a POST.
pub(crate) async fn hands_over_to_a_successor(site: Arc<Site>) {
    let site = Arc::new(site.another(Options::default()).await);
    let answers = Arc::new(Answers::default());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask_again_and_again(site.clone(), answers.clone()));
    }
    while answers.all.load(Ordering::SeqCst) < CLIENTS * QUESTIONS / 4 {
        sleep(POLL).await;
    }
    let first = site.application();
    let stage = Stage::new("the successor");
    let successor = Application::start_at(&first.address, stage, Options::default()).await;
    let successor = successor.expect("the address can be shared");
    first.shut_down();
    assert!(answers.all.load(Ordering::SeqCst) < CLIENTS * QUESTIONS, "clients go on");
    clients.join_all().await;

    let lost = answers.lost.load(Ordering::SeqCst);
    let excusable = if site.variant.socket == Socket::Tcp { CLIENTS } else { 0 };
    assert!(lost <= excusable, "{lost} requests were lost\n{}", site.log_tail());
    ends_well(first).await;
    assert_eq!(failures(first).await, []);
    assert_eq!(site.get("/identity").await.text(), "the successor");
    assert!(successor.accepted.count() > 0);
}

#[derive(Default)]
struct Answers {
    all: AtomicUsize,
    lost: AtomicUsize,
}

async fn ask_again_and_again(site: Arc<Site>, answers: Arc<Answers>) {
    let mut client = site.connect().await;
    for n in 0..QUESTIONS as u64 {
        let is_upload = n % 2 == 1 && !site.variant.keeps_connections;
        let (method, len) = if is_upload { ("POST", n * KIB) } else { ("GET", 0) };
        let answer = client.try_send(request(method, "/number", Pattern::sized(len))).await;
        answers.all.fetch_add(1, Ordering::SeqCst);
        match answer {
            Ok(answer) if answer.status() == StatusCode::OK => {
                let seen = Answer::of(answer).await.seen();
                assert_eq!(seen.get("body"), Pattern::digest(len).to_string());
            }
            lost => {
                let status = lost.map_or(StatusCode::BAD_GATEWAY, |answer| answer.status());
                assert!([500, 502, 503].contains(&status.as_u16()), "{status}");
                answers.lost.fetch_add(1, Ordering::SeqCst);
                if site.variant.avoids_after_failure {
                    answers_again(&site).await;
                }
                // HAProxy closes the client's connection instead of answering.
                client = site.connect().await;
            }
        }
    }
}

async fn answers_again(site: &Site) {
    let asked = async {
        while site.get("/status/200").await.status != StatusCode::OK {
            sleep(POLL).await;
        }
    };
    timeout(START_BOUND, asked).await.expect("the server tries again");
}

/// Handlers that hang and streams without end are dropped at the deadline. A server that can shows that the stream is not
/// complete.
pub(crate) async fn drops_the_rest_at_the_deadline(site: Arc<Site>) {
    let options = Options { shutdown_timeout: Some(LONG_ENOUGH), ..Options::default() };
    let site = site.another(options).await;
    let (mut silent, mut stream) = (site.connect().await, site.connect().await);
    let silent = tokio::spawn(async move {
        let answer = silent.try_send(request("GET", "/silent/hung", "")).await;
        answer.map(|answer| answer.status())
    });
    let stream = tokio::spawn(async move {
        let response = stream.send(request("GET", "/held/stream/300000", "")).await;
        Digest::of(response.into_body()).await
    });
    site.stage.pass("hung/begun").await;
    site.stage.pass("stream/begun").await;
    site.application().shut_down();
    ends_well(site.application()).await;
    site.stage.pass("hung/left").await;
    // HAProxy may close the client's connection, too, or find nobody to repeat the request to.
    let status = silent.await.expect("no panic").unwrap_or(StatusCode::BAD_GATEWAY);
    assert!([500, 502, 503].contains(&status.as_u16()), "{status}");
    let is_cut = stream.await.expect("no panic").is_err();
    assert_eq!(is_cut, site.can("failures::cut_answer_of_unknown_length_is_seen"));
    let failures = failures(site.application()).await;
    assert!(failures.iter().all(|&outcome| outcome == Outcome::Dropped), "{failures:?}");
}

/// How connections ended that have not ended well, but for those that HAProxy had kept: it resets them.
async fn failures(application: &Application) -> Vec<Outcome> {
    let mut failures = application.failures().await;
    failures.retain(|&outcome| outcome != Outcome::Io);
    failures
}

async fn ends_well(application: &Application) {
    let end = timeout(END_BOUND, application.end()).await;
    end.expect("nothing holds the end up").expect("a shutdown is no error");
}

const EACH: u64 = 100;
const CLIENTS: usize = 8;
const QUESTIONS: usize = 64;
/// Below the deadline of a shutdown.
const END_BOUND: Duration = Duration::from_secs(15);
