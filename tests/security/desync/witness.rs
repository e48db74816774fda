//! What a backend saw, and whether it has seen everything.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::BOUND;
use crate::process::POLL;

/// A request as someone understood it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What the web server wrote beside it, and beside no other.
    pub(crate) id: Option<String>,
    pub(crate) method: String,
    pub(crate) target: String,
    /// None if it did not come to its end.
    pub(crate) body: Option<Vec<u8>>,
}

/// A backend's notes. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    seen: Vec<Seen>,
    accepted: Vec<SocketAddr>,
    live: usize,
}

impl Witness {
    pub(crate) fn accepted(&self, peer: SocketAddr) {
        let mut notes = self.notes();
        notes.accepted.push(peer);
        notes.live += 1;
    }

    pub(crate) fn closed(&self) {
        self.notes().live -= 1;
    }

    /// Notes a request whose body is still to come, and returns its number.
    pub(crate) fn began(&self, request: Seen) -> usize {
        let mut notes = self.notes();
        notes.seen.push(request);
        notes.seen.len() - 1
    }

    pub(crate) fn completed(&self, number: usize, body: Vec<u8>) {
        self.notes().seen[number].body = Some(body);
    }

    /// All requests since the last time, once every connection that has been made to `backend` is closed.
    pub(crate) async fn all(&self, backend: SocketAddr) -> Vec<Seen> {
        // Whoever connected before this has been accepted before this.
        let probe = TcpStream::connect(backend).await.expect("the backend listens");
        let probe_addr = probe.local_addr().expect("it is connected");
        drop(probe);
        let deadline = Instant::now() + BOUND;
        loop {
            if let Some(seen) = self.notes().take_after(probe_addr) {
                return seen;
            }
            assert!(Instant::now() < deadline, "the web server keeps a connection for ever");
            sleep(POLL).await;
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().expect("no holder panics")
    }
}

impl Notes {
    /// Everything, if this peer was accepted and no connection is open.
    fn take_after(&mut self, peer: SocketAddr) -> Option<Vec<Seen>> {
        let is_over = self.live == 0 && self.accepted.contains(&peer);
        is_over.then(|| {
            self.accepted.clear();
            std::mem::take(&mut self.seen)
        })
    }
}

/// How long a web server keeps what nobody uses, and how long it waits for the rest of a request.
pub(crate) const PATIENCE: Duration = Duration::from_millis(300);
