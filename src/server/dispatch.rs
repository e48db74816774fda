use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::backlog::Backlog;
use super::builder::Config;
use super::driver::{Driver, Panicked, Step};
use super::exchange::{Exchanges, Output};
use super::exec::ExchangeExec;
use super::first_turns::FirstTurns;
use super::service::HttpService;
use super::stderr::Entered;
use super::task::ExchangeTask;
use crate::body::Budget;
use crate::codec::RecordWriter;
use crate::error::{Error, Kind};
use crate::ready::ReadyList;
use crate::trace::Span;

/// The exchanges of one connection and what they have to write: all of a connection but its transport.
///
/// `intake` moves it by the records that arrive, `respond` by what the services answer.
pub(super) struct Dispatch<S: HttpService, E> {
    pub(super) config: Arc<Config>,
    pub(super) service: S,
    exec: E,
    pub(super) exchanges: Exchanges<S>,
    pub(super) ready: ReadyList,
    /// Exchanges with a request for the service.
    pub(super) called: Vec<usize>,
    pub(super) budget: Arc<Budget>,
    pub(super) writer: RecordWriter,
    /// Two requests were live at a time.
    pub(super) is_multiplexed: bool,
    first_turns: FirstTurns,
    /// What the last first turn ran in, if that answered its request and each place keeping its own would take too much room.
    pub(super) spare: Option<Pin<Box<Driver<S>>>>,
    /// A request has begun.
    pub(super) has_begun: bool,
    /// One of them left the connection to the web server, or was not taken in at all.
    pub(super) is_open_ended: bool,
    /// The connection closes when nothing is live.
    pub(super) is_last: bool,
    /// A response is not complete in a way that only a broken connection can show.
    pub(super) is_cut: bool,
    /// How many exchanges wait for that without anything left to do.
    pub(super) withheld: usize,
    /// The first record has been seen.
    pub(super) is_fastcgi: bool,
    /// The answers that no service made.
    pub(super) backlog: Backlog,
    pub(super) failure: Option<Error>,
}

impl<S: HttpService, E: ExchangeExec<S>> Dispatch<S, E> {
    pub(super) fn new(service: S, exec: E, config: Arc<Config>) -> Self {
        let ready = ReadyList::default();
        Self {
            service,
            exec,
            exchanges: Exchanges::new(ready.woken().clone()),
            ready,
            called: Vec::new(),
            budget: Budget::new(config.max_body_buf_size),
            config,
            writer: RecordWriter::default(),
            is_multiplexed: false,
            first_turns: FirstTurns::default(),
            spare: None,
            has_begun: false,
            is_open_ended: false,
            is_last: false,
            is_cut: false,
            withheld: 0,
            is_fastcgi: false,
            backlog: Backlog::default(),
            failure: None,
        }
    }

    /// Whether no exchange has anything left to do.
    pub(super) fn is_idle(&self) -> bool {
        self.exchanges.len() == self.withheld
    }

    /// Whether the web server may still send something: another request, or the rest of one that was answered.
    pub(super) fn expects_more(&self) -> bool {
        !self.has_begun || self.is_open_ended || self.exchanges.has_left_input()
    }

    /// Whether some exchanges have something to write, and others run on an executor and may have so in a moment.
    pub(super) fn is_part_ready(&self) -> bool {
        let ready = self.ready.len();
        self.exec.executor().is_some() && ready > 0 && ready < self.exchanges.len()
    }

    pub(super) fn may_write(&self) -> bool {
        self.writer.queued() < self.config.max_send_buf_size
    }

    pub(super) fn has_control_backlog(&self) -> bool {
        self.backlog.len() >= self.config.max_control_buf_size
    }

    /// Calls the service for new requests, and gives each ready exchange its turn, as long as what they answer may be queued and within
    /// a bound.
    pub(super) fn run(&mut self) {
        // Who waits already goes first, for new requests may fill up what may be queued with each read.
        let left = self.take_turns(TURNS_PER_RUN);
        self.call_all();
        self.take_turns(left);
    }

    /// How many turns are left of that many.
    fn take_turns(&mut self, mut left: usize) -> usize {
        while left > 0 && self.may_write() {
            let Some(index) = self.ready.pop() else { break };
            self.guard(index, Self::run_exchange);
            left -= 1;
        }
        left
    }

    fn call_all(&mut self) {
        if self.called.is_empty() {
            return;
        }
        let mut called = std::mem::take(&mut self.called);
        called.iter().for_each(|&index| self.guard(index, Self::call));
        called.clear();
        self.first_turns.on_all_done();
        self.called = called;
    }

    /// Drops all exchanges without an answer; their bodies fail with `kind`.
    pub(super) fn cancel(&mut self, kind: Kind) {
        for index in self.exchanges.indices() {
            self.exchanges.remove(index).discard_body(kind);
        }
        self.withheld = 0;
    }

