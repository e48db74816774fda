//! Does the application see requests that its web server did not mean? Asked over HTTP and over FastCGI, of the same servers, with
//! the same bytes.
//!
//! The web server gives each request a number, which it passes on (as a header over HTTP, as a param over FastCGI) and writes into
//! its own log, with the request as it understood it. What a backend saw is meant if the log has it: the number, the method, the
//! target and the body. Everything else it was made to see by the client.

mod backends;
mod front;
mod http2;
mod lenient;
mod payloads;
mod verdict;
mod witness;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use libtest_mimic::{Failed, Trial};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use self::backends::Kind;
use self::front::{Family, Front, Meant, Running, Way};
use self::payloads::{Payload, Wire};
use self::verdict::Verdict;
use self::witness::Seen;
use crate::process::POLL;
use crate::starting::Lazy;
use crate::{BOUND, RUNTIME};

/// All payloads, all servers, and what came out.
pub(crate) struct Desync {
    payloads: Vec<Arc<Payload>>,
    fronts: Vec<Arc<LazyFront>>,
    found: Mutex<HashMap<(String, String), Row>>,
}

/// What each kind of backend made of it.
type Row = Vec<(Kind, Verdict)>;

/// One payload at a time, so that each request is known to come from it.
type LazyFront = Lazy<Front, Mutex<Running>>;

impl Desync {
    pub(crate) fn new() -> Arc<Self> {
        let lazy = |front| Lazy::new(front, |front| Running::start(front).map(Mutex::new));
        Arc::new(Self {
            payloads: payloads::all().into_iter().map(Arc::new).collect(),
            fronts: Front::all().into_iter().map(lazy).collect(),
            found: Mutex::default(),
        })
    }

    pub(crate) fn trials(self: &Arc<Self>) -> Vec<Trial> {
        // Server by server within a payload: then they work side by side.
        let each = |payload: &Arc<Payload>| {
            let payload = payload.clone();
            self.fronts.iter().map(move |front| self.trial(front.clone(), payload.clone()))
        };
        self.payloads.iter().flat_map(each).collect()
    }

    fn trial(self: &Arc<Self>, front: Arc<LazyFront>, payload: Arc<Payload>) -> Trial {
        let desync = self.clone();
        let name = format!("desync::{}::{}", front.front, payload.full_name());
        Trial::test(name, move || {
            let row = front.judge(&payload)?;
            let outcome = check(front.front.family, &payload, &row);
            let key = (front.front.to_string(), payload.full_name());
            desync.found.lock().expect("no holder panics").insert(key, row);
            outcome
        })
    }

    /// The part of the page, if everything was asked.
    pub(crate) fn page(&self) -> Option<String> {
        let found = self.found.lock().expect("no holder panics");
        if found.len() < self.payloads.len() * self.fronts.len() {
            return None;
        }
        let names: Vec<_> = self.fronts.iter().map(|lazy| lazy.front.to_string()).collect();
        let mut page =
            format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
        let mut theme = "";
        let mut smuggled = Vec::new();
        for payload in &self.payloads {
            if payload.theme != theme {
                theme = payload.theme;
                let _ = writeln!(page, "| **{theme}** |{}", " |".repeat(names.len()));
            }
            let row = |name: &String| &found[&(name.clone(), payload.full_name())];
            let cells: Vec<_> = names.iter().map(|name| cell(row(name))).collect();
            let _ = writeln!(page, "| {} | {} |", payload.name, cells.join(" | "));
            let rows: Vec<_> = names.iter().map(|name| (&**name, row(name))).collect();
            smuggled.push(told(payload, &rows));
        }
        let _ = write!(page, "\nSeen and not meant:\n\n{}", smuggled.concat());
        Some(page)
    }
}

impl LazyFront {
    fn judge(&self, payload: &Payload) -> Result<Row, Failed> {
        // What failed with one payload says nothing of the next.
        let running = self.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(RUNTIME.block_on(async {
            join_all(running.ways.iter().map(|way| judge(&running, way, payload))).await
        }))
    }
}

