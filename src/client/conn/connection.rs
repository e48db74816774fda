use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http_body::Body;
use hyper::rt::{Read, Write};

use super::builder::Config;
use super::dispatch::Dispatch;
use super::exchange::{Outgoing, Response};
use super::gate::Next;
use super::send_request::SendRequest;
use super::values::Values;
use crate::alarm::{Alarm, Standstill, Watch};
use crate::codec::{Block, RecordReader};
use crate::error::{BoxError, ClientTimeout, Error, Failure, Kind, Result};
use crate::trace::debug;

/// A connection to a FastCGI application.
///
/// It must be polled until it resolves, for instance by spawning it. It owns the transport and the bodies of the requests under
/// way.
///
/// # Outcome
///
/// `Ok` when the connection ended between requests, by either side, or after the handles were dropped. Else the first error, which
/// the requests under way got as well.
///
/// # Cancel safety
///
/// Polling it may stop at any time and go on later. Dropped, it fails the requests under way.
#[must_use = "futures do nothing unless polled"]
pub struct Connection<I, B> {
    io: I,
    reader: RecordReader,
    dispatch: Dispatch<B>,
    values: Option<Values>,
    /// Reading waits for a body to be read.
    is_full: bool,
    must_flush: bool,
    /// The application reads nothing any more; why.
    write_error: Option<io::Error>,
    is_done: bool,
    alarm: Alarm,
    ages: Ages,
}

/// How long what the limits are for has lasted.
#[derive(Debug, Default)]
struct Ages {
    send: Standstill,
    stall: Standstill,
    idle: Standstill,
}

#[derive(Clone, Copy, Debug)]
enum Expired {
    Send,
    Stall,
    Idle,
    Head(usize),
    Body(usize),
    End(usize),
}

