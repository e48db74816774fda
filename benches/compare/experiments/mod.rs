//! What is measured: each experiment gives one or more rows of the table.

mod cores;
mod cpu;
mod idle;
pub(crate) mod system_calls;
mod uploads;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use self::cpu::{Cpu, Work};
use self::uploads::Handler;
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
        let alone = |server| Ok(server);
        // What is no matter of time needs no statistics.
        let few = session.rounds.min(3);
        match self {
            Self::Cpu(cpu) => interleave(
                (session, session.rounds, servers),
                |server| cpu.start(session, server),
                |(running, plan)| cpu.round(session, running, plan),
            ),
            Self::Cores => interleave(
                (session, few, servers),
                |server| cores::start(session, server),
                |(running, plan)| cores::round(session, running, plan),
            ),
            Self::Idle => {
                interleave((session, few, servers), alone, |server| idle::round(session, *server))
            }
            Self::Uploads(handler) => interleave((session, few, servers), alone, |server| {
                uploads::round(session, *server, *handler)
            }),
            Self::SystemCalls(cpu) => interleave((session, 1, servers), alone, |server| {
                system_calls::round(session, *server, cpu)
            }),
        }
    }
}

/// The values of each round, by server.
type Rounds = Vec<(Server, Vec<Vec<f64>>)>;
/// Those that could not be measured, and why.
type Failed = Vec<(Server, String)>;

/// Gives each server a turn in each round, so that what disturbs the machine disturbs all alike.
fn interleave<S>(
    (session, rounds, servers): (&Session, usize, &[Server]),
    start: impl Fn(Server) -> Result<S>,
    round: impl Fn(&mut S) -> Result<Vec<f64>>,
) -> (Rounds, Failed) {
    let mut failed = Vec::new();
    let mut running = Vec::new();
    for server in servers {
        match start(*server) {
            Ok(state) => running.push((*server, state, Vec::new())),
            Err(error) => failed.push((*server, error.to_string())),
        }
    }
    for _ in 0..rounds {
        if session.interrupted.load(Ordering::Relaxed) {
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

fn column(rounds: &[Vec<f64>], index: usize) -> Vec<f64> {
    rounds.iter().map(|values| values[index]).collect()
}

pub(crate) static EXPERIMENTS: [Experiment; 17] = [
    Experiment {
        name: "get",
        rows: &[
            cpu_row("GET 13 bytes, 32 kept connections", "GET 13 bytes, kept connections"),
            row("the same, 99 % are answered within", Unit::Microseconds),
        ],
        kind: Kind::Cpu(Cpu::KEPT),
        without: &[],
    },
    Experiment {
        name: "get-tcp",
        rows: &[cpu_row("the same over TCP", "GET 13 bytes, TCP")],
        kind: Kind::Cpu(Cpu { transport: Transport::Tcp, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "get-2-workers",
        rows: &[cpu_row("the same, 2 workers, not pinned", "GET 13 bytes, 2 workers")],
        kind: Kind::Cpu(Cpu { threads: Threads::Two, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "connect",
        rows: &[cpu_row("GET 13 bytes, a new connection each", "GET 13 bytes, new connections")],
        kind: Kind::Cpu(Cpu::NEW),
        without: &[],
    },
    Experiment {
        name: "64k",
        rows: &[cpu_row("64 KiB response", "64 KiB response")],
        kind: Kind::Cpu(Cpu { work: Work::Body64k, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "1m",
        rows: &[cpu_row("1 MiB response", "1 MiB response")],
        kind: Kind::Cpu(Cpu { work: Work::Body1m, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "upload-1m",
        rows: &[cpu_row("1 MiB upload", "1 MiB upload")],
        kind: Kind::Cpu(Cpu { work: Work::Upload(MIB), ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "upload-10m",
        rows: &[cpu_row("10 MiB upload", "10 MiB upload")],
        kind: Kind::Cpu(Cpu { work: Work::Upload(10 * MIB), ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "multiplexed",
        rows: &[cpu_row(
            "GET 13 bytes, 32 at a time on one connection",
            "GET 13 bytes, multiplexed",
        )],
        kind: Kind::Cpu(Cpu::MULTIPLEXED),
        without: &[Server::Libfcgi],
    },
    Experiment {
        name: "cores",
        rows: &[row(
            "processors used by 32 busy requests at a time on one connection",
            Unit::Count,
        )],
        kind: Kind::Cores,
        without: &[Server::Libfcgi],
    },
    Experiment {
        name: "idle",
        rows: &[
            row("memory of an idle connection, new", Unit::KibiBytes),
            row("memory of an idle connection, after a GET", Unit::KibiBytes),
        ],
        kind: Kind::Idle,
        without: &[Server::Libfcgi],
    },
    Experiment {
        name: "uploads",
        rows: &[row("memory of 100 slow uploads of 4 MiB", Unit::MebiBytes)],
        kind: Kind::Uploads(Handler::Reads),
        without: &[],
    },
    Experiment {
        name: "uploads-held",
        rows: &[row("the same, nobody reads yet", Unit::MebiBytes)],
        kind: Kind::Uploads(Handler::Waits),
        without: &[],
    },
    Experiment {
        name: "calls",
        rows: &[row("system calls, GET 13 bytes", Unit::Count)],
        kind: Kind::SystemCalls(Cpu::KEPT),
        without: &[],
    },
    Experiment {
        name: "calls-64k",
        rows: &[row("system calls, 64 KiB response", Unit::Count)],
        kind: Kind::SystemCalls(Cpu { work: Work::Body64k, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "calls-1m",
        rows: &[row("system calls, 1 MiB response", Unit::Count)],
        kind: Kind::SystemCalls(Cpu { work: Work::Body1m, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "calls-multiplexed",
        rows: &[row("system calls, 32 at a time on one connection", Unit::Count)],
        kind: Kind::SystemCalls(Cpu::MULTIPLEXED),
        without: &[Server::Libfcgi],
    },
];

const fn cpu_row(title: &'static str, bars: &'static str) -> Row {
    Row { title, unit: Unit::Microseconds, bars: Some(bars) }
}

const fn row(title: &'static str, unit: Unit) -> Row {
    Row { title, unit, bars: None }
}
