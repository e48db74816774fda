//! What starting any web server has in common.

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::sleep;
use std::time::Instant;

use crate::BOUND;
use crate::process::POLL;

/// A server that starts with the first trial that needs it. All that need it fail when it does not.
pub(crate) struct Lazy<Front, Server> {
    pub(crate) front: Front,
    start: fn(&Front) -> io::Result<Server>,
    server: OnceLock<Result<Server, String>>,
}

impl<Front, Server> Lazy<Front, Server> {
    pub(crate) fn new(front: Front, start: fn(&Front) -> io::Result<Server>) -> Arc<Self> {
        Arc::new(Self { front, start, server: OnceLock::new() })
    }

    pub(crate) fn get(&self) -> Result<&Server, &String> {
        let started = || (self.start)(&self.front).map_err(|error| error.to_string());
        self.server.get_or_init(started).as_ref()
    }
}

/// Starts a server, again if someone was faster at its ports. `is_ready` says `false` when it has ended.
pub(crate) fn start<Server>(
    name: &str,
    attempt: impl Fn() -> io::Result<Server>,
    is_ready: impl Fn(&mut Server) -> Option<bool>,
    log: impl Fn(&Server) -> String,
) -> io::Result<Server> {
    let mut last = String::new();
    for _ in 0..START_ATTEMPTS {
        let mut server = attempt()?;
        let deadline = Instant::now() + BOUND;
        while Instant::now() < deadline {
            match is_ready(&mut server) {
                Some(true) => return Ok(server),
                Some(false) => break,
                None => sleep(POLL),
            }
        }
        last = log(&server);
    }
    Err(io::Error::other(format!("{name} does not start:\n{last}")))
}

const START_ATTEMPTS: usize = 5;
