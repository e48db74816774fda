//! Processes that the web server or spawn-fcgi has started.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::application::Options;
use crate::client::{Answer, request};
use crate::process::POLL;
use crate::site::Site;

/// Told to end, a process answers what it serves, and then is gone.
pub(crate) async fn sigterm_finishes_what_is_under_way(site: Arc<Site>) {
    let site = Arc::new(site.another(Options::default()).await);
    let answers = begin(&site, SLOW).await;
    let processes = site.stage.processes();
    assert!(!processes.is_empty());
    for &process in &processes {
        terminate(&site, process);
    }
    // Some may be idle. What serves a request is still there.
    assert!(!site.stage.processes().is_empty());
    finish(&site, answers).await;
    gone(&site, &processes).await;
}

/// While one process ends, those beside it, or the one that takes its place, serve without a loss.
pub(crate) async fn one_process_ends_and_the_others_serve(site: Arc<Site>) {
    let site = Arc::new(site.another(Options::default()).await);
    let answers = begin(&site, SLOW).await;
    let ended = *site.stage.processes().first().expect("one serves");
    terminate(&site, ended);
    for _ in 0..QUICK {
        assert_eq!(site.get("/status/200").await.text(), "status 200 OK");
    }
    finish(&site, answers).await;
    gone(&site, &[ended].into()).await;
    for _ in 0..QUICK {
        assert_eq!(site.get("/status/200").await.text(), "status 200 OK");
    }
}

/// When none is left, the web server starts one.
pub(crate) async fn are_started_again(site: Arc<Site>) {
    let site = Arc::new(site.another(Options::default()).await);
    let first = site.stage.processes();
    for &process in &first {
        terminate(&site, process);
    }
    gone(&site, &first).await;
    let again = async {
        while site.get("/status/200").await.status != StatusCode::OK {
            sleep(POLL).await;
        }
    };
    timeout(BOUND, again).await.expect("a new process answers");
    assert!(site.stage.processes().is_disjoint(&first));
}

/// The end of the web server is theirs.
pub(crate) async fn end_with_the_server(site: Arc<Site>) {
    let site = site.another(Options::default()).await;
    let processes = site.stage.processes();
    assert!(!processes.is_empty());
    site.server.process().signal(Signal::TERM);
    gone(&site, &processes).await;
}

/// Requests that are under way until their gates open.
async fn begin(site: &Arc<Site>, count: usize) -> JoinSet<Answer> {
    let mut answers = JoinSet::new();
    for n in 0..count {
        let mut client = site.connect().await;
        let path = format!("/silent/slow-{n}");
        answers.spawn(async move { client.fetch(request("GET", &path, "")).await });
        site.stage.pass(&format!("slow-{n}/begun")).await;
    }
    answers
}

async fn finish(site: &Site, answers: JoinSet<Answer>) {
    for n in 0..answers.len() {
        site.stage.open(&format!("slow-{n}/answer"));
    }
    for answer in answers.join_all().await {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.text(), "at last");
    }
}

/// A process that is among those of the stage has not ended, so that its id is its own.
fn terminate(site: &Site, process: u32) {
    assert!(site.stage.processes().contains(&process));
    let id = i32::try_from(process).ok().and_then(Pid::from_raw).expect("the id of a process");
    kill_process(id, Signal::TERM).expect("it runs");
}

async fn gone(site: &Site, processes: &BTreeSet<u32>) {
    let gone = async {
        while !site.stage.processes().is_disjoint(processes) {
            sleep(POLL).await;
        }
    };
    let gone = timeout(BOUND, gone).await;
    assert!(gone.is_ok(), "{processes:?} are told to end, {:?} run", site.stage.processes());
}

const SLOW: usize = 4;
const QUICK: usize = 50;
const BOUND: Duration = Duration::from_secs(20);
