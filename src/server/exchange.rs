use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use http::{Method, Request};

use super::data::DataStream;
use super::driver::Driver;
use super::observe::ObservedRequest;
use super::params::ParamsBuffer;
use super::service::HttpService;
use super::stderr::{Outlet, Stderr};
use super::task::RemoteResponse;
use crate::alarm::Standstill;
use crate::body::{self, Budget, Incoming, Sender};
use crate::codec::Block;
use crate::error::Kind;
use crate::ready::{SlotWaker, Woken};
use crate::record::{RecordType, RequestId, Role};
use crate::trace::debug;

/// One live request id.
///
/// ```text
/// input :  Params --empty PARAMS--> Body --STDIN's end, CONTENT_LENGTH--> Ended
/// output:  Waiting --params complete, read taken in--> Local | Remote --response's end--> removed
/// ```
/// Records move the input, wake-ups the output; they meet at one point, the end of the params.
pub(super) struct Exchange {
    pub(super) id: RequestId,
    pub(super) role: Role,
    pub(super) keep_conn: bool,
    /// The response has no body, whatever the service answers.
    pub(super) is_head: bool,
    pub(super) input: Input,
    /// The end of FCGI_STDIN has arrived, and of a Filter's FCGI_DATA, behind which nothing comes.
    is_whole: bool,
    /// The request body, opened when there is something to put into it or somebody to read it. The end that fills it is kept for
    /// as long as that one may leave it unread.
    body: Option<Sender>,
    incoming: Option<Incoming>,
    /// A Filter has one.
    data: Option<Box<DataStream>>,
    pub(super) output: Output,
    pub(super) response: Response,
    /// The rest of a body frame that must not go out at once, for its siblings' sake.
    pub(super) unsent: Bytes,
    /// How long the params take to come, or the decision of an Authorizer.
    pub(super) age: Standstill,
    /// Where requests may write to the web server's error log.
    stderr: Option<Outlet>,
    pub(super) observed: ObservedRequest,
}

pub(super) enum Input {
    Params(ParamsBuffer),
    /// So many bytes are still to come, if CONTENT_LENGTH told.
    Body(Option<u64>),
    Ended,
}

pub(super) enum Output {
    Waiting,
    Local,
    Remote(RemoteResponse),
    /// The response failed; its end must not be written, and the connection closes when its siblings are done.
    Withheld,
}

/// How far the response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Response {
    BeforeHead,
    /// So many bytes of the body are still to come, if its length is known.
    Body(Option<u64>),
}

impl Exchange {
    #[inline]
    pub(super) fn new(
        id: RequestId,
        role: Role,
        keep_conn: bool,
        observed: ObservedRequest,
    ) -> Self {
        Self {
            id,
            role,
            keep_conn,
            is_head: false,
            input: Input::Params(ParamsBuffer::default()),
            is_whole: false,
            body: None,
            incoming: None,
            data: None,
            output: Output::Waiting,
            response: Response::BeforeHead,
            unsent: Bytes::new(),
            age: Standstill::default(),
            stderr: None,
            observed,
        }
    }

    pub(super) fn has_params(&self) -> bool {
        !matches!(self.input, Input::Params(_))
    }

    #[cfg(feature = "tokio")]
    pub(super) fn has_begun_response(&self) -> bool {
        self.response != Response::BeforeHead
    }

    /// An Authorizer was asked and has not answered.
    pub(super) fn is_undecided(&self) -> bool {
        self.role == Role::Authorizer && self.has_params() && self.response == Response::BeforeHead
    }

    /// Whether the end of the request must not come without a response, though the web server asks for no more than that.
    pub(super) fn needs_answer(&self) -> bool {
        // HAProxy aborts whole requests when it is reloaded, though their clients wait, and would let them wait on. lighttpd lets a
        // request pass whose Authorizer ends it without a word.
        let is_missed = self.is_whole || self.role == Role::Authorizer;
        is_missed && self.response == Response::BeforeHead
    }

    /// Whether something of the response is still the service's to make, on the task of the connection.
    pub(super) fn needs_service(&self) -> bool {
        matches!(self.output, Output::Local) && self.response != Response::Body(Some(0))
    }

    pub(super) fn is_withheld(&self) -> bool {
        matches!(self.output, Output::Withheld)
    }

    /// The request's params are complete. FCGI_STDIN will bring a body of that length, or of unknown length.
    pub(super) fn on_request(&mut self, request: &Request<()>, length: Option<u64>) {
        self.is_head = request.method() == Method::HEAD;
        // An Authorizer's request has no FCGI_STDIN, and lighttpd and Apache do not even send its end.
        if self.role != Role::Authorizer && length != Some(0) {
            self.input = Input::Body(length);
        }
    }

    /// The body as it is handed to the service.
    pub(super) fn take_body(&mut self, budget: &Arc<Budget>) -> Incoming {
        if let Input::Body(_) = self.input {
            self.open_body(budget);
        }
        self.incoming.take().unwrap_or_else(Incoming::empty)
    }

