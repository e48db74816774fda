//! Clients that ask without a pause, and what they do not get.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::BOUND;
use crate::client::Connection;
use crate::process::POLL;

/// On a connection of its own, which the server is told to close.
pub(crate) fn ask(address: SocketAddr, method: &str, target: &str) -> Result<(), String> {
    let body: &[u8] = if method == "GET" { b"" } else { &[b'x'; 1000] };
    let answer = Connection::open(address)
        .and_then(|mut connection| connection.ask(method, target, &["Connection: close"], body));
    match answer {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(format!("{method}: {}", answer.status)),
        Err(error) => Err(format!("{method}: {error}")),
    }
}

/// GET and POST in turn.
pub(crate) struct Load {
    clients: Vec<JoinHandle<()>>,
    count: Arc<Count>,
}

#[derive(Default)]
struct Count {
    all: AtomicUsize,
    lost_gets: AtomicUsize,
    lost_posts: AtomicUsize,
    reasons: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Count {
    /// Of GET and of POST.
    fn lost(&self) -> [usize; 2] {
        [&self.lost_gets, &self.lost_posts].map(|lost| lost.load(Ordering::SeqCst))
    }
}

impl Load {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let count = Arc::new(Count::default());
        let client = |_| {
            let count = count.clone();
            thread::spawn(move || ask_again_and_again(address, &count))
        };
        Self { clients: (0..CLIENTS).map(client).collect(), count }
    }

    pub(crate) fn wait_for_more(&self, requests: usize) {
        let enough = self.count.all.load(Ordering::SeqCst) + requests;
        let deadline = Instant::now() + BOUND;
        while self.count.all.load(Ordering::SeqCst) < enough {
            assert!(Instant::now() < deadline, "requests are answered");
            thread::sleep(POLL);
        }
    }

    pub(crate) fn lost(&self) -> [usize; 2] {
        self.count.lost()
    }

    /// Why requests were lost.
    pub(crate) fn reasons(&self) -> String {
        self.count.reasons.lock().expect("no holder panics").join(", ")
    }

    /// How many requests were lost.
    pub(crate) fn stop(self) -> [usize; 2] {
        self.count.is_over.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.join().expect("no client panics");
        }
        self.count.lost()
    }
}

fn ask_again_and_again(address: SocketAddr, count: &Count) {
    while !count.is_over.load(Ordering::SeqCst) {
        for (method, lost) in [("GET", &count.lost_gets), ("POST", &count.lost_posts)] {
            if let Err(reason) = ask(address, method, "/") {
                lost.fetch_add(1, Ordering::SeqCst);
                count.reasons.lock().expect("no holder panics").push(reason);
            }
            count.all.fetch_add(1, Ordering::SeqCst);
        }
    }
}

const CLIENTS: usize = 4;
