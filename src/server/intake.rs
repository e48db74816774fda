use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, StatusCode, header};

use super::dispatch::Dispatch;
use super::exchange::{Exchange, Input};
use super::exec::ExchangeExec;
use super::foreign;
use super::service::HttpService;
use super::values;
use crate::axum::{insert_connect_info, insert_original_uri};
use crate::body::{Budget, Incoming};
use crate::cgi::{FilterFile, Params, Refusal, map_request, put_refusal};
use crate::codec::Block;
use crate::error::{Error, Kind, Protocol, Result, Timeout};
use crate::record::{
    BeginRequest, DecodeError, Fragment, ProtocolStatus, RecordType, RequestId, Role, UnknownType,
};
use crate::roles::FilterData;
use crate::trace::{debug, error, trace, warn};

impl<S: HttpService, E: ExchangeExec<S>> Dispatch<S, E> {
    /// Takes one fragment of a record that arrived in `block`. It does little but tell them apart, so it belongs into the loop
    /// over a read's fragments; what is called for the usual ones is kept out of it.
    #[inline(always)]
    pub(super) fn on_fragment(&mut self, fragment: Fragment<'_>, block: &Block) -> Result<()> {
        let Fragment { header, content } = fragment;
        trace!(record = %header.record_type, id = ?header.request_id, len = content.len(), "received");
        self.is_fastcgi = true;
        let is_end = header.content_length == 0;
        match (header.record_type, header.request_id) {
            (RecordType::BeginRequest, Some(id)) => return self.on_begin(id, content),
            (RecordType::Stdin, Some(id)) => return self.on_stdin(id, content, block),
            (RecordType::Params, Some(id)) if is_end => self.on_params_end(id),
            (RecordType::Params, Some(id)) => self.on_params(id, content),
            (RecordType::Data, Some(id)) => return self.on_filter_data(id, content, block),
            (RecordType::AbortRequest, Some(id)) => self.on_abort(id),
            (RecordType::GetValues, None) => self.on_get_values(content),
            (RecordType::Other(record_type), None) => self.on_unknown_type(record_type),
            // What only concerns the connection as a whole.
            (RecordType::GetValues | RecordType::Other(_), Some(_)) => {}
            (
                RecordType::BeginRequest
                | RecordType::Params
                | RecordType::Stdin
                | RecordType::Data
                | RecordType::AbortRequest,
                None,
            ) => return Err(Error::protocol(Protocol::NullRequestId)),
            (
                RecordType::Stdout
                | RecordType::Stderr
                | RecordType::EndRequest
                | RecordType::GetValuesResult
                | RecordType::UnknownType,
                _,
            ) => return Err(Error::protocol(Protocol::UnexpectedRecord(header.record_type))),
        }
        Ok(())
    }

    /// The bytes that arrived are no records, or records that must not come. Nothing that comes later is believed; what was
    /// received in full is still answered.
    pub(super) fn on_bad_input(&mut self, error: Error) {
        self.end_input(Kind::Incomplete);
        self.fail(error);
    }

    /// The input has ended, but responses may go on. `false` if there are requests that cannot have one.
    pub(super) fn end_input(&mut self, kind: Kind) -> bool {
        let before = self.exchanges.len();
        for index in self.exchanges.indices() {
            let exchange = self.exchanges.exchange(index);
            if exchange.has_params() {
                exchange.fail_body(kind, &self.budget);
            } else {
                self.exchanges.remove(index);
            }
        }
        self.exchanges.len() == before
    }

    pub(super) fn has_unfinished_input(&mut self) -> bool {
        self.exchanges.iter_mut().any(|exchange| !exchange.is_input_complete())
    }

    /// The params of some requests were not complete at their deadline.
    pub(super) fn on_params_timeout(&mut self, deadline: Instant) {
        let Some(limit) = self.config.params_timeout.get() else { return };
        for index in self.exchanges.indices() {
            let exchange = self.exchanges.exchange(index);
            if !exchange.has_params() && exchange.age.is_over(deadline, limit) {
                self.refuse(index, TOO_SLOW);
            }
        }
        self.fail(Error::new(Kind::Timeout(Timeout::Params)));
    }

    /// Authorizers have not decided by their deadline. That denies what they were asked about.
    pub(super) fn on_authorizer_timeout(&mut self, deadline: Instant) {
        let Some(limit) = self.config.authorizer_timeout.get() else { return };
        for index in self.exchanges.indices() {
            let exchange = self.exchanges.exchange(index);
            if exchange.is_undecided() && exchange.age.is_over(deadline, limit) {
                error!(id = %exchange.id, "the Authorizer took too long: denied");
                self.answer_instead(index, UNDECIDED);
            }
        }
    }

