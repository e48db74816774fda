//! What is lost when an instance goes or comes, as `docs/balancing.md` has it. The trials check each row.

use std::fmt;
use std::fmt::Write as _;

use crate::software::Software;

/// A web server with its file in `examples/balanced/`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Balancer {
    name: &'static str,
    title: &'static str,
    pub(crate) software: Software,
    pub(crate) site: &'static str,
}

/// What happens to the first instance, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Killed,
    Ended,
    Drained,
    Added,
}

/// How many requests are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    None,
    /// [`FEW`] at most, in the moment in which it happens, and none later.
    Few,
    /// Every single one.
    All,
    /// More than may be.
    Many,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Losses {
    /// Of requests that the first instance is working on.
    pub(crate) held_get: Loss,
    pub(crate) held_post: Loss,
    /// Of all that come meanwhile.
    pub(crate) get: Loss,
    pub(crate) post: Loss,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) balancer: Balancer,
    pub(crate) instances: usize,
    pub(crate) event: Event,
}

impl Loss {
    /// Of some that were under way, each or none is to be lost.
    pub(crate) fn of_few(lost: usize, all: usize) -> Self {
        match lost {
            0 => Self::None,
            _ if lost == all => Self::All,
            _ => Self::Many,
        }
    }

    /// Of those that come again and again, so many were lost by the end of the moment, and so many in the end.
    pub(crate) fn of_many(then: usize, in_all: usize) -> Self {
        match in_all {
            0 => Self::None,
            _ if in_all == then && in_all <= FEW => Self::Few,
            _ => Self::Many,
        }
    }

    fn is(self, expected: Self) -> bool {
        self == expected || (self == Self::None && expected == Self::Few)
    }
}

impl Losses {
    const NONE: Self =
        Self { held_get: Loss::None, held_post: Loss::None, get: Loss::None, post: Loss::None };

    pub(crate) fn are(&self, expected: Self) -> bool {
        self.held_get.is(expected.held_get)
            && self.held_post.is(expected.held_post)
            && self.get.is(expected.get)
            && self.post.is(expected.post)
    }
}

impl Row {
    /// What the page says.
    pub(crate) fn expected(self) -> Losses {
        match self.event {
            Event::Killed => Losses { held_post: Loss::All, post: Loss::Few, ..Losses::NONE },
            Event::Ended => Losses { post: Loss::Few, ..Losses::NONE },
            // A reload resets connections that are just coming in, also when nothing is behind it.
            Event::Drained | Event::Added if self.balancer.software == Software::Caddy => {
                Losses { get: Loss::Few, post: Loss::Few, ..Losses::NONE }
            }
            Event::Drained | Event::Added => Losses::NONE,
        }
    }
}

/// The part of a trial's name that tells the row, as in `nginx/2-killed`.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = format!("{:?}", self.event).to_lowercase();
        write!(f, "{}/{}-{event}", self.balancer.name, self.instances)
    }
}

pub(crate) fn rows() -> impl Iterator<Item = Row> {
    let of = |balancer| {
        let row = move |(instances, event)| Row { balancer, instances, event };
        let gone = [Event::Killed, Event::Ended, Event::Drained];
        let gone = [2, 3].into_iter().flat_map(move |n| gone.map(|event| (n, event)));
        gone.chain([(2, Event::Added)]).map(row)
    };
    BALANCERS.into_iter().flat_map(of)
}

/// As the page has it.
pub(crate) fn table() -> String {
    let mut table = HEAD.to_owned();
    for row in rows() {
        let Row { balancer, instances, event } = row;
        let Losses { held_get, held_post, get, post } = row.expected();
        let _ = writeln!(
            table,
            "| {} | {instances} | {event} | {held_get} | {held_post} | {get} | {post} |",
            balancer.title
        );
    }
    table
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "killed (SIGKILL)",
            Self::Ended => "told to end (SIGTERM)",
            Self::Drained => "taken out first, then told to end",
            Self::Added => "added",
        })
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("0"),
            Self::Few => write!(f, "{FEW} at most"),
            Self::All => write!(f, "all {HELD}"),
            Self::Many => f.write_str("**MANY**"),
        }
    }
}

/// Of each method, so many requests wait in the instance that something happens to.
pub(crate) const HELD: usize = 2;
/// Two of each client's.
const FEW: usize = 8;

const HEAD: &str = "\
| | instances | one is | GET under way there | POST under way there | other GET | other POST |
|---|---|---|---|---|---|---|
";

const BALANCERS: [Balancer; 3] = [
    Balancer {
        name: "nginx",
        title: "nginx",
        software: Software::Nginx,
        site: include_str!("../../examples/balanced/nginx.conf"),
    },
    Balancer {
        name: "caddy",
        title: "Caddy",
        software: Software::Caddy,
        site: include_str!("../../examples/balanced/Caddyfile"),
    },
    Balancer {
        name: "haproxy",
        title: "HAProxy",
        software: Software::Haproxy,
        site: include_str!("../../examples/balanced/haproxy.cfg"),
    },
];
