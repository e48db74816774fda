use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Read, Write};

use super::builder::Config;
use super::dispatch::Dispatch;
use super::exec::{ExchangeExec, InPlace};
use super::observe::ObservedConnection;
use super::service::HttpService;
use crate::alarm::{Alarm, Standstill, Timeout, Watch};
use crate::codec::{self, Block, PollRead, RecordReader};
use crate::error::{self, Error, Kind, Result};
use crate::record::Header;
use crate::trace::{debug, trace};

/// A FastCGI connection that is being served.
///
/// It must be polled until it resolves; [`Builder::serve_connection`](super::Builder::serve_connection) makes it. It owns the
/// transport, the service futures and the response bodies of all its requests.
///
/// # Outcome
///
/// `Ok` when the connection ended between requests, by either side. Else the first error: [`Error::is_protocol`],
/// [`Error::is_incomplete`] when it ended within a request, [`Error::is_canceled`] when it ended while complete requests were
/// served, [`Error::is_timeout`], [`Error::is_io`], or [`Error::is_user`] when a response body failed after its head. With
/// [`Error::is_user`] an answer was broken off, with [`Error::is_timeout`] it may have been; a TCP connection should then be reset
/// (zero linger), lest a web server that has not read the end of it take it for complete.
///
/// # Cancel safety
///
/// Polling it may stop at any time and go on later. Dropped, it drops every service future and response body it owns, requests
/// that run on an executor are canceled, and request bodies that live elsewhere fail ([`Error::is_canceled`]).
#[must_use = "futures do nothing unless polled"]
pub struct Connection<I, S: HttpService, E = InPlace> {
    io: I,
    poll_io_read: PollRead<I>,
    reader: RecordReader,
    dispatch: Dispatch<S, E>,
    phase: Phase,
    is_shutting_down: bool,
    /// What arrives is not believed any more.
    is_deaf: bool,
    /// The transport has nothing more to read.
    is_eof: bool,
    /// What was read and is taken in later: a backlog of control answers comes first.
    held: Option<Block>,
    /// Reading waits for a body to be read.
    is_full: bool,
    must_flush: bool,
    /// The last poll did nothing but let other tasks run.
    gave_way: bool,
    /// How many bytes arrived.
    received: u64,
    /// How many had when it was closed for being idle.
    closed_idle: Option<u64>,
    alarm: Alarm,
    ages: Ages,
    observed: ObservedConnection,
}

/// What is left of a [`Connection`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<I, S> {
    /// The transport.
    pub io: I,
    /// The service.
    pub service: S,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Nothing is live any more; what is queued still goes out.
    Flushing,
    /// The write half is being shut down.
    Closing,
    /// Waiting for the peer to close.
    Draining,
    Closed,
}

/// How long what the limits are for has lasted.
#[derive(Debug, Default)]
struct Ages {
    write: Standstill,
    stall: Standstill,
    idle: Standstill,
    shutdown: Standstill,
    doomed: Standstill,
    drain: Standstill,
    drain_all: Standstill,
}

#[derive(Clone, Copy, Debug)]
enum Expired {
    Params,
    Authorizer,
    Write,
    Stall,
    Idle,
    Doomed,
    Drain,
}

