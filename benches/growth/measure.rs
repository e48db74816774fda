//! What a request of each size costs.

use std::path::Path;
use std::time::Duration;

use crate::load::{Address, Load, Plan, Protocol, Result, Until};
use crate::process::{Cores, Process, forget_peak, peak, resident, settle, this_thread};
use crate::series::Series;
use crate::server;
use crate::statistics::Summary;

/// What all sizes of a series cost, over one protocol.
#[derive(Clone, Debug)]
pub(crate) struct Costs {
    pub(crate) protocol: Protocol,
    /// In the order of the sizes.
    pub(crate) sizes: Vec<Cost>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) size: usize,
    /// Microseconds of the processor per request.
    pub(crate) used: f64,
    /// The most memory that the server had more than before, in bytes.
    pub(crate) memory: u64,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) cores: Cores,
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
    /// How many connections this process and a server may have.
    pub(crate) most_connections: usize,
}

/// A server for one size, and its rounds so far.
struct Point<'a> {
    series: &'a Series,
    protocol: Protocol,
    size: usize,
    socket: Address,
    process: Process,
    memory: u64,
    rounds: Vec<f64>,
}

impl Session {
    /// Gives each size and protocol a turn in each round, so that what disturbs the machine disturbs all alike.
    pub(crate) fn measure(&self, series: &Series) -> Result<Vec<Costs>> {
        let directory = tempfile::tempdir()?;
        let mut points = Vec::new();
        for &size in self.sizes(series) {
            for &protocol in series.protocols {
                let socket = directory.path().join(format!("{protocol:?}-{size}"));
                points.push(self.start(series, protocol, size, &socket)?);
            }
        }
        for _ in 0..self.rounds {
            for point in &mut points {
                point.rounds.push(point.round(self.quick)?);
            }
        }
        let costs = |protocol: &Protocol| {
            let of_it = points.iter().filter(|point| point.protocol == *protocol);
            Costs { protocol: *protocol, sizes: of_it.map(Point::cost).collect() }
        };
        Ok(series.protocols.iter().map(costs).collect())
    }

    /// Those that this machine allows.
    pub(crate) fn sizes<'a>(&self, series: &'a Series) -> impl Iterator<Item = &'a usize> {
        let most = if series.is_about_connections() { self.most_connections } else { usize::MAX };
        series.sizes.iter().filter(move |size| **size <= most)
    }

    fn start<'a>(
        &self,
        series: &'a Series,
        protocol: Protocol,
        size: usize,
        socket: &Path,
    ) -> Result<Point<'a>> {
        self.cores.run_on_servers()?;
        let process = Process::start(&mut server::command(protocol, socket)?);
        self.cores.run_on_loads()?;
        let socket = Address::Unix(socket.to_owned());
        let (process, rounds) = (process?, Vec::new());
        let mut point = Point { series, protocol, size, socket, process, memory: 0, rounds };
        point.memory = point.added_memory()?;
        Ok(point)
    }
}

impl Point<'_> {
    fn plan(&self) -> (Plan, usize) {
        let exchange = crate::load::Exchange::get("/", crate::content::HELLO);
        let plan = Plan::new(self.socket.clone(), self.protocol, exchange);
        self.series.plan(plan, self.size)
    }

    /// What the first requests allocate once is not counted: one has been served before.
    fn added_memory(&self) -> Result<u64> {
        let pid = self.process.id();
        let (plan, busy) = self.plan();
        let first = Plan { connections: 1, multiplexed: 1, ..plan.clone() };
        Load::open(&first)?.run(Until::Requests(1))?;
        settle(pid)?;
        let before = resident(pid)?;
        forget_peak(pid)?;
        let mut load = Load::open(&plan)?;
        run(&mut load, &plan, Until::Requests(plan.connections.max(8 * busy) as u64), busy)?;
        settle(pid)?;
        let memory = peak(pid)?.saturating_sub(before);
        drop(load);
        settle(pid)?;
        Ok(memory)
    }

    /// Microseconds of the processor per request.
    ///
    /// A load generator that loses its processor to something else lets the server run dry and pay for being woken, so such a
    /// round is tried again.
    fn round(&self, quick: bool) -> Result<f64> {
        let mut least = self.attempt(quick)?;
        for _ in 1..ATTEMPTS {
            if least.disturbed < TOLERABLE {
                break;
            }
            let again = self.attempt(quick)?;
            if again.disturbed < least.disturbed {
                least = again;
            }
        }
        Ok(least.used)
    }

    fn attempt(&self, quick: bool) -> Result<Attempt> {
        let pid = self.process.id();
        let (plan, busy) = self.plan();
        let mut load = Load::open(&plan)?;
        // Each connection has served before, so none is new in the round.
        run(&mut load, &plan, Until::Requests(plan.connections as u64), busy)?;
        let window = Duration::from_millis(if quick { 20 } else { 120 });
        let (before, own_before) = (settle(pid)?, this_thread());
        let done = run(&mut load, &plan, Until::Elapsed(window), busy)?;
        let own = this_thread() - own_before;
        let used = settle(pid)? - before;
        // A server that still closes thousands of connections would take the processor from the next.
        drop(load);
        settle(pid)?;
        Ok(Attempt {
            used: used.as_secs_f64() * 1e6 / done.requests as f64,
            disturbed: 1.0 - own.div_duration_f64(done.elapsed),
        })
    }

    fn cost(&self) -> Cost {
        let summary = Summary::of(&self.rounds).expect("there is a round");
        Cost { size: self.size, used: summary.median, memory: self.memory }
    }
}

fn run(load: &mut Load, plan: &Plan, until: Until, busy: usize) -> Result<crate::load::Done> {
    // Only one that has room for several requests is asked again before it has answered.
    if plan.multiplexed > 1 { load.run(until) } else { load.rotate(until, busy) }
}

struct Attempt {
    used: f64,
    /// For which share of the time the load generator, which never sleeps, did not run.
    disturbed: f64,
}

const ATTEMPTS: usize = 4;
const TOLERABLE: f64 = 0.03;