    /// Gives up what is still live. An end of the connection must not be taken for the end of an answer.
    pub(super) fn break_off(&mut self) {
        self.cancel(Kind::Canceled);
        self.is_cut = true;
    }

    #[cfg(feature = "tokio")]
    pub(super) fn has_begun_response(&mut self) -> bool {
        self.exchanges.iter_mut().any(|exchange| exchange.has_begun_response())
    }

    /// Records why the connection ends. The first reason is the one that counts.
    pub(super) fn fail(&mut self, error: Error) {
        self.is_last = true;
        self.failure.get_or_insert(error);
    }

    /// Does something in which the service's code may panic elsewhere than in its future and its body: in a clone, an error's
    /// text, a drop. That, too, harms its own request only.
    fn guard(&mut self, index: usize, act: fn(&mut Self, usize)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| act(self, index))) {
            self.on_panic(index, Panicked::new(&*panic));
        }
    }

    fn run_exchange(&mut self, index: usize) {
        self.exchanges.slot(index).unlist();
        self.take_turn(index);
    }

    fn take_turn(&mut self, index: usize) {
        let Some(exchange) = &self.exchanges.slot(index).exchange else { return };
        let span = exchange.observed.span().cloned();
        let _entered = span.as_ref().map(Span::enter);
        let _current = exchange.stderr().map(Entered::new);
        self.write_stderr(index);
        let exchange = self.exchanges.exchange(index);
        if !exchange.unsent.is_empty() {
            return self.send_rest(index);
        }
        self.poll_response(index);
    }

    /// Goes on with a response, if that can go on.
    pub(super) fn poll_response(&mut self, index: usize) {
        if let Poll::Ready(step) = self.poll_step(index) {
            self.respond(index, step);
        }
    }

    /// The next part of a response, if there is one.
    #[inline(always)]
    pub(super) fn poll_step(&mut self, index: usize) -> Poll<Step> {
        let slot = self.exchanges.slot(index);
        let Some(exchange) = &slot.exchange else { return Poll::Pending };
        match &exchange.output {
            Output::Waiting | Output::Withheld => Poll::Pending,
            Output::Remote(response) => response.poll_step(),
            Output::Local => {
                let driver = slot.driver.as_mut().expect("what runs in place has a driver");
                driver.as_mut().poll_step(&mut Context::from_waker(&slot.waker))
            }
        }
    }

    /// Hands the request to the service, which also happens when nothing more may be queued: on an executor it can begin.
    fn call(&mut self, index: usize) {
        let slot = self.exchanges.slot(index);
        // It may have been aborted, and its place taken by another, since it was put down here.
        let Some(exchange) = &mut slot.exchange else { return };
        let Some(driver) = &mut slot.driver else { return };
        let Some(request) = driver.as_mut().held() else { return };
        *request.body_mut() = exchange.take_body(&self.budget);
        if let Some(max) = self.config.stderr {
            request.extensions_mut().insert(exchange.open_stderr(max, &slot.waker));
        }
        let service = self.service.clone();
        let (span, stderr) = (exchange.observed.span().cloned(), exchange.stderr());
        exchange.output = Output::Local;
        driver.as_mut().start(service);
        let has_executor = self.is_multiplexed && self.exec.executor().is_some();
        let may_write = self.writer.queued() < self.config.max_send_buf_size;
        if has_executor && !(may_write && self.first_turns.may_begin()) {
            return self.hand_over(index);
        }
        if !may_write {
            return slot.list();
        }
        let entered = span.as_ref().map(Span::enter);
        let current = stderr.map(Entered::new);
        let cx = &mut Context::from_waker(&slot.waker);
        if let Poll::Ready(step) = driver.as_mut().poll_step(cx) {
            self.respond(index, step);
        }
        drop((entered, current));
        if has_executor {
            self.first_turns.on_done();
            self.hand_over(index);
        }
    }

    /// Lets the executor run what is left of a request.
    #[inline(never)]
    fn hand_over(&mut self, index: usize) {
        let Some(executor) = self.exec.executor() else { return };
        let slot = self.exchanges.slot(index);
        let Some(exchange) = &mut slot.exchange else {
            if size_of::<Driver<S>>() > KEPT_MAX {
                self.spare = slot.driver.take();
            }
            return;
        };
        if !exchange.needs_service() {
            return;
        }
        let driver = slot.driver.take().expect("what runs in place has a driver");
        let (span, stderr) = (exchange.observed.span().cloned(), exchange.stderr());
        let (task, response) = ExchangeTask::new(driver, slot.waker.clone(), span, stderr);
        exchange.output = Output::Remote(response);
        executor.execute(task);
    }
}

/// After so many turns what they queued is written, and the transport is read again.
const TURNS_PER_RUN: usize = 64;

/// A driver of no more than that stays where it is: the requests of one read are all there before the first is called, and each
/// would have to allocate one.
const KEPT_MAX: usize = 512;
