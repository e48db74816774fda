use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::Body;

use super::builder::Config;
use super::exchange::{Exchange, Exchanges, Outgoing};
use super::gate::{Envelope, Gate};
use super::send_request::TrySendError;
use crate::body::Budget;
use crate::cgi::{Environ, Environment, body_length};
use crate::client::Stderr;
use crate::client::stderr::StderrStream;
use crate::codec::RecordWriter;
use crate::error::{BoxError, Error, Failure, Kind};
use crate::ready::ReadyList;
use crate::record::{BeginRequest, MAX_STREAM_CONTENT, RecordType, Role};
use crate::trace::{debug, trace};

/// The exchanges of one connection and what is to be written: all of a connection but its transport.
///
/// `intake` moves it by the records that arrive.
pub(super) struct Dispatch<B> {
    pub(super) config: Arc<Config>,
    pub(super) gate: Arc<Gate<B>>,
    pub(super) exchanges: Exchanges<B>,
    pub(super) ready: ReadyList,
    /// Exchanges that were woken while nothing more might be queued.
    deferred: VecDeque<usize>,
    pub(super) budget: Arc<Budget>,
    pub(super) writer: RecordWriter,
    /// The connection takes no requests any more, and closes when nothing is live.
    pub(super) is_last: bool,
    /// A record has been seen.
    pub(super) is_fastcgi: bool,
    pub(super) failure: Option<Error>,
}

impl<B: Body<Error: Into<BoxError>>> Dispatch<B> {
    pub(super) fn new(config: Arc<Config>, limit: usize) -> Self {
        let ready = ReadyList::default();
        Self {
            gate: Gate::new(limit),
            exchanges: Exchanges::new(ready.woken().clone()),
            ready,
            deferred: VecDeque::new(),
            budget: Budget::new(config.max_body_buf_size),
            config,
            writer: RecordWriter::default(),
            is_last: false,
            is_fastcgi: false,
            failure: None,
        }
    }

    /// Nothing is live but what will not end.
    pub(super) fn is_idle(&mut self) -> bool {
        self.exchanges.is_empty() || self.exchanges.iter_mut().all(|(_, exchange)| exchange.is_lost)
    }

    pub(super) fn may_write(&self) -> bool {
        self.writer.queued() < self.config.max_send_buf_size
    }

    /// Begins a request.
    pub(super) fn begin(&mut self, envelope: Envelope<B>) {
        let Envelope { request, reply, cancel } = envelope;
        if cancel.is_canceled() {
            return self.gate.release();
        }
        let prepared = match Prepared::new(&request, &self.config) {
            Ok(prepared) => prepared,
            Err(failure) => {
                reply.send(Err(TrySendError::new(Error::client(failure), Some(request))));
                return self.gate.release();
            }
        };
        let begin = self.writer.written() + self.writer.queued() as u64;
        let stderr = request.extensions().get::<Stderr>().unwrap_or(&self.config.stderr);
        let stderr = StderrStream::new(stderr.clone());
        let (index, id) = self.exchanges.vacancy();
        trace!(%id, "request");
        let outgoing = prepared.outgoing;
        let mut exchange =
            Exchange::new(id, prepared.role, request, outgoing, reply, cancel, stderr);
        exchange.begin = begin;
        exchange.filter_data = prepared.filter_data;
        let keep_conn = self.config.keep_conn;
        let content = BeginRequest { role: prepared.role.value(), keep_conn }.encode();
        self.writer.record(RecordType::BeginRequest, id, &content);
        for content in prepared.environ.records() {
            self.writer.record(RecordType::Params, id, content);
        }
        self.writer.record(RecordType::Params, id, &[]);
        self.exchanges.insert(index, exchange);
        if outgoing == Outgoing::Ended {
            self.end_streams(index);
        }
        if !keep_conn {
            self.take_no_more();
        }
    }

    /// Gives each woken exchange its turn.
    pub(super) fn run(&mut self) {
        for _ in 0..TURNS_PER_RUN {
            let deferred = if self.may_write() { self.deferred.pop_front() } else { None };
            let Some(index) = deferred.or_else(|| self.ready.pop()) else { return };
            self.run_exchange(index);
        }
    }

