//! Processor time of the server per request.

use std::time::Duration;

use super::Session;
use crate::content::{HELLO, KIB_64, MIB, body};
use crate::exchange::Exchange;
use crate::load::{Load, Plan, Protocol, Result, Reuse, Until};
use crate::process::settle;
use crate::servers::{Running, Server, Threads, Transport};
use crate::statistics::quantile;

#[derive(Debug)]
pub(super) struct Cpu {
    pub(super) transport: Transport,
    pub(super) threads: Threads,
    pub(super) work: Work,
    pub(super) connections: usize,
    pub(super) reuse: Reuse,
    /// All requests that are under way are on one connection, where the protocol can.
    pub(super) multiplexed: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Hello,
    Body64k,
    Body1m,
    Upload(usize),
}

impl Work {
    pub(super) fn exchange(self) -> Exchange {
        match self {
            Self::Hello => Exchange::get("/", HELLO),
            Self::Body64k => Exchange::get("/64k", body(KIB_64)),
            Self::Body1m => Exchange::get("/1m", body(MIB)),
            Self::Upload(len) => Exchange::upload("/upload", len),
        }
    }
}

impl Cpu {
    pub(super) const KEPT: Self = Self {
        transport: Transport::Unix,
        threads: Threads::Pinned,
        work: Work::Hello,
        connections: 32,
        reuse: Reuse::Kept,
        multiplexed: false,
    };
    pub(super) const NEW: Self = Self { reuse: Reuse::Never, ..Self::KEPT };
    pub(super) const MULTIPLEXED: Self = Self { multiplexed: true, ..Self::KEPT };

    pub(super) fn start(&self, session: &Session, server: Server) -> Result<(Running, Plan)> {
        let running = session.starter.start(server, self.transport, self.threads)?;
        let plan = self.plan(&running);
        Ok((running, plan))
    }

    pub(super) fn plan(&self, running: &Running) -> Plan {
        let protocol = running.server.protocol();
        let plan = Plan::new(running.address.clone(), protocol, self.work.exchange());
        let plan = Plan { connections: self.connections, reuse: self.reuse, ..plan };
        if self.multiplexed && protocol == Protocol::FastCgi {
            return Plan { connections: 1, multiplexed: 32, ..plan };
        }
        plan
    }

    /// Microseconds of the processor per request, and what 99 % of the requests took at most.
    pub(super) fn round(
        &self,
        session: &Session,
        running: &Running,
        plan: &Plan,
    ) -> Result<Vec<f64>> {
        let pid = running.process.id();
        let (warm_up, window) = if session.quick { (10, 50) } else { (50, 250) };
        let mut load = Load::open(plan)?;
        load.run(Until::Elapsed(Duration::from_millis(warm_up)))?;
        let before = settle(pid)?;
        let done = load.run(Until::Elapsed(Duration::from_millis(window)))?;
        let used = settle(pid)? - before;
        let mut latencies: Vec<f64> = done.latencies.iter().copied().map(microseconds).collect();
        latencies.sort_by(f64::total_cmp);
        let p99 = quantile(&latencies, 0.99).unwrap_or_default();
        Ok(vec![microseconds(used) / done.requests as f64, p99])
    }
}

pub(super) fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
