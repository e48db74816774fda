use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::expected::{self, Expected};
use super::json::json;
use super::plan::{Extent, Plan};
use super::progress::Progress;
use super::report;
use super::slot::Slot;
use super::tally::Tally;
use super::trouble::{Kind, Trouble, within};
use crate::interrupt::interrupted;

/// The load and what it has measured so far.
#[derive(Debug)]
pub(super) struct Load {
    plan: Plan,
    expected: Expected,
    begin: Instant,
    begun: AtomicU64,
    done: AtomicU64,
    wrong: AtomicU64,
    /// Several, so that lanes seldom wait for each other.
    tallies: Vec<Mutex<Tally>>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
    pub(super) connections_made: u64,
    pub(super) is_interrupted: bool,
}

impl Load {
    pub(super) fn new(plan: Plan, expected: Expected) -> Arc<Self> {
        Arc::new(Self {
            plan,
            expected,
            begin: Instant::now(),
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            tallies: (0..TALLIES).map(|_| Mutex::default()).collect(),
        })
    }

    pub(super) async fn run(self: Arc<Self>) -> Measured {
        let slots: Vec<_> = (0..self.plan.connections).map(|_| Arc::new(Slot::default())).collect();
        let mut lanes = JoinSet::new();
        for slot in &slots {
            for _ in 0..self.plan.multiplex {
                let number = lanes.len();
                lanes.spawn(lane(self.clone(), slot.clone(), number));
            }
        }
        let progress = Progress::start(self.clone());
        let is_interrupted = tokio::select! {
            () = all(&mut lanes) => false,
            () = interrupted() => true,
        };
        let elapsed = self.begin.elapsed();
        progress.end();
        lanes.shutdown().await;
        let connections_made = slots.iter().map(|slot| slot.made()).sum();
        Measured { tally: self.tally(), elapsed, connections_made, is_interrupted }
    }

    pub(super) fn report(&self, measured: &Measured, is_json: bool) -> String {
        match is_json {
            true => format!("{:#}\n", json(&self.plan, &self.expected, measured)),
            false => report::text(&self.plan, &self.expected, measured),
        }
    }

    /// How much of it is done, from 0 to 1, how many responses came, and how many of them were errors.
    pub(super) fn progress(&self) -> (f64, u64, u64) {
        let (done, wrong) = (self.done.load(Ordering::Relaxed), self.wrong.load(Ordering::Relaxed));
        let share = match self.plan.extent {
            Extent::Number(number) => done as f64 / number as f64,
            Extent::Time(time) => self.begin.elapsed().as_secs_f64() / time.as_secs_f64(),
        };
        (share.min(1.0), done, wrong)
    }

    /// Whether there is another request to be made.
    fn begins(&self) -> bool {
        match self.plan.extent {
            Extent::Number(number) => self.begun.fetch_add(1, Ordering::Relaxed) < number,
            Extent::Time(time) => self.begin.elapsed() < time,
        }
    }

    async fn exchange(&self, slot: &Slot) -> Result<u64, Trouble> {
        let exchange = async {
            let response = slot.send(&self.plan).await?;
            match self.plan.is_any_right {
                true => expected::read_any(response).await,
                false => self.expected.check(response).await,
            }
        };
        within(self.plan.timeout, exchange).await
    }

    fn record(&self, number: usize, latency: Duration, outcome: Result<u64, Trouble>) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.wrong.fetch_add(outcome.is_err().into(), Ordering::Relaxed);
        let tally = &self.tallies[number % TALLIES];
        tally.lock().unwrap_or_else(PoisonError::into_inner).record(latency, outcome);
    }

    fn tally(&self) -> Tally {
        self.tallies.iter().fold(Tally::default(), |mut sum, tally| {
            sum.merge(&tally.lock().unwrap_or_else(PoisonError::into_inner));
            sum
        })
    }
}

/// One request after the other.
async fn lane(load: Arc<Load>, slot: Arc<Slot>, number: usize) {
    while load.begins() {
        let begin = Instant::now();
        let outcome = load.exchange(&slot).await;
        let is_connected = !matches!(&outcome, Err(trouble) if trouble.kind == Kind::Connect);
        load.record(number, begin.elapsed(), outcome);
        if !is_connected {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn all(lanes: &mut JoinSet<()>) {
    while lanes.join_next().await.is_some() {}
}

const TALLIES: usize = 16;
/// Nobody is helped by thousands of refused connections in a second.
const PAUSE: Duration = Duration::from_millis(10);