impl<I, B> Connection<I, B>
where
    I: Read + Write + Unpin,
    B: Body<Error: Into<BoxError>>,
{
    pub(super) fn new(
        io: I,
        reader: RecordReader,
        config: Arc<Config>,
        values: Option<Values>,
    ) -> Self {
        let most = config.max_requests;
        let limit = values.as_ref().map_or(1, |values| values.requests(most));
        Self {
            io,
            reader,
            alarm: Alarm::new(config.clock.clone()),
            dispatch: Dispatch::new(config, limit),
            values,
            is_full: false,
            must_flush: false,
            write_error: None,
            is_done: false,
            ages: Ages::default(),
        }
    }

    pub(super) fn handle(&self) -> SendRequest<B> {
        SendRequest::new(self.dispatch.gate.clone())
    }

    /// What the application said about itself, if it was asked and answered.
    pub fn values(&self) -> Option<&Values> {
        self.values.as_ref()
    }

    fn poll_turns(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS_PER_POLL {
            // First, so that nothing is sent where the application has closed the connection.
            let has_read = self.poll_read(cx).is_ready();
            if !has_read || !self.dispatch.exchanges.is_empty() {
                self.begin(cx);
            }
            self.dispatch.run();
            self.poll_write(cx);
            if self.dispatch.is_last && self.dispatch.is_idle() {
                return Poll::Ready(());
            }
            if has_read || self.dispatch.has_deferred() {
                continue;
            }
            if self.dispatch.ready.park(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once. If that is not ready, the transport wakes the task, or the consumer of a body.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.is_full = self.dispatch.budget.poll_room(cx).is_pending();
        if self.is_full || self.dispatch.failure.is_some() {
            return Poll::Pending;
        }
        match ready!(self.reader.poll_block(cx, &mut self.io)) {
            Err(error) => self.on_io_error(error),
            Ok(block) if block.rest().is_empty() => {
                self.reader.recycle(block);
                self.on_eof();
                return Poll::Pending;
            }
            Ok(block) => self.take_in(block),
        }
        Poll::Ready(())
    }

    fn take_in(&mut self, block: Block) {
        let mut rest = block.rest();
        let taken = loop {
            match self.reader.decode(&mut rest) {
                Ok(None) => break Ok(()),
                Ok(Some(fragment)) => {
                    if let Err(error) = self.dispatch.on_fragment(fragment, &block) {
                        break Err(error);
                    }
                }
                Err(error) => break Err(self.dispatch.explain(error)),
            }
        };
        self.reader.recycle(block);
        if let Err(error) = taken {
            self.dispatch.fail(error);
        }
    }

    /// Begins the requests that wait.
    fn begin(&mut self, cx: &mut Context<'_>) {
        while !self.dispatch.is_last {
            match self.dispatch.gate.next(cx) {
                Next::Request(envelope) => self.dispatch.begin(envelope),
                Next::Nothing => return,
                Next::Closed => self.dispatch.take_no_more(),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) {
        self.must_flush |= !self.dispatch.writer.is_empty();
        if !self.must_flush || self.write_error.is_some() || self.dispatch.failure.is_some() {
            return;
        }
        match self.dispatch.writer.poll_flush(cx, &mut self.io) {
            Poll::Pending => {}
            Poll::Ready(Err(error)) => self.on_write_error(error),
            Poll::Ready(Ok(())) => self.must_flush = false,
        }
    }

    /// An application may answer and close without having read all: what it answered is still to be read.
    fn on_write_error(&mut self, error: io::Error) {
        self.write_error = Some(error);
        self.must_flush = false;
        self.dispatch.stop_sending();
    }

    /// The application closed the connection. Without a request that is its right.
    fn on_eof(&mut self) {
        if let Some(error) = self.write_error.take() {
            return self.on_io_error(error);
        }
        let is_incomplete = !self.reader.is_at_boundary() || !self.dispatch.is_idle();
        match is_incomplete {
            true => self.dispatch.fail(Error::client(Failure::Incomplete)),
            false => self.dispatch.take_no_more(),
        }
    }

    fn on_io_error(&mut self, error: io::Error) {
        match self.dispatch.is_idle() {
            true => self.dispatch.take_no_more(),
            false => self.dispatch.fail(Error::new_io(error)),
        }
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Expired> {
        match self.next_deadline() {
            Some((deadline, expired)) => self.alarm.poll(cx, deadline).map(|()| expired),
            None => Poll::Pending,
        }
    }

    /// The earliest time at which something has lasted too long. Asks for the time only if anything is under way.
    fn next_deadline(&mut self) -> Option<(Instant, Expired)> {
        let config = &self.dispatch.config;
        let is_reading = !self.is_full;
        let is_idle = self.dispatch.exchanges.is_empty() && !self.must_flush;
        let is_stalled = self.is_full && self.dispatch.exchanges.len() > 1;
        let written = self.dispatch.writer.written();
        let mut watch = Watch::new(&self.alarm);
        let ages = &mut self.ages;
        watch.add(&mut ages.send, self.must_flush, written, config.send_timeout, Expired::Send);
        let releases = if is_stalled { self.dispatch.budget.releases() } else { 0 };
        watch.add(&mut ages.stall, is_stalled, releases, config.stall_timeout, Expired::Stall);
        watch.add(&mut ages.idle, is_idle, written, config.idle_timeout, Expired::Idle);
        for (index, exchange) in self.dispatch.exchanges.iter_mut() {
            let is_sent = exchange.outgoing == Outgoing::Ended;
            let is_unwanted = matches!(exchange.response, Response::Ignored);
            let is_ending = !exchange.is_lost && is_unwanted && (is_sent || exchange.is_given_up);
            let is_head = matches!(exchange.response, Response::Head(_));
            let is_body = matches!(exchange.response, Response::Body(..));
            let awaits_head = is_head && is_sent && is_reading && !is_ending;
            let awaits_body = is_body && is_reading && !is_ending;
            let ages = &mut exchange.ages;
            let received = exchange.received;
            watch.add(&mut ages.head, awaits_head, 0, config.head_timeout, Expired::Head(index));
            let body = Expired::Body(index);
            watch.add(&mut ages.body, awaits_body, received, config.body_timeout, body);
            // What is not read has not come too late.
            let is_ending = is_ending && is_reading;
            watch.add(&mut ages.end, is_ending, 0, config.abort_timeout, Expired::End(index));
        }
        watch.earliest()
    }

    fn on_expired(&mut self, expired: Expired) {
        debug!(what = ?expired, "time is up");
        let late = |timeout| Error::client(Failure::Timeout(timeout));
        match expired {
            Expired::Send => self.dispatch.fail(late(ClientTimeout::Send)),
            Expired::Stall => self.dispatch.on_stall(),
            Expired::Idle => self.dispatch.take_no_more(),
            Expired::Head(index) => self.dispatch.give_up(index, late(ClientTimeout::Head)),
            Expired::Body(index) => self.dispatch.give_up(index, late(ClientTimeout::Body)),
            Expired::End(index) => self.dispatch.on_lost(index),
        }
    }
}

impl<I, B> Future for Connection<I, B>
where
    I: Read + Write + Unpin,
    B: Body<Error: Into<BoxError>>,
{
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.is_done {
            return Poll::Ready(Ok(()));
        }
        self.dispatch.ready.unpark();
        while self.poll_turns(cx).is_pending() {
            let expired = ready!(self.poll_expired(cx));
            self.on_expired(expired);
        }
        self.is_done = true;
        self.dispatch.fail_all(Kind::Client(Failure::Incomplete));
        // Whether the application sees the end of a whole connection makes no difference to anybody here.
        let _ = Pin::new(&mut self.io).poll_shutdown(cx);
        Poll::Ready(self.dispatch.failure.take().map_or(Ok(()), Err))
    }
}

/// Nothing in it is pinned in place.
impl<I: Unpin, B> Unpin for Connection<I, B> {}

impl<I, B> Drop for Connection<I, B> {
    fn drop(&mut self) {
        self.dispatch.gate.close();
    }
}

impl<I, B> fmt::Debug for Connection<I, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("values", &self.values).finish_non_exhaustive()
    }
}

/// So many turns a poll may take: other connections share its worker.
const TURNS_PER_POLL: usize = 16;
