//! Memory that slow uploads add: 100 of 4 MiB, of which all send a piece in turn.

use super::Session;
use crate::content::{HELLO, MIB};
use crate::load::{Exchange, Load, Plan, Result, Until};
use crate::process::{resident, settle};
use crate::servers::{Running, Server, Threads, Transport};

/// What the handler does with the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handler {
    /// Reads whatever there is.
    Reads,
    /// Reads nothing until all sockets are full.
    Waits,
}

/// MiB at most while the uploads were under way.
pub(super) fn round(session: &Session, server: Server, handler: Handler) -> Result<Vec<f64>> {
    let running = session.starter.start(server, Transport::Unix, Threads::Pinned)?;
    let pid = running.process.id();
    let plan = |exchange, connections| Plan {
        connections,
        ..Plan::new(running.address.clone(), server.protocol(), exchange)
    };
    Load::open(&plan(Exchange::upload("/upload", 4 * MIB), 1))?.run(Until::Requests(1))?;
    let uri = match handler {
        Handler::Reads => "/upload",
        Handler::Waits => "/held",
    };
    let mut uploads = Load::open(&plan(Exchange::upload(uri, 4 * MIB), 100))?;
    settle(pid)?;
    let before = resident(pid)?;
    let most = most_while_sending(&mut uploads, &running)?;
    if handler == Handler::Waits {
        Load::open(&plan(Exchange::get("/release", HELLO), 1))?.run(Until::Requests(1))?;
    }
    let done = uploads.run(Until::Requests(0))?;
    assert_eq!(done.requests, 100, "each upload is answered");
    Ok(vec![most.saturating_sub(before) as f64 / MIB as f64])
}

/// Returns when only the last piece of each is left, or no socket takes any more.
fn most_while_sending(uploads: &mut Load, running: &Running) -> Result<u64> {
    let pid = running.process.id();
    uploads.begin();
    let mut most = 0;
    while uploads.trickle(PIECE)? {
        settle(pid)?;
        most = most.max(resident(pid)?);
    }
    Ok(most)
}

/// As much as nginx puts into one record.
const PIECE: usize = 32 * 1024;