async fn judge(running: &Running, way: &Way, payload: &Payload) -> (Kind, Verdict) {
    // Of the time when the server was started.
    way.backend.witness.all(way.backend.addr).await;
    let mut attempt = 1;
    loop {
        let before = running.meant(way).len();
        let answer = send(way, &payload.wire).await;
        let seen = way.backend.witness.all(way.backend.addr).await;
        if seen.is_empty() && !is_refusal(&answer) && attempt < ATTEMPTS {
            attempt += 1;
            continue;
        }
        let meant = meant(running, way, &seen).await;
        return (way.backend.kind, Verdict::of(seen, meant, before));
    }
}

/// Whether the server says that it does not take the request. If it does not, it may have waited in vain, which on a busy machine means
/// little.
fn is_refusal(answer: &[u8]) -> bool {
    let status = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.is_some_and(|status| ![&b"408"[..], b"504"].contains(&status))
}

/// Until the server closes the connection, which it does when nothing more comes. What it says until then.
async fn send(way: &Way, wire: &Wire) -> Vec<u8> {
    let (address, bytes) = match wire {
        Wire::Http1(bytes) => (way.http1, bytes),
        Wire::Http2(bytes) => (way.http2, bytes),
    };
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("the server accepts");
        // It may refuse before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    timeout(BOUND, exchange).await.expect("the server closes idle connections")
}

/// What the server meant, once its log has all that was seen, or will not have it.
async fn meant(running: &Running, way: &Way, seen: &[Seen]) -> Vec<Meant> {
    let deadline = Instant::now() + LOG_BOUND;
    loop {
        let meant = running.meant(way);
        let is_logged = |seen: &Seen| {
            seen.id.is_none() || meant.iter().any(|meant| meant.request.id == seen.id)
        };
        if seen.iter().all(is_logged) || Instant::now() > deadline {
            return meant;
        }
        sleep(POLL).await;
    }
}

fn check(family: Family, payload: &Payload, row: &Row) -> Result<(), Failed> {
    for (kind, verdict) in row {
        let is_smuggled = !verdict.is_as_meant();
        if *kind == Kind::FastCgi && (is_smuggled || verdict.is_answered_by_nobody()) {
            return Err(format!("over FastCGI: {verdict:?}").into());
        }
        if *kind == Kind::Lenient
            && SMUGGLED.contains(&(family, payload.theme, payload.name))
            && !is_smuggled
        {
            return Err(format!("over HTTP nothing came of it: {verdict:?}").into());
        }
    }
    Ok(())
}

fn cell(row: &Row) -> String {
    row.iter().map(|(_, verdict)| verdict.cell()).collect::<Vec<_>>().join(" ")
}

/// A line for each kind of backend and what it saw, with the servers behind which it did.
fn told(payload: &Payload, rows: &[(&str, &Row)]) -> String {
    let mut servers = BTreeMap::<(Kind, String), Vec<&str>>::new();
    for (server, row) in rows {
        for (kind, verdict) in *row {
            if let Some(requests) = verdict.not_meant() {
                servers.entry((*kind, requests)).or_default().push(server);
            }
        }
    }
    let line = |((kind, requests), servers): ((Kind, String), Vec<&str>)| {
        let (kind, servers) = (kind.name(), servers.join(", "));
        format!("- {}, {}: {kind} behind {servers}: {requests}\n", payload.theme, payload.name)
    };
    servers.into_iter().map(line).collect()
}

/// What must come out with today's servers: else the backend is not what it is said to be.
const SMUGGLED: &[(Family, &str, &str)] = &[
    (Family::Haproxy, "Content-Length and Transfer-Encoding", "`Transfer_Encoding`"),
    (Family::Haproxy, "Content-Length", "and `Content_Length`"),
    (Family::Haproxy, "Content-Length", "named by Connection"),
    (Family::Haproxy, "Methods and versions", "GET with a body"),
    (Family::Haproxy, "HTTP/2", "`transfer_encoding` and Content-Length"),
    (Family::Nginx, "Methods and versions", "GET with a body"),
    (Family::Nginx, "What the server decodes", "CR LF in a path that it decodes"),
    (Family::Nginx, "What the server decodes", "CR LF in a header that it sets"),
    (Family::Nginx, "Upgrade", "to HTTP/2 where WebSocket passes"),
];

/// How often a payload is sent of which nobody says anything.
const ATTEMPTS: usize = 4;

/// How long a line of the log may be late.
const LOG_BOUND: Duration = Duration::from_secs(3);
