//! What is measured: each experiment gives one or more rows of the table.

mod cores;
mod cpu;
mod idle;
mod rows;
pub(crate) mod system_calls;
mod uploads;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use self::cpu::Cpu;
pub(crate) use self::rows::EXPERIMENTS;
use self::uploads::Handler;
use crate::load::Result;
use crate::servers::{Server, Starter};

#[derive(Debug)]
pub(crate) struct Experiment {
    /// How it is named on the command line.
    pub(crate) name: &'static str,
    /// In the order of the values of a round.
    pub(crate) rows: &'static [Row],
    kind: Kind,
    /// Servers that cannot do it.
    without: &'static [Server],
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    /// How the picture names it, if its ratios are shown there.
    pub(crate) bars: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Microseconds,
    KibiBytes,
    MebiBytes,
    /// How many processors or system calls.
    Count,
}

#[derive(Debug)]
enum Kind {
    Cpu(Cpu),
    Cores,
    Idle,
    Uploads(Handler),
    SystemCalls(Cpu),
}

/// What all experiments need.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) starter: Starter,
    pub(crate) servers: Vec<Server>,
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
    /// Set when the user wants an end.
    pub(crate) interrupted: &'static AtomicBool,
}

/// What a row came to: the value of each round, by server.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) row: &'static Row,
    pub(crate) values: Vec<(Server, Vec<f64>)>,
}

/// A server that failed an experiment, which goes on without it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) server: Server,
    pub(crate) experiment: &'static str,
    pub(crate) reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.server.title(), self.experiment, self.reason)
    }
}

impl Outcome {
    pub(crate) fn of(&self, server: Server) -> Option<&[f64]> {
        let (_, values) = self.values.iter().find(|(of, _)| *of == server)?;
        Some(values)
    }
}

impl Experiment {
    pub(crate) fn counts_system_calls(&self) -> bool {
        matches!(self.kind, Kind::SystemCalls(_))
    }

    /// Measures all servers, and tells which could not be measured.
    pub(crate) fn measure(&'static self, session: &Session) -> (Vec<Outcome>, Vec<Failure>) {
        let servers = session.servers.iter().filter(|server| !self.without.contains(server));
        let servers: Vec<Server> = servers.copied().collect();
        let (rounds, failed) = self.kind.measure(session, &servers);
        let outcome = |(index, row)| Outcome {
            row,
            values: rounds
                .iter()
                .map(|(server, values)| (*server, column(values, index)))
                .collect(),
        };
        let failure = |(server, reason)| Failure { server, experiment: self.name, reason };
        (
            self.rows.iter().enumerate().map(outcome).collect(),
            failed.into_iter().map(failure).collect(),
        )
    }
}

impl Kind {
    fn measure(&self, session: &Session, servers: &[Server]) -> (Rounds, Failed) {
        let turns = Turns { session, servers, rounds: session.rounds };
        // What is no matter of time needs no statistics.
        let few = Turns { rounds: session.rounds.min(3), ..turns };
        let fresh = |server| Ok(server);
        match self {
            Self::Cpu(cpu) => turns.interleave(
                |server| cpu.start(session, server),
                |(running, plan)| cpu.round(session, running, plan),
            ),
            Self::Cores => few.interleave(
                |server| cores::start(session, server),
                |(running, plan)| cores::round(session, running, plan),
            ),
            Self::Idle => few.interleave(fresh, |server| idle::round(session, *server)),
            Self::Uploads(handler) => {
                few.interleave(fresh, |server| uploads::round(session, *server, *handler))
            }
            Self::SystemCalls(cpu) => Turns { rounds: 1, ..turns }
                .interleave(fresh, |server| system_calls::round(session, *server, cpu)),
        }
    }
}

/// The values of each round, by server.
type Rounds = Vec<(Server, Vec<Vec<f64>>)>;
/// Those that could not be measured, and why.
type Failed = Vec<(Server, String)>;

#[derive(Clone, Copy)]
struct Turns<'a> {
    session: &'a Session,
    servers: &'a [Server],
    rounds: usize,
}

impl Turns<'_> {
    /// Gives each server a turn in each round, so that what disturbs the machine disturbs all alike.
    fn interleave<S>(
        &self,
        start: impl Fn(Server) -> Result<S>,
        round: impl Fn(&mut S) -> Result<Vec<f64>>,
    ) -> (Rounds, Failed) {
        let mut failed = Vec::new();
        let mut running = Vec::new();
        for server in self.servers {
            match start(*server) {
                Ok(state) => running.push((*server, state, Vec::new())),
                Err(error) => failed.push((*server, error.to_string())),
            }
        }
        for _ in 0..self.rounds {
            if self.session.interrupted.load(Ordering::Relaxed) {
                break;
            }
            running.retain_mut(|(server, state, values)| match round(state) {
                Ok(value) => {
                    values.push(value);
                    true
                }
                Err(error) => {
                    failed.push((*server, error.to_string()));
                    false
                }
            });
        }
        (running.into_iter().map(|(server, _, values)| (server, values)).collect(), failed)
    }
}

fn column(rounds: &[Vec<f64>], index: usize) -> Vec<f64> {
    rounds.iter().map(|values| values[index]).collect()
}
