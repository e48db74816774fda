//! What grows, and from where to where.

use crate::app::{BODIES, content};
use crate::content::{HELLO, KIB_64, MIB};
use crate::load::{Exchange, ParamList, Plan, Protocol};

#[derive(Debug)]
pub(crate) struct Series {
    /// How it is named on the command line.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What the sizes count.
    pub(crate) counted: &'static str,
    pub(crate) sizes: &'static [usize],
    pub(crate) protocols: &'static [Protocol],
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Connections,
    Ids,
    Responses,
    Uploads,
    Params(fn(usize) -> ParamList),
}

impl Series {
    /// The requests of one size, and how many connections are busy at a time.
    pub(crate) fn plan(&self, plan: Plan, size: usize) -> (Plan, usize) {
        let get = Exchange::get("/", HELLO);
        match self.kind {
            Kind::Connections => (Plan { connections: size, exchange: get, ..plan }, BUSY),
            Kind::Ids => {
                let multiplexed = size.try_into().expect("it is one of few sizes");
                (Plan { connections: 1, multiplexed, exchange: get, ..plan }, 1)
            }
            Kind::Responses => {
                let exchange = Exchange::get(path(size), content(size));
                (Plan { connections: TRANSFERS, exchange, ..plan }, TRANSFERS)
            }
            Kind::Uploads => {
                let exchange = Exchange::upload("/upload", size);
                (Plan { connections: TRANSFERS, exchange, ..plan }, TRANSFERS)
            }
            Kind::Params(list) => {
                let exchange = get.with_params(list(size));
                (Plan { connections: BUSY, exchange, ..plan }, BUSY)
            }
        }
    }

    /// How many of its units one request has: a body of that many MiB, so many params, or a request alone.
    pub(crate) fn units(&self, size: usize) -> f64 {
        match self.kind {
            Kind::Connections | Kind::Ids => 1.0,
            Kind::Responses | Kind::Uploads => size as f64 / MIB as f64,
            Kind::Params(_) => size as f64,
        }
    }

    pub(crate) fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Connections | Kind::Ids => "request",
            Kind::Responses | Kind::Uploads => "MiB",
            Kind::Params(_) => "param",
        }
    }

    /// A size as people write it.
    pub(crate) fn label(&self, size: usize) -> String {
        match self.kind {
            Kind::Responses | Kind::Uploads if size >= MIB => format!("{} MiB", size / MIB),
            Kind::Responses | Kind::Uploads if size >= 1024 => format!("{} KiB", size / 1024),
            Kind::Responses | Kind::Uploads => format!("{size} B"),
            _ => size.to_string(),
        }
    }

    pub(crate) fn is_about_connections(&self) -> bool {
        matches!(self.kind, Kind::Connections)
    }

    /// Whether the cost of a request can be told per unit at all.
    pub(crate) fn is_per_unit(&self) -> bool {
        !matches!(self.kind, Kind::Connections | Kind::Ids)
    }
}

fn path(len: usize) -> &'static str {
    let body = BODIES.into_iter().find(|(_, of)| *of == len);
    body.map(|(path, _)| path).expect("the sizes are those of the app")
}

pub(crate) static SERIES: [Series; 6] = [
    Series {
        name: "connections",
        title: "Kept connections, requests on all of them in turn",
        counted: "connections",
        sizes: &[1, 10, 100, 1_000, 10_000],
        protocols: BOTH,
        kind: Kind::Connections,
    },
    Series {
        name: "ids",
        title: "Requests at a time on one connection",
        counted: "ids",
        sizes: &[1, 2, 4, 8, 16, 32, 64],
        // HTTP/1.1 has no ids.
        protocols: &[Protocol::FastCgi],
        kind: Kind::Ids,
    },
    Series {
        name: "responses",
        title: "Bodies of responses",
        counted: "body",
        sizes: BODY_SIZES,
        protocols: BOTH,
        kind: Kind::Responses,
    },
    Series {
        name: "uploads",
        title: "Bodies of requests",
        counted: "body",
        sizes: BODY_SIZES,
        protocols: BOTH,
        kind: Kind::Uploads,
    },
    Series {
        name: "headers",
        title: "Params, all but four of them headers",
        counted: "params",
        sizes: PARAMS,
        // hyper takes 100 headers at most over HTTP/1.1.
        protocols: &[Protocol::FastCgi],
        kind: Kind::Params(ParamList::Headers),
    },
    Series {
        name: "params",
        title: "Params, all but one of them no headers",
        counted: "params",
        sizes: PARAMS,
        protocols: &[Protocol::FastCgi],
        kind: Kind::Params(ParamList::Variables),
    },
];

const BOTH: &[Protocol] = &[Protocol::FastCgi, Protocol::Http];
const BODY_SIZES: &[usize] = &[0, 1024, KIB_64, MIB, 10 * MIB, 100 * MIB];
const PARAMS: &[usize] = &[5, 10, 25, 50, 100, 200];
const BUSY: usize = 32;
/// So few that 100 MiB on each take no longer than a round.
const TRANSFERS: usize = 4;
