use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use tower_fastcgi::record::RequestId;

use super::address::{Address, Socket};
use super::reply::WrongAnswer;
use super::{Plan, Protocol, Result, Reuse, fastcgi, http};

/// One connection of the load generator and the requests under way on it.
#[derive(Debug)]
pub(super) struct Connection {
    prepared: Rc<Prepared>,
    socket: Socket,
    replies: Replies,
    /// When each request was sent, by its index; those under way have one.
    asked_at: Vec<Option<Instant>>,
    free: Vec<usize>,
    unsent: VecDeque<Unsent>,
    /// The answer is complete, the server is to close the connection.
    closing: Option<Instant>,
}

/// What all connections of a load have in common.
#[derive(Debug)]
pub(super) struct Prepared {
    address: Address,
    protocol: Protocol,
    reuse: Reuse,
    /// By index: the same request with each id.
    requests: Vec<Vec<u8>>,
    answer: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Answered,
    Nothing,
}

#[derive(Debug)]
struct Unsent {
    index: usize,
    sent: usize,
}

#[derive(Debug)]
enum Replies {
    FastCgi(fastcgi::Replies),
    Http(http::Replies),
}

impl Prepared {
    pub(super) fn new(plan: &Plan) -> Self {
        let keep = plan.reuse == Reuse::Kept;
        let requests = match plan.protocol {
            Protocol::Http => vec![plan.exchange.ask.http(keep)],
            Protocol::FastCgi => (1..=plan.multiplexed)
                .filter_map(RequestId::new)
                .map(|id| plan.exchange.ask.fastcgi(id, keep))
                .collect(),
        };
        let Plan { address, protocol, reuse, exchange, .. } = plan.clone();
        Self { address, protocol, reuse, requests, answer: exchange.answer }
    }

    fn replies(&self) -> Replies {
        match self.protocol {
            Protocol::FastCgi => Replies::FastCgi(fastcgi::Replies::new(self.requests.len())),
            Protocol::Http => Replies::Http(http::Replies::default()),
        }
    }
}

impl Connection {
    pub(super) fn open(prepared: Rc<Prepared>) -> io::Result<Self> {
        Ok(Self {
            socket: prepared.address.connect()?,
            replies: prepared.replies(),
            asked_at: vec![None; prepared.requests.len()],
            free: (0..prepared.requests.len()).rev().collect(),
            unsent: VecDeque::new(),
            closing: None,
            prepared,
        })
    }

    /// Begins as many requests as there is room for, `limit` at most, and returns how many. They are sent by [`send`](Self::send).
    pub(super) fn ask(&mut self, now: Instant, limit: u64) -> u64 {
        let mut asked = 0;
        while asked < limit {
            let Some(index) = self.free.pop() else { break };
            self.asked_at[index] = Some(now);
            self.unsent.push_back(Unsent { index, sent: 0 });
            asked += 1;
        }
        asked
    }

    /// Sends and receives what the socket takes and gives at once. Calls `answered` with the time of asking for each answer.
    pub(super) fn turn(
        &mut self,
        block: &mut [u8],
        mut answered: impl FnMut(Instant),
    ) -> Result<Turn> {
        self.send(usize::MAX)?;
        if self.free.len() == self.asked_at.len() {
            return Ok(Turn::Nothing);
        }
        let len = match self.socket.read(block) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Nothing),
            Err(error) => return Err(error.into()),
        };
        if len == 0 {
            return self.closed(answered);
        }
        let mut turn = Turn::Nothing;
        self.take(&block[..len], |asked_at| {
            answered(asked_at);
            turn = Turn::Answered;
        })?;
        Ok(turn)
    }

    /// Sends what the socket takes at once, `limit` bytes at most, and returns how many it took.
    pub(super) fn send(&mut self, limit: usize) -> io::Result<usize> {
        if self.unsent.is_empty() {
            return Ok(0);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut left = limit;
        for (slice, unsent) in slices.iter_mut().zip(&self.unsent) {
            let rest = &self.prepared.requests[unsent.index][unsent.sent..];
            let rest = &rest[..rest.len().min(left)];
            left -= rest.len();
            *slice = IoSlice::new(rest);
        }
        let count = self.unsent.len().min(SLICES);
        match self.socket.write_vectored(&slices[..count]) {
            Ok(len) => {
                self.sent(len);
                Ok(len)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// How many bytes of its requests have not been sent.
    pub(super) fn unsent(&self) -> usize {
        let requests = &self.prepared.requests;
        self.unsent.iter().map(|unsent| requests[unsent.index].len() - unsent.sent).sum()
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn take(&mut self, input: &[u8], mut answered: impl FnMut(Instant)) -> Result<()> {
        if self.closing.is_some() {
            return Err(WrongAnswer::Long.into());
        }
        let answer = &self.prepared.answer;
        let mut unasked = false;
        let mut complete = |index: usize| {
            let Some(asked_at) = self.asked_at[index].take() else {
                unasked = true;
                return;
            };
            match self.prepared.reuse {
                Reuse::Kept => {
                    self.free.push(index);
                    answered(asked_at);
                }
                Reuse::Never => self.closing = Some(asked_at),
            }
        };
        match &mut self.replies {
            Replies::FastCgi(replies) => replies.take(input, answer, complete)?,
            Replies::Http(replies) => replies.take(input, answer, || complete(0))?,
        }
        if unasked { Err(WrongAnswer::Id.into()) } else { Ok(()) }
    }

    fn closed(&mut self, mut answered: impl FnMut(Instant)) -> Result<Turn> {
        let Some(asked_at) = self.closing else {
            return Err("the server closed the connection before its answer was complete".into());
        };
        *self = Self::open(self.prepared.clone())?;
        answered(asked_at);
        Ok(Turn::Answered)
    }

    fn sent(&mut self, mut len: usize) {
        while let Some(first) = self.unsent.front_mut() {
            let rest = self.prepared.requests[first.index].len() - first.sent;
            if len < rest {
                first.sent += len;
                return;
            }
            len -= rest;
            self.unsent.pop_front();
        }
    }
}

const SLICES: usize = 64;