    /// Whether `run` has more to do.
    pub(super) fn has_deferred(&self) -> bool {
        self.may_write() && !self.deferred.is_empty()
    }

    fn run_exchange(&mut self, index: usize) {
        let may_write = self.may_write();
        let slot = self.exchanges.slot(index);
        slot.unlist();
        let Some(exchange) = &mut slot.exchange else { return };
        if exchange.cancel.is_canceled() && !exchange.is_given_up {
            return self.cancel(index);
        }
        if exchange.outgoing == Outgoing::Ended || exchange.is_given_up {
            return;
        }
        if !may_write {
            if !self.deferred.contains(&index) {
                self.deferred.push_back(index);
            }
            return;
        }
        if !exchange.unsent.is_empty() {
            let data = std::mem::take(&mut exchange.unsent);
            return self.send(index, data);
        }
        match exchange.poll_body(&mut Context::from_waker(&slot.waker)) {
            Poll::Pending => {}
            Poll::Ready(None) => self.on_body_end(index),
            Poll::Ready(Some(Ok(data))) => self.on_data(index, data),
            Poll::Ready(Some(Err(cause))) => {
                self.give_up(index, Error::client(Failure::Body).with(cause));
            }
        }
    }

    fn on_data(&mut self, index: usize, data: Bytes) {
        let exchange = self.exchanges.exchange(index);
        if let Outgoing::Body(Some(remaining)) = &mut exchange.outgoing {
            let Some(left) = remaining.checked_sub(data.len() as u64) else {
                return self.give_up(index, Error::client(Failure::BodyLength));
            };
            *remaining = left;
        }
        self.send(index, data);
    }

    /// Queues a part of a body, of which siblings must not have to wait for too much.
    fn send(&mut self, index: usize, mut data: Bytes) {
        let most = if self.exchanges.len() > 1 { SHARE } else { SHARE_ALONE };
        let exchange = self.exchanges.exchange(index);
        if data.len() > most {
            exchange.unsent = data.split_off(most);
        }
        self.writer.stream(RecordType::Stdin, exchange.id, data);
        if exchange.unsent.is_empty() && exchange.outgoing == Outgoing::Body(Some(0)) {
            return self.end_streams(index);
        }
        self.exchanges.slot(index).list();
    }

    fn on_body_end(&mut self, index: usize) {
        match self.exchanges.exchange(index).outgoing {
            Outgoing::Body(Some(1..)) => {
                self.give_up(index, Error::client(Failure::BodyLength));
            }
            _ => self.end_streams(index),
        }
    }

    /// An Authorizer has no FCGI_STDIN: libfcgi would take its end for a record of the next request.
    fn end_streams(&mut self, index: usize) {
        let exchange = self.exchanges.exchange(index);
        exchange.outgoing = Outgoing::Ended;
        if exchange.role != Role::Authorizer {
            self.writer.record(RecordType::Stdin, exchange.id, &[]);
        }
        if exchange.role == Role::Filter {
            let data = std::mem::take(&mut exchange.filter_data);
            self.writer.stream(RecordType::Data, exchange.id, data);
            self.writer.record(RecordType::Data, exchange.id, &[]);
        }
    }

    /// Nobody wants the response any more.
    fn cancel(&mut self, index: usize) {
        trace!(id = %self.exchanges.exchange(index).id, "canceled");
        self.give_up(index, Error::client(Failure::NotReady));
    }

    /// Ends a request before its time, with an error for whoever waits. Its end is still to come.
    pub(super) fn give_up(&mut self, index: usize, error: Error) {
        let exchange = self.exchanges.exchange(index);
        let is_whole = exchange.is_response_whole() && exchange.outgoing == Outgoing::Ended;
        exchange.fail(error);
        match is_whole {
            true => exchange.give_up(),
            // The application is not done with it.
            false => self.abort(index),
        }
    }

    /// Tells the application that nobody wants more of a response.
    pub(super) fn abort(&mut self, index: usize) {
        let exchange = self.exchanges.exchange(index);
        exchange.give_up();
        self.writer.record(RecordType::AbortRequest, exchange.id, &[]);
    }