impl<I, S, E> Connection<I, S, E>
where
    I: Read + Write + Unpin,
    S: HttpService,
    E: ExchangeExec<S>,
{
    pub(super) fn new(io: I, service: S, exec: E, config: Arc<Config>) -> Self {
        let alarm = Alarm::new(config.clock.clone());
        let observed = config.observers.open_connection();
        Self {
            io,
            poll_io_read: codec::poll_read,
            reader: RecordReader::default(),
            dispatch: Dispatch::new(service, exec, config),
            phase: Phase::Serving,
            is_shutting_down: false,
            is_deaf: false,
            is_eof: false,
            held: None,
            is_full: false,
            must_flush: false,
            gave_way: false,
            received: 0,
            closed_idle: None,
            alarm,
            ages: Ages::default(),
            observed,
        }
    }

    /// Reads in another way than by hyper's trait, which hides from the transport that the buffer needs no clearing.
    #[cfg(feature = "tokio")]
    pub(crate) fn reading_by(mut self, poll_read: PollRead<I>) -> Self {
        self.poll_io_read = poll_read;
        self
    }

    /// Asks the connection to end when it has answered what is live.
    ///
    /// It must be polled on. Without a request it closes after a quiet interval of 200 ms, at once if there is no timer: the web
    /// server may be sending one already, and what still comes is served. After 5 seconds without such an interval it closes as
    /// soon as nothing is live.
    pub fn graceful_shutdown(mut self: Pin<&mut Self>) {
        if !self.is_shutting_down {
            self.is_shutting_down = true;
            self.ages.idle.clear();
        }
    }

    /// Takes the transport and the service back; everything else is dropped.
    ///
    /// Meant for when the connection has resolved. Before that, records may be lost that were read or queued.
    pub fn into_parts(self) -> Parts<I, S> {
        Parts { io: self.io, service: self.dispatch.service }
    }

    /// Whether it has ended because something else than a record came first, and another protocol may take over.
    pub(crate) fn is_foreign(&self) -> bool {
        self.phase == Phase::Closed && self.held.is_some() && self.received == 0
    }

    /// The transport, and what was read of it, if another protocol may take over.
    #[cfg(feature = "tokio")]
    pub(crate) fn into_foreign(self) -> Option<(I, bytes::Bytes)> {
        let block = self.held.as_ref().filter(|_| self.is_foreign())?;
        let begun = bytes::Bytes::copy_from_slice(block.rest());
        Some((self.io, begun))
    }

    /// How many bytes have arrived, if it waits for a request. A later call tells with the same number that none came since.
    #[cfg(feature = "tokio")]
    pub(crate) fn idle_mark(&self) -> Option<u64> {
        let is_serving = self.phase == Phase::Serving && !self.is_last();
        let is_idle = is_serving && self.dispatch.exchanges.is_empty() && !self.must_flush;
        is_idle.then_some(self.received)
    }

    /// Whether a request has ever begun on it.
    #[cfg(feature = "tokio")]
    pub(crate) fn has_begun(&self) -> bool {
        self.dispatch.has_begun
    }

    /// Closes a connection that waits for a request; it is to be polled on.
    ///
    /// It does not wait for the peer to close too: no answer is under way to it that a reset would destroy.
    #[cfg(feature = "tokio")]
    pub(crate) fn close_idle(&mut self) {
        self.closed_idle = Some(self.received);
        self.end();
    }

    /// For a connection that is about to be dropped: shows the web server, if its transport takes eight bytes at once, that
    /// the responses that have begun are not complete.
    #[cfg(feature = "tokio")]
    pub(crate) fn break_off(&mut self, cx: &mut Context<'_>) {
        if self.phase == Phase::Serving && self.dispatch.has_begun_response() {
            self.dispatch.break_off();
            self.end();
            self.poll_write(cx);
        }
    }

    /// Lets the tasks that are about to finish their response do so first, once: what they answer leaves in one write then. An
    /// executor such as tokio's runs a task that was woken before those that were woken earlier.
    fn gives_way(&mut self) -> bool {
        let gave_way = std::mem::take(&mut self.gave_way);
        let may_gain = self.dispatch.is_multiplexed && self.dispatch.may_write();
        self.gave_way = !gave_way && may_gain && self.dispatch.is_part_ready();
        self.gave_way
    }

    fn poll_turns(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS_PER_POLL {
            let had_backlog = self.dispatch.has_control_backlog();
            let has_read = self.poll_read(cx).is_ready();
            self.dispatch.run();
            self.poll_write(cx);
            let has_moved = self.poll_phase(cx).is_ready();
            if self.phase == Phase::Closed {
                return Poll::Ready(());
            }
            let may_read = had_backlog && !self.dispatch.has_control_backlog();
            if has_read || has_moved || may_read {
                continue;
            }
            // What waits for the writer is woken by it; all else by the list, which must not wake a task that still runs.
            if !self.dispatch.may_write() || self.dispatch.ready.park(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once. If that is not ready, what it waits for wakes the task: the transport, a consumer of a body, or the writer,
    /// which a backlog of control answers waits for.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.is_full = false;
        if self.is_eof || self.dispatch.has_control_backlog() {
            return Poll::Pending;
        }
        // Without an exchange nothing unread counts.
        let may_be_full = self.is_listening() && !self.dispatch.exchanges.is_empty();
        if may_be_full && self.dispatch.budget.poll_room(cx).is_pending() {
            self.is_full = true;
            return Poll::Pending;
        }
        if let Some(block) = self.held.take() {
            self.take_in(block);
            return Poll::Ready(());
        }
        match ready!(self.reader.poll_block_by(cx, &mut self.io, self.poll_io_read)) {
            Err(error) => self.on_io_error(error),
            Ok(block) if block.rest().is_empty() => {
                self.reader.recycle(block);
                self.on_eof();
            }
            Ok(block) => {
                if self.received == 0 && self.dispatch.config.leaves_foreign && is_letter(&block) {
                    self.leave_to_others(block);
                    return Poll::Ready(());
                }
                self.received += block.rest().len() as u64;
                self.take_in(block);
            }
        }
        Poll::Ready(())
    }

    /// Ends without having written anything. What was read is kept.
    fn leave_to_others(&mut self, block: Block) {
        self.held = Some(block);
        self.phase = Phase::Closed;
    }

    fn is_listening(&self) -> bool {
        self.phase == Phase::Serving && !self.is_deaf
    }

    fn take_in(&mut self, mut block: Block) {
        let mut rest = block.rest();
        while self.is_listening() {
            if self.dispatch.has_control_backlog() {
                let left = rest.len();
                block.keep(left);
                self.held = Some(block);
                return;
            }
            let taken = match self.reader.decode(&mut rest) {
                Ok(None) => break,
                Ok(Some(fragment)) => self.dispatch.on_fragment(fragment, &block),
                Err(error) => Err(self.dispatch.explain(error)),
            };
            if let Err(error) = taken {
                self.is_deaf = true;
                self.dispatch.on_bad_input(error);
            }
        }
        self.reader.recycle(block);
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) {
        self.must_flush |= !self.dispatch.writer.is_empty();
        if !self.must_flush {
            return;
        }
        match self.dispatch.writer.poll_flush(cx, &mut self.io) {
            Poll::Pending => {}
            Poll::Ready(Err(error)) => self.on_io_error(error),
            Poll::Ready(Ok(())) => self.must_flush = false,
        }
        self.dispatch.backlog.on_written(self.dispatch.writer.written());
    }

    /// Moves towards the end, as far as that goes. Ready if it moved.
    fn poll_phase(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.phase;
        if self.phase == Phase::Serving && self.dispatch.is_idle() && self.is_last() {
            self.end();
        }
        if self.phase == Phase::Flushing && self.dispatch.writer.is_empty() && !self.must_flush {
            self.phase = Phase::Closing;
        }
        if self.phase == Phase::Closing {
            match Pin::new(&mut self.io).poll_shutdown(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) if self.has_read_all() => self.phase = Phase::Closed,
                Poll::Ready(Ok(())) => self.phase = Phase::Draining,
                Poll::Ready(Err(_already_gone)) => self.phase = Phase::Closed,
            }
        }
        let is_drained = self.is_eof || self.closed_idle == Some(self.received);
        if self.phase == Phase::Draining && is_drained {
            self.phase = Phase::Closed;
        }
        if self.phase == before { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Whether the web server has nothing left to say: no close can then meet bytes on their way, and reset the connection under an
    /// answer that is not read yet.
    fn has_read_all(&self) -> bool {
        let is_broken = self.is_deaf || self.dispatch.is_cut;
        self.reader.is_at_boundary() && !is_broken && !self.dispatch.expects_more()
    }

    fn is_last(&self) -> bool {
        self.dispatch.is_last || (self.is_shutting_down && !self.alarm.has_clock())
    }

    fn end(&mut self) {
        trace!("closing");
        self.dispatch.cancel(Kind::Canceled);
        if self.dispatch.is_cut {
            self.dispatch.writer.raw(&NO_RECORD);
        }
        self.phase = Phase::Flushing;
    }

    fn on_eof(&mut self) {
        self.is_eof = true;
        if self.phase != Phase::Serving {
            return;
        }
        let is_whole = self.reader.is_at_boundary() && !self.dispatch.has_unfinished_input();
        let kind = if is_whole { Kind::Canceled } else { Kind::Incomplete };
        if self.dispatch.config.half_close {
            let all_can_be_answered = self.dispatch.end_input(kind);
            if !all_can_be_answered || !self.reader.is_at_boundary() {
                self.dispatch.fail(Error::new(Kind::Incomplete));
            }
        } else if !self.dispatch.exchanges.is_empty() {
            self.abandon(Error::new(kind));
        } else if !is_whole {
            self.dispatch.fail(Error::new(kind));
        }
        self.dispatch.is_last = true;
    }

    fn on_io_error(&mut self, error: io::Error) {
        match self.phase {
            Phase::Serving | Phase::Flushing => self.abandon(Error::new_io(error)),
            // The answer is out; how the peer closes does not matter.
            Phase::Closing | Phase::Draining | Phase::Closed => self.phase = Phase::Closed,
        }
    }

    /// Ends at once: there is nobody to write to.
    fn abandon(&mut self, error: Error) {
        let kind = if error.is_incomplete() { Kind::Incomplete } else { Kind::Canceled };
        self.dispatch.cancel(kind);
        self.dispatch.fail(error);
        self.phase = Phase::Closed;
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<(Instant, Expired)> {
        match self.next_deadline() {
            Some((deadline, expired)) => {
                self.alarm.poll(cx, deadline).map(|()| (deadline, expired))
            }
            None => Poll::Pending,
        }
    }

    /// The earliest time at which something has lasted too long. Asks for the time only if anything is under way.
    fn next_deadline(&mut self) -> Option<(Instant, Expired)> {
        let is_stalled = self.is_full && self.dispatch.may_stall();
        let config = &self.dispatch.config;
        let is_serving = self.phase == Phase::Serving;
        let has_exchanges = !self.dispatch.exchanges.is_empty();
        // The web server begins no other request before it has the answer to the last.
        let is_idle = is_serving && !has_exchanges && !self.must_flush;
        if is_idle && !self.is_shutting_down && config.idle_timeout.get().is_none() {
            self.ages = Ages::default();
            return None;
        }
        let is_closing = matches!(self.phase, Phase::Closing | Phase::Draining);
        // A request that comes too late or not at all costs its siblings nothing.
        let is_broken = self.is_deaf || self.dispatch.is_cut;
        let is_doomed = is_serving && has_exchanges && is_broken;
        let idle = match config.idle_timeout {
            _ if self.is_shutting_down => Timeout::Set(QUIET),
            timeout => timeout,
        };
        let ages = &mut self.ages;
        let mut watch = Watch::new(&self.alarm);
        let (write, received) = (self.dispatch.writer.written(), self.received);
        watch.add(&mut ages.write, self.must_flush, write, config.write_timeout, Expired::Write);
        let releases = if is_stalled { self.dispatch.budget.releases() } else { 0 };
        watch.add(&mut ages.stall, is_stalled, releases, config.stall_timeout, Expired::Stall);
        watch.add(&mut ages.idle, is_idle, received, idle, Expired::Idle);
        let is_asked = is_serving && self.is_shutting_down && !self.dispatch.is_last;
        let patience = Timeout::Set(PATIENCE);
        watch.add(&mut ages.shutdown, is_asked, 0, patience, Expired::Idle);
        watch.add(&mut ages.doomed, is_doomed, 0, config.drain_limit, Expired::Doomed);
        watch.add(&mut ages.drain, is_closing, received, config.drain_timeout, Expired::Drain);
        watch.add(&mut ages.drain_all, is_closing, 0, config.drain_limit, Expired::Drain);
        if has_exchanges {
            let timeout = config.params_timeout;
            for exchange in self.dispatch.exchanges.iter_mut() {
                // What is not read cannot be late.
                let is_open = !exchange.has_params() && !self.is_full;
                if exchange.is_undecided() {
                    let timeout = config.authorizer_timeout;
                    watch.add(&mut exchange.age, true, DECIDING, timeout, Expired::Authorizer);
                } else {
                    watch.add(&mut exchange.age, is_open, 0, timeout, Expired::Params);
                }
            }
        }
        watch.earliest()
    }

    fn on_expired(&mut self, deadline: Instant, expired: Expired) {
        debug!(what = ?expired, "time is up");
        match expired {
            Expired::Params => self.dispatch.on_params_timeout(deadline),
            Expired::Authorizer => self.dispatch.on_authorizer_timeout(deadline),
            Expired::Write => self.abandon(Error::new(Kind::Timeout(error::Timeout::Write))),
            Expired::Stall if self.dispatch.is_stalled() => self.dispatch.on_stall(),
            Expired::Stall => self.ages.stall.clear(),
            Expired::Idle => self.dispatch.is_last = true,
            Expired::Doomed => self.dispatch.break_off(),
            Expired::Drain => self.phase = Phase::Closed,
        }
    }
}

impl<I, S, E> Future for Connection<I, S, E>
where
    I: Read + Write + Unpin,
    S: HttpService,
    E: ExchangeExec<S>,
{
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.dispatch.ready.unpark();
        if self.gives_way() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while self.poll_turns(cx).is_pending() {
            let (deadline, expired) = ready!(self.poll_expired(cx));
            self.on_expired(deadline, expired);
        }
        let outcome = self.dispatch.failure.take().map_or(Ok(()), Err);
        self.observed.close(&outcome);
        Poll::Ready(outcome)
    }
}

/// Nothing in it is pinned in place.
impl<I: Unpin, S: HttpService, E> Unpin for Connection<I, S, E> {}

impl<I, S: HttpService, E> fmt::Debug for Connection<I, S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("phase", &self.phase).finish_non_exhaustive()
    }
}

/// HTTP begins with one, and no record does.
fn is_letter(block: &Block) -> bool {
    block.rest().first().is_some_and(u8::is_ascii_alphabetic)
}

/// No web server takes this for a record, so that it must give the answer up: unlike a plain end of the connection, which nginx
/// and lighttpd may take for the end of the answer.
const NO_RECORD: [u8; Header::LEN] = [0; Header::LEN];

/// How long a connection that is asked to end must have been idle: a request may be on its way already.
const QUIET: Duration = Duration::from_millis(200);

/// For how long a connection that is asked to end waits to be idle. On one that is always busy the end of any answer is as good then:
/// at the deadline of a shutdown it would be dropped in the middle of one.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an exchange's age is counted for, which begins anew when its params are complete.
const DECIDING: u64 = 1;

/// So many turns a poll may take: other connections share its worker.
const TURNS_PER_POLL: usize = 16;
