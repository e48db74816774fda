//! What is measured: each experiment gives one or more rows of the table.

mod cpu;

use std::fmt;

use self::cpu::{Cpu, Work};
use crate::content::MIB;
use crate::load::Result;
use crate::servers::{Server, Starter, Threads, Transport};

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Microseconds,
}

#[derive(Debug)]
enum Kind {
    Cpu(Cpu),
}

/// What all experiments need.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) starter: Starter,
    pub(crate) servers: Vec<Server>,
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
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
    /// Measures all servers, and tells which could not be measured.
    pub(crate) fn measure(&'static self, session: &Session) -> (Vec<Outcome>, Vec<Failure>) {
        let servers = session.servers.iter().filter(|server| !self.without.contains(server));
        let servers: Vec<Server> = servers.copied().collect();
        let (rounds, failed) = match &self.kind {
            Kind::Cpu(cpu) => interleave(
                session.rounds,
                &servers,
                |server| cpu.start(session, server),
                |running| cpu.round(session, running),
            ),
        };
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

/// The values of each round, by server.
type Rounds = Vec<(Server, Vec<Vec<f64>>)>;

/// Gives each server a turn in each round, so that what disturbs the machine disturbs all alike.
fn interleave<S>(
    rounds: usize,
    servers: &[Server],
    start: impl Fn(Server) -> Result<S>,
    round: impl Fn(&mut S) -> Result<Vec<f64>>,
) -> (Rounds, Vec<(Server, String)>) {
    let mut failed = Vec::new();
    let mut running = Vec::new();
    for server in servers {
        match start(*server) {
            Ok(state) => running.push((*server, state, Vec::new())),
            Err(error) => failed.push((*server, error.to_string())),
        }
    }
    for _ in 0..rounds {
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

fn column(rounds: &[Vec<f64>], index: usize) -> Vec<f64> {
    rounds.iter().map(|values| values[index]).collect()
}

pub(crate) static EXPERIMENTS: [Experiment; 9] = [
    Experiment {
        name: "get",
        rows: &[
            cpu_row("GET 13 bytes, 32 kept connections"),
            Row { title: "the same, 99 % are answered within", unit: Unit::Microseconds },
        ],
        kind: Kind::Cpu(Cpu::KEPT),
        without: &[],
    },
    Experiment {
        name: "get-tcp",
        rows: &[cpu_row("the same over TCP")],
        kind: Kind::Cpu(Cpu { transport: Transport::Tcp, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "get-2-workers",
        rows: &[cpu_row("the same, 2 workers, not pinned")],
        kind: Kind::Cpu(Cpu { threads: Threads::Two, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "connect",
        rows: &[cpu_row("GET 13 bytes, a new connection each")],
        kind: Kind::Cpu(Cpu::NEW),
        without: &[],
    },
    Experiment {
        name: "64k",
        rows: &[cpu_row("64 KiB response")],
        kind: Kind::Cpu(Cpu { work: Work::Body64k, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "1m",
        rows: &[cpu_row("1 MiB response")],
        kind: Kind::Cpu(Cpu { work: Work::Body1m, connections: 8, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "upload-1m",
        rows: &[cpu_row("1 MiB upload")],
        kind: Kind::Cpu(Cpu { work: Work::Upload(MIB), connections: 8, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "upload-10m",
        rows: &[cpu_row("10 MiB upload")],
        kind: Kind::Cpu(Cpu { work: Work::Upload(10 * MIB), connections: 8, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "multiplexed",
        rows: &[cpu_row("GET 13 bytes, 32 at a time on one connection")],
        kind: Kind::Cpu(Cpu::MULTIPLEXED),
        without: &[Server::Libfcgi],
    },
];

const fn cpu_row(title: &'static str) -> Row {
    Row { title, unit: Unit::Microseconds }
}