    /// The data as it is handed to the service of a Filter.
    pub(super) fn open_data(&mut self, budget: &Arc<Budget>, length: Option<u64>) -> Incoming {
        let (stream, incoming) = DataStream::new(budget, length);
        self.data = Some(Box::new(stream));
        incoming
    }

    pub(super) fn has_data(&self) -> bool {
        self.data.is_some()
    }

    /// Lets the request write so many bytes to FCGI_STDERR.
    pub(super) fn open_stderr(&mut self, max: usize, waker: &Waker) -> Stderr {
        self.stderr.insert(Outlet::new(max, waker.clone())).handle()
    }

    pub(super) fn stderr(&self) -> Option<Stderr> {
        self.stderr.as_ref().map(Outlet::handle)
    }

    /// The lines that were written to FCGI_STDERR since the last time.
    pub(super) fn take_stderr(&mut self) -> Option<Vec<u8>> {
        self.stderr.as_mut().map(Outlet::take)
    }

    /// Closes FCGI_STDERR. Whether anything was sent there.
    pub(super) fn close_stderr(&mut self) -> bool {
        self.stderr.take().is_some_and(|outlet| outlet.has_sent())
    }

    /// Takes a part of FCGI_STDIN, which arrived in `block`.
    pub(super) fn push_body(&mut self, content: &[u8], block: &Block, budget: &Arc<Budget>) {
        let Input::Body(mut remaining) = self.input else { return };
        let content = cut(content, &mut remaining, "FCGI_STDIN exceeds CONTENT_LENGTH");
        let shared = block.share(RecordType::Stdin, self.id, content);
        let body = self.open_body(budget);
        match shared {
            Some(shared) => body.push_shared(shared),
            None => body.push_copy(content),
        }
        match remaining {
            Some(0) => self.complete_body(Sender::finish),
            _ => self.input = Input::Body(remaining),
        }
    }

    /// FCGI_STDIN has ended.
    pub(super) fn end_body(&mut self, budget: &Arc<Budget>) {
        self.is_whole = self.data.as_mut().is_none_or(|data| {
            data.has_stdin_ended = true;
            data.has_ended
        });
        match self.input {
            Input::Body(Some(1..)) => self.fail_body(Kind::Incomplete, budget),
            _ => self.complete_body(Sender::finish),
        }
    }

    /// Takes a part of FCGI_DATA, which arrived in `block`, or its end.
    pub(super) fn push_data(&mut self, content: &[u8], block: &Block) {
        let Some(data) = &mut self.data else { return };
        if content.is_empty() {
            data.end();
            self.is_whole = data.has_stdin_ended;
        } else {
            data.push(self.id, content, block);
        }
    }

    /// Fails the request body and the data as far as they are not complete, behind what arrived of them.
    pub(super) fn fail_body(&mut self, kind: Kind, budget: &Arc<Budget>) {
        if let Some(data) = &mut self.data {
            data.fail(kind);
        }
        if let Input::Body(_) = self.input {
            self.open_body(budget);
        }
        self.complete_body(|body| body.fail(kind));
    }

    /// Fails the request body and the data, complete or not, and drops what nobody read of them.
    pub(super) fn discard_body(&mut self, kind: Kind) {
        if let Some(data) = &mut self.data {
            data.discard(kind);
        }
        self.discard_stdin(kind);
    }

    /// Fails that of the two of which more is unread, and drops that.
    pub(super) fn discard_larger(&mut self, kind: Kind) {
        let stdin = self.unread_stdin();
        match &mut self.data {
            Some(data) if data.unread() > stdin => data.discard(kind),
            _ => self.discard_stdin(kind),
        }
    }

    pub(super) fn is_input_complete(&self) -> bool {
        matches!(self.input, Input::Ended)
            && self.data.as_ref().is_none_or(|data| data.is_complete())
    }

    pub(super) fn unread(&self) -> usize {
        self.unread_stdin() + self.data.as_ref().map_or(0, |data| data.unread())
    }

    /// Whether a Filter waits for more of one stream, which may be kept out by what it leaves unread of the other.
    pub(super) fn is_starved(&self) -> bool {
        let is_stdin_awaited = || self.body.as_ref().is_some_and(Sender::is_awaited);
        self.data.as_ref().is_some_and(|data| data.is_awaited() || is_stdin_awaited())
    }

    fn unread_stdin(&self) -> usize {
        self.body.as_ref().map_or(0, Sender::unread)
    }

    fn discard_stdin(&mut self, kind: Kind) {
        self.input = Input::Ended;
        if let Some(body) = self.body.take() {
            body.discard(kind);
        }
    }

    fn open_body(&mut self, budget: &Arc<Budget>) -> &Sender {
        self.body.get_or_insert_with(|| {
            let length = match self.input {
                Input::Body(length) => length,
                _ => None,
            };
            let (sender, incoming) = body::channel(budget, length);
            self.incoming = Some(incoming);
            sender
        })
    }

    fn complete_body(&mut self, complete: impl FnOnce(&Sender)) {
        if let Input::Body(_) = self.input {
            self.body.as_ref().map(complete);
            self.input = Input::Ended;
        }
    }
}