    /// Whether what is unread keeps others from being read: other requests, or the other stream that a Filter waits for.
    pub(super) fn is_stalled(&mut self) -> bool {
        self.is_multiplexed || self.exchanges.iter_mut().any(|exchange| exchange.is_starved())
    }

    /// Whether that may be so, or become so without that this connection is told.
    pub(super) fn may_stall(&mut self) -> bool {
        self.is_multiplexed || self.exchanges.iter_mut().any(|exchange| exchange.has_data())
    }

    /// Bodies were left unread for too long: fails those that take the most room. Were it only until there is room again, the
    /// next block could fill it, and siblings would wait once more.
    pub(super) fn on_stall(&mut self) {
        while self.budget.unread() > self.config.max_body_buf_size / 2 {
            let exchange = self.exchanges.iter_mut().max_by_key(|exchange| exchange.unread());
            let Some(exchange) = exchange.filter(|exchange| exchange.unread() > 0) else { return };
            warn!(id = %exchange.id, unread = exchange.unread(), "body given up: not read while others wait");
            exchange.discard_larger(Kind::Stalled);
        }
    }

    /// What a [`DecodeError`] stands for: with the first record it may be another protocol.
    pub(super) fn explain(&mut self, error: DecodeError) -> Error {
        let foreign = match error {
            DecodeError::Version(first) if !self.is_fastcgi => foreign::recognize(first),
            _ => None,
        };
        let Some(protocol) = foreign else { return error.into() };
        if protocol == Protocol::Http {
            self.writer.raw(foreign::http_answer(protocol).as_bytes());
        }
        Error::protocol(protocol).with(error)
    }

    #[inline(never)]
    fn on_begin(&mut self, id: RequestId, content: &[u8]) -> Result<()> {
        let Some(begin) = BeginRequest::decode(content) else { return Ok(()) };
        self.has_begun = true;
        self.is_open_ended |= begin.keep_conn;
        if self.exchanges.index_of(id).is_some() {
            return Err(Error::protocol(Protocol::DuplicateBegin(id)));
        }
        let role = Role::new(begin.role).filter(|role| self.config.roles.contains(role));
        let Some(role) = role else {
            self.refuse_role(id, &begin);
            return Ok(());
        };
        let observed = self.config.observers.begin_request();
        if self.exchanges.len() >= self.config.max_requests {
            self.refuse_begin(Exchange::new(id, role, begin.keep_conn, observed));
            return Ok(());
        }
        self.is_multiplexed |= !self.exchanges.is_empty();
        *self.exchanges.place(id) = Some(Exchange::new(id, role, begin.keep_conn, observed));
        Ok(())
    }

    #[cold]
    fn refuse_role(&mut self, id: RequestId, begin: &BeginRequest) {
        debug!(role = begin.role, "refused: role not served");
        let date = self.config.date;
        self.control(|this| {
            // lighttpd lets a request pass whose Authorizer ends it without a word.
            if begin.role == Role::Authorizer.value() {
                let Refusal { status, reason } = NO_AUTHORIZER;
                this.writer.stdout_whole(id, |dst| put_refusal(dst, false, status, reason, date));
            }
            this.writer.end_request(id, ProtocolStatus::UnknownRole);
        });
        self.is_last |= !begin.keep_conn;
        self.is_open_ended = true;
    }

    #[cold]
    fn refuse_begin(&mut self, mut exchange: Exchange) {
        debug!(id = %exchange.id, "refused: too many requests on one connection");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        self.answer(&mut exchange, status, "too many requests at a time");
        self.is_open_ended = true;
    }

    #[inline(never)]
    fn on_params(&mut self, id: RequestId, content: &[u8]) {
        let Some(index) = self.exchanges.index_of(id) else { return };
        let Input::Params(params) = &mut self.exchanges.exchange(index).input else { return };
        let most = self.config.max_params_size;
        if content.len() > most - params.len() {
            return self.refuse(index, TOO_LARGE);
        }
        params.append(content, most);
    }

    #[inline(never)]
    fn on_params_end(&mut self, id: RequestId) {
        let Some(index) = self.exchanges.index_of(id) else { return };
        let exchange = self.exchanges.exchange(index);
        let Input::Params(params) = &mut exchange.input else { return };
        let params = std::mem::take(params).finish();
        exchange.input = Input::Ended;
        if let Err(refusal) = self.start(index, params) {
            self.refuse(index, refusal);
        }
    }

