//! Memory that an idle kept connection costs: as soon as it is accepted, and when it has carried one request.

use super::Session;
use crate::content::HELLO;
use crate::load::{Exchange, Load, Plan, Result, Until};
use crate::process::{resident, settle};
use crate::servers::{Server, Threads, Transport};

/// KiB per connection, new and used. The server is fresh but has served 32 others before, so its code and what it allocates once
/// are not counted.
pub(super) fn round(session: &Session, server: Server) -> Result<Vec<f64>> {
    let running = session.starter.start(server, Transport::Unix, Threads::Pinned)?;
    let pid = running.process.id();
    let plan = Plan::new(running.address.clone(), server.protocol(), Exchange::get("/", HELLO));
    Load::open(&plan)?.run(Until::Requests(1000))?;
    settle(pid)?;
    let before = resident(pid)?;

    let groups = if session.quick { 32 } else { 64 };
    let loads: Result<Vec<Load>> = (0..groups).map(|_| Load::open(&plan)).collect();
    let mut loads = loads?;
    let connections = (groups * plan.connections) as f64;
    settle(pid)?;
    let fresh = resident(pid)?;
    for load in &mut loads {
        load.run(Until::Requests(plan.connections as u64))?;
    }
    settle(pid)?;
    let used = resident(pid)?;
    let each = |now: u64| now.saturating_sub(before) as f64 / 1024.0 / connections;
    Ok(vec![each(fresh), each(used)])
}