/// Leaves out what is beyond the length that was told, and logs that.
#[inline(always)]
pub(super) fn cut<'a>(
    content: &'a [u8],
    remaining: &mut Option<u64>,
    excess: &'static str,
) -> &'a [u8] {
    let Some(remaining) = remaining else { return content };
    let len = usize::try_from(*remaining).map_or(content.len(), |max| content.len().min(max));
    if len < content.len() {
        debug!(len = content.len() - len, "{excess}");
    }
    *remaining -= len as u64;
    &content[..len]
}

/// The live exchanges of a connection, found by request id and by the index that their wakers know.
pub(super) struct Exchanges<S: HttpService> {
    slots: Vec<Slot<S>>,
    free: Vec<usize>,
    /// Sorted by id.
    ids: Vec<(RequestId, usize)>,
    /// An exchange ended before its FCGI_STDIN did.
    has_left_input: bool,
    woken: Arc<Woken>,
}

/// A place for an exchange, reused by later ones.
pub(super) struct Slot<S: HttpService> {
    pub(super) exchange: Option<Exchange>,
    /// Holds the request from the end of its params to the call, which gives it its body, and runs the service if that runs in place.
    pub(super) driver: Option<Pin<Box<Driver<S>>>>,
    listing: Arc<SlotWaker>,
    pub(super) waker: Waker,
}

impl<S: HttpService> Exchanges<S> {
    pub(super) fn new(woken: Arc<Woken>) -> Self {
        let (slots, free, ids) = (Vec::new(), Vec::new(), Vec::new());
        Self { slots, free, ids, has_left_input: false, woken }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn has_left_input(&self) -> bool {
        self.has_left_input
    }

    pub(super) fn index_of(&self, id: RequestId) -> Option<usize> {
        let position = self.ids.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(self.ids[position].1)
    }

    pub(super) fn slot(&mut self, index: usize) -> &mut Slot<S> {
        &mut self.slots[index]
    }

    /// The exchange at an index that [`index_of`](Self::index_of) or [`indices`](Self::indices) gave.
    pub(super) fn exchange(&mut self, index: usize) -> &mut Exchange {
        self.slots[index].exchange.as_mut().expect("an index of a live exchange")
    }

    pub(super) fn indices(&self) -> Vec<usize> {
        self.ids.iter().map(|&(_, index)| index).collect()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Exchange> {
        self.slots.iter_mut().filter_map(|slot| slot.exchange.as_mut())
    }

    /// A free place for an exchange of that id, which is not live and is to be put there.
    pub(super) fn place(&mut self, id: RequestId) -> &mut Option<Exchange> {
        let position = self.ids.partition_point(|&(other, _)| other < id);
        let index = self.free.pop().unwrap_or_else(|| self.add_slot());
        self.ids.insert(position, (id, index));
        &mut self.slots[index].exchange
    }

    /// Takes an exchange out; its service future or response body is dropped.
    pub(super) fn remove(&mut self, index: usize) -> Exchange {
        self.retire(index);
        self.slots[index].exchange.take().expect("an index of a live exchange")
    }

    /// Takes an exchange out of which nothing is needed any more.
    pub(super) fn discard(&mut self, index: usize) {
        self.retire(index);
        self.slots[index].exchange = None;
    }

    /// Frees the place of an exchange, and drops all of it but the exchange itself.
    fn retire(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        let exchange = slot.exchange.as_ref().expect("an index of a live exchange");
        let position = self.ids.binary_search_by_key(&exchange.id, |&(id, _)| id);
        self.ids.remove(position.expect("a live exchange is listed by its id"));
        self.free.push(index);
        self.has_left_input |= !exchange.is_whole;
        if let Some(driver) = &mut slot.driver {
            driver.as_mut().clear();
        }
    }

    fn add_slot(&mut self) -> usize {
        let index = self.slots.len();
        if index == 0 {
            // Most connections never need a second one, and those that wait for a request keep it.
            self.slots.reserve_exact(1);
            self.free.reserve_exact(1);
            self.ids.reserve_exact(1);
        }
        let listing = SlotWaker::new(index, self.woken.clone());
        let waker = listing.clone().into();
        self.slots.push(Slot { exchange: None, driver: None, listing, waker });
        index
    }
}

impl<S: HttpService> Slot<S> {
    /// Keeps a request for the service, in `spare` if there is one.
    pub(super) fn hold(
        &mut self,
        request: Request<Incoming>,
        spare: &mut Option<Pin<Box<Driver<S>>>>,
    ) {
        let new = || spare.take().unwrap_or_else(|| Box::pin(Driver::new()));
        self.driver.get_or_insert_with(new).as_mut().hold(request);
    }

    /// To be called when the exchange gets its turn.
    pub(super) fn unlist(&self) {
        self.listing.unlist();
    }

    /// Asks for another turn, behind all that wait already.
    pub(super) fn list(&self) {
        self.waker.wake_by_ref();
    }
}