    /// The application has ended a request.
    pub(super) fn remove(&mut self, index: usize) -> Exchange<B> {
        let exchange = self.exchanges.remove(index);
        // What is left of the request is not sent. Whether the application would take that, or wait for the rest, nobody knows.
        if exchange.outgoing != Outgoing::Ended {
            self.take_no_more();
        }
        self.gate.release();
        exchange
    }

    /// The end of a request has not come in time. It is not waited for.
    pub(super) fn on_lost(&mut self, index: usize) {
        self.exchanges.exchange(index).is_lost = true;
        self.take_no_more();
    }

    /// The application reads nothing any more; its responses may still come.
    pub(super) fn stop_sending(&mut self) {
        self.take_no_more();
        let written = self.writer.written();
        for (_, exchange) in self.exchanges.iter_mut().filter(|(_, it)| it.begin < written) {
            exchange.outgoing = Outgoing::Ended;
            exchange.drop_request();
        }
    }

    /// Lets the connection end when nothing is live.
    pub(super) fn take_no_more(&mut self) {
        if !self.is_last {
            self.is_last = true;
            self.gate.close();
        }
    }

    /// Bodies were left unread for too long: fails those that take the most room.
    pub(super) fn on_stall(&mut self) {
        while self.budget.unread() > self.config.max_body_buf_size / 2 {
            let unread = self.exchanges.iter_mut().map(|(index, it)| (it.unread(), index)).max();
            let Some((1.., index)) = unread else { return };
            let exchange = self.exchanges.exchange(index);
            debug!(id = %exchange.id, "body given up: not read while others wait");
            exchange.discard(Kind::Stalled);
            self.abort(index);
        }
    }

    /// Ends all exchanges with an error: nothing more will come.
    pub(super) fn fail_all(&mut self, kind: Kind) {
        self.take_no_more();
        let indices: Vec<_> = self.exchanges.iter_mut().map(|(index, _)| index).collect();
        for index in indices {
            let mut exchange = self.exchanges.remove(index);
            if self.writer.written() <= exchange.begin {
                exchange.give_back(Error::client(Failure::Closed));
            } else if exchange.is_stdout_ended && exchange.is_response_whole() {
                exchange.complete();
            } else {
                exchange.fail(Error::new(kind));
            }
        }
    }

    /// Records why the connection ends. The first reason is the one that counts.
    pub(super) fn fail(&mut self, error: Error) {
        self.fail_all(error.kind());
        self.failure.get_or_insert(error);
    }
}

/// A request as it is sent.
struct Prepared {
    role: Role,
    filter_data: Bytes,
    environ: Environ,
    outgoing: Outgoing,
}

impl Prepared {
    fn new<B: Body>(request: &Request<B>, config: &Config) -> Result<Self, Failure> {
        let own = request.extensions().get::<Environment>();
        let role = own.and_then(|own| own.role).or(config.environment.role);
        let role = role.unwrap_or(Role::Responder);
        let filter_data = own.and_then(|own| own.filter_data.as_ref());
        let filter_data = filter_data.or(config.environment.filter_data.as_ref());
        let body = request.body();
        let length = match role {
            Role::Authorizer => Some(0),
            _ => body_length(request.headers(), &body.size_hint(), body.is_end_stream())
                .map_err(Failure::Unsendable)?,
        };
        if length.is_none() && config.length_required {
            return Err(Failure::LengthRequired);
        }
        let environ =
            Environ::new(request, own, &config.environment, length, config.max_params_size)
                .map_err(Failure::Unsendable)?;
        let outgoing = match length {
            Some(0) => Outgoing::Ended,
            length => Outgoing::Body(length),
        };
        Ok(Self { role, filter_data: filter_data.cloned().unwrap_or_default(), environ, outgoing })
    }
}

/// After so many turns what they queued is written, and the transport is read again.
const TURNS_PER_RUN: usize = 64;

/// How much of a body frame a turn may queue beside siblings: one record.
const SHARE: usize = MAX_STREAM_CONTENT;

/// The same without siblings: more than a socket takes at a time.
const SHARE_ALONE: usize = 8 * MAX_STREAM_CONTENT;
