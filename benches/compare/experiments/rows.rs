//! All rows of the table, in its order.

use super::cpu::{Cpu, Work};
use super::uploads::Handler;
use super::{Experiment, Kind, Row, Unit};
use crate::content::MIB;
use crate::servers::{Server, Threads, Transport};

pub(crate) static EXPERIMENTS: [Experiment; 18] = [
    Experiment {
        name: "get",
        rows: &[
            cpu_row("GET 13 bytes, 32 kept connections", "GET 13 bytes, kept connections"),
            row("GET 13 bytes, 99 % are answered within", Unit::Microseconds),
        ],
        kind: Kind::Cpu(Cpu::KEPT),
        without: &[],
    },
    Experiment {
        name: "get-tcp",
        rows: &[cpu_row("GET 13 bytes over TCP", "GET 13 bytes, TCP")],
        kind: Kind::Cpu(Cpu { transport: Transport::Tcp, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "get-2-workers",
        rows: &[cpu_row("GET 13 bytes, 2 workers, not pinned", "GET 13 bytes, 2 workers")],
        kind: Kind::Cpu(Cpu { threads: Threads::Two, ..Cpu::KEPT }),
        without: &[],
    },
    Experiment {
        name: "get-one",
        rows: &[cpu_row(
            "GET 13 bytes, one at a time, for which the server sleeps",
            "GET 13 bytes, one at a time",
        )],
        kind: Kind::Cpu(Cpu::ONE),
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
        rows: &[row("processors busy, 32 at a time on one connection", Unit::Count)],
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
        rows: &[row("memory of the same while nobody reads yet", Unit::MebiBytes)],
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