    /// Makes the request; the service is called once the rest of the read is taken in.
    fn start(&mut self, index: usize, params: Bytes) -> std::result::Result<(), Refusal> {
        let slot = self.exchanges.slot(index);
        let exchange = slot.exchange.as_mut().expect("a live exchange is started");
        let mut mapped = map_request(params, exchange.role, &self.config.request)?;
        if exchange.role != Role::Responder {
            prepare(exchange, &mut mapped.request, &self.budget)?;
        }
        if let Some(address) = mapped.remote_addr {
            insert_connect_info(mapped.request.extensions_mut(), address);
        }
        if let Some(mounted) = mapped.mounted.take() {
            insert_original_uri(mapped.request.extensions_mut(), mounted.original);
        }
        exchange.observed.on_request(&mapped.request, mapped.remote_addr);
        exchange.on_request(&mapped.request, mapped.content_length);
        slot.hold(mapped.request.map(|()| Incoming::empty()), &mut self.spare);
        self.called.push(index);
        Ok(())
    }

    #[inline(never)]
    fn on_stdin(&mut self, id: RequestId, content: &[u8], block: &Block) -> Result<()> {
        let Some(index) = self.exchanges.index_of(id) else { return Ok(()) };
        let exchange = self.exchanges.exchange(index);
        match exchange.input {
            Input::Params(_) => return Err(before_params_end(RecordType::Stdin, id)),
            _ if content.is_empty() => exchange.end_body(&self.budget),
            _ => exchange.push_body(content, block, &self.budget),
        }
        Ok(())
    }

    #[inline(never)]
    fn on_filter_data(&mut self, id: RequestId, content: &[u8], block: &Block) -> Result<()> {
        let Some(index) = self.exchanges.index_of(id) else { return Ok(()) };
        let exchange = self.exchanges.exchange(index);
        if exchange.role == Role::Filter && !exchange.has_params() {
            return Err(before_params_end(RecordType::Data, id));
        }
        exchange.push_data(content, block);
        Ok(())
    }

    #[cold]
    fn on_abort(&mut self, id: RequestId) {
        let Some(index) = self.exchanges.index_of(id) else { return };
        debug!(%id, "aborted by the web server");
        let needs_answer = self.exchanges.exchange(index).needs_answer();
        if needs_answer {
            self.control(|this| this.end_stderr(index));
        }
        let mut exchange = self.exchanges.remove(index);
        exchange.discard_body(Kind::Aborted);
        self.withheld -= usize::from(exchange.is_withheld());
        self.is_last |= !exchange.keep_conn;
        self.control(|this| {
            if !needs_answer {
                return this.writer.end_request(id, ProtocolStatus::RequestComplete);
            }
            let status = StatusCode::SERVICE_UNAVAILABLE;
            this.put_answer(&exchange, status, "the web server aborted the request");
        });
    }

    #[cold]
    fn on_get_values(&mut self, query: &[u8]) {
        let answer = values::answer(query, &self.config);
        self.control(|this| this.writer.management(RecordType::GetValuesResult, &answer));
    }

    #[cold]
    fn on_unknown_type(&mut self, record_type: u8) {
        let content = UnknownType(record_type).encode();
        self.control(|this| this.writer.management(RecordType::UnknownType, &content));
    }

    fn refuse(&mut self, index: usize, refusal: Refusal) {
        let mut exchange = self.exchanges.remove(index);
        debug!(id = %exchange.id, status = %refusal.status, reason = refusal.reason, "refused");
        self.answer(&mut exchange, refusal.status, refusal.reason);
    }
}

/// Makes of a request what one of another role than a Responder's is.
#[cold]
fn prepare(
    exchange: &mut Exchange,
    request: &mut Request<()>,
    budget: &Arc<Budget>,
) -> std::result::Result<(), Refusal> {
    if exchange.role == Role::Authorizer {
        // It would announce a body that is the Responder's.
        request.headers_mut().remove(header::CONTENT_LENGTH);
        return Ok(());
    }
    let params = request.extensions().get::<Params>().expect("each request has its params");
    let FilterFile { length, last_modified } = FilterFile::new(params)?;
    let data = FilterData::new(exchange.open_data(budget, length), length, last_modified);
    data.put_into(request.extensions_mut());
    Ok(())
}

fn before_params_end(stream: RecordType, id: RequestId) -> Error {
    Error::protocol(Protocol::StreamBeforeParamsEnd(stream, id))
}

const NO_AUTHORIZER: Refusal = Refusal {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    reason: "the application is no Authorizer",
};

const UNDECIDED: Refusal =
    Refusal { status: StatusCode::SERVICE_UNAVAILABLE, reason: "the Authorizer took too long" };

const TOO_LARGE: Refusal = Refusal {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    reason: "the request's params are too large",
};

const TOO_SLOW: Refusal =
    Refusal { status: StatusCode::REQUEST_TIMEOUT, reason: "the request's params took too long" };
