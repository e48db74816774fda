//! A load generator that never sleeps: it reads non-blocking sockets in turn, so that no server is charged for waking it up, and
//! has the next request on its way as soon as an answer is complete. Every answer is checked in full.

#![allow(dead_code, unused_imports, reason = "each benchmark uses a part")]

mod address;
#[path = "../ask.rs"]
mod ask;
mod connection;
mod exchange;
pub(crate) mod fastcgi;
pub(crate) mod http;
pub(crate) mod reply;
mod rotate;

use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

pub(crate) use self::address::Address;
pub(crate) use self::ask::ParamList;
use self::connection::{Connection, Prepared, Turn};
pub(crate) use self::exchange::Exchange;

/// What is asked, where and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) address: Address,
    pub(crate) protocol: Protocol,
    pub(crate) exchange: Exchange,
    pub(crate) connections: usize,
    /// How many requests are under way on one connection; HTTP/1.1 takes 1 only.
    pub(crate) multiplexed: u16,
    pub(crate) reuse: Reuse,
    pub(crate) waiting: Waiting,
}

impl Plan {
    /// One request at a time on each of 32 kept connections.
    pub(crate) fn new(address: Address, protocol: Protocol, exchange: Exchange) -> Self {
        Self {
            address,
            protocol,
            exchange,
            connections: 32,
            multiplexed: 1,
            reuse: Reuse::Kept,
            waiting: Waiting::Spin,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    FastCgi,
    Http,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    Kept,
    /// A new connection for each request, which the server is to close.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    Spin,
    /// Leaves the processor to the server while there is nothing to read.
    Sleep,
}

/// When no further request is sent; those under way are finished.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Elapsed(Duration),
    /// So many requests; each connection gets its first before any gets a second.
    Requests(u64),
}

/// Open connections and the work they are to do.
#[derive(Debug)]
pub(crate) struct Load {
    connections: Vec<Connection>,
    /// Requests that have begun and are not answered.
    under_way: u64,
    waiting: Waiting,
    block: Box<[u8]>,
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// From the first byte sent to the last received, of each request, in no order.
    pub(crate) latencies: Vec<Duration>,
}

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Load {
    /// Opens the connections.
    pub(crate) fn open(plan: &Plan) -> Result<Self> {
        let prepared = Rc::new(Prepared::new(plan));
        let open = |_| Connection::open(prepared.clone());
        Ok(Self {
            connections: (0..plan.connections).map(open).collect::<io::Result<_>>()?,
            under_way: 0,
            waiting: plan.waiting,
            block: vec![0; BLOCK].into_boxed_slice(),
        })
    }

    /// Sends requests, and returns when the last is answered, those that [`begin`](Self::begin) began included.
    ///
    /// # Errors
    ///
    /// When a connection fails, an answer is wrong, or there is none for 10 seconds.
    pub(crate) fn run(&mut self, until: Until) -> Result<Done> {
        let start = Instant::now();
        let mut now = start;
        let mut last_answer = start;
        let mut asked = 0;
        let mut latencies = Vec::new();
        for connection in &mut self.connections {
            asked += connection.ask(now, until.left(asked, Duration::ZERO));
            connection.send(usize::MAX)?;
        }
        self.under_way += asked;
        while self.under_way > 0 {
            let before = latencies.len();
            for connection in &mut self.connections {
                let turn = connection.turn(&mut self.block, |asked_at| {
                    now = Instant::now();
                    latencies.push(now - asked_at);
                })?;
                if turn == Turn::Answered {
                    let more = connection.ask(now, until.left(asked, now - start));
                    connection.send(usize::MAX)?;
                    self.under_way += more;
                    asked += more;
                }
            }
            if latencies.len() > before {
                self.under_way -= (latencies.len() - before) as u64;
                last_answer = now;
                continue;
            }
            self.wait()?;
            if last_answer.elapsed() > PATIENCE {
                let missing = self.under_way;
                return Err(format!("no answer for 10 seconds, {missing} are missing").into());
            }
        }
        Ok(Done { requests: latencies.len() as u64, elapsed: start.elapsed(), latencies })
    }

    /// Begins a request on each connection that has room for one, and sends nothing of it yet.
    pub(crate) fn begin(&mut self) {
        let now = Instant::now();
        for connection in &mut self.connections {
            self.under_way += connection.ask(now, 1);
        }
    }

    /// Sends at most `piece` bytes on each connection, but nothing of the last `piece` of what there is to send. Returns whether
    /// any socket took something.
    pub(crate) fn trickle(&mut self, piece: usize) -> Result<bool> {
        let mut sent = 0;
        for connection in &mut self.connections {
            let unsent = connection.unsent().saturating_sub(piece);
            sent += connection.send(unsent.min(piece))?;
        }
        Ok(sent > 0)
    }

    fn wait(&self) -> Result<()> {
        if self.waiting == Waiting::Spin {
            std::hint::spin_loop();
            return Ok(());
        }
        let connections = self.connections.iter();
        let mut sockets: Vec<_> = connections
            .map(|connection| {
                let mut events = PollFlags::IN;
                events.set(PollFlags::OUT, connection.unsent() > 0);
                PollFd::from_borrowed_fd(connection.socket(), events)
            })
            .collect();
        poll(&mut sockets, Some(&PATIENCE.try_into()?))?;
        Ok(())
    }
}

impl Until {
    fn left(self, asked: u64, elapsed: Duration) -> u64 {
        match self {
            Self::Elapsed(limit) if elapsed < limit => u64::MAX,
            Self::Elapsed(_) => 0,
            Self::Requests(limit) => limit - asked,
        }
    }
}

/// More than a Unix socket holds by default.
const BLOCK: usize = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
