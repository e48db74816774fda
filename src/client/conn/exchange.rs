use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http::{Method, Request};
use http_body::Body;

use super::reply::ReplySender;
use super::send_request::TrySendError;
use crate::alarm::Standstill;
use crate::body::Sender;
use crate::cgi::HeadReader;
use crate::client::body::Cancel;
use crate::client::stderr::StderrStream;
use crate::error::{BoxError, Error, Kind};
use crate::ready::{SlotWaker, Woken};
use crate::record::{RequestId, Role};

/// One request that was sent, until its FCGI_END_REQUEST.
///
/// ```text
/// outgoing:  Body --its end, its length--> Ended
/// response:  Head --empty line--> Body | Ignored      any --canceled, failed--> Ignored
/// ```
pub(super) struct Exchange<B> {
    pub(super) id: RequestId,
    pub(super) role: Role,
    /// What follows the body of a request to a Filter.
    pub(super) filter_data: Bytes,
    pub(super) is_head: bool,
    request: Sending<B>,
    pub(super) outgoing: Outgoing,
    /// The rest of a body frame that must not go out at once, for its siblings' sake.
    pub(super) unsent: Bytes,
    pub(super) response: Response,
    /// FCGI_STDOUT has ended.
    pub(super) is_stdout_ended: bool,
    reply: Option<ReplySender<B>>,
    pub(super) cancel: Arc<Cancel>,
    pub(super) stderr: StderrStream,
    /// How many bytes had been written before the first of this request.
    pub(super) begin: u64,
    /// How many bytes of FCGI_STDOUT came.
    pub(super) received: u64,
    /// Nobody waits for more than its end.
    pub(super) is_given_up: bool,
    /// Its end has not come in time.
    pub(super) is_lost: bool,
    pub(super) ages: Ages,
}

enum Sending<B> {
    /// The body is untouched, so the request can be handed back.
    Untouched(Box<Request<B>>),
    Body(Pin<Box<B>>),
    Dropped,
}

#[derive(Debug, Default)]
pub(super) struct Ages {
    pub(super) head: Standstill,
    pub(super) body: Standstill,
    pub(super) end: Standstill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// So many bytes are still to come, if the length is known.
    Body(Option<u64>),
    Ended,
}

pub(super) enum Response {
    Head(HeadReader),
    /// So many bytes are still to come, if Content-Length told.
    Body(Sender, Option<u64>),
    /// What comes is dropped: there is no body by the rules of HTTP, or nobody wants it.
    Ignored,
}

impl<B: Body<Error: Into<BoxError>>> Exchange<B> {
    pub(super) fn new(
        id: RequestId,
        role: Role,
        request: Box<Request<B>>,
        outgoing: Outgoing,
        reply: ReplySender<B>,
        cancel: Arc<Cancel>,
        stderr: StderrStream,
    ) -> Self {
        Self {
            id,
            role,
            filter_data: Bytes::new(),
            is_head: request.method() == Method::HEAD,
            request: Sending::Untouched(request),
            outgoing,
            unsent: Bytes::new(),
            response: Response::Head(HeadReader::default()),
            is_stdout_ended: false,
            reply: Some(reply),
            cancel,
            stderr,
            begin: 0,
            received: 0,
            is_given_up: false,
            is_lost: false,
            ages: Ages::default(),
        }
    }

    /// The next part of the body, which has not ended.
    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BoxError>>> {
        if let Sending::Untouched(_) = self.request {
            if let Sending::Untouched(request) = self.take_request() {
                self.request = Sending::Body(Box::pin(request.into_body()));
            }
        }
        let Sending::Body(body) = &mut self.request else { return Poll::Ready(None) };
        Poll::Ready(ready!(body.as_mut().poll_frame(cx)).map(|frame| match frame {
            Err(error) => Err(error.into()),
            Ok(frame) => Ok(match frame.into_data() {
                Ok(mut data) => data.copy_to_bytes(data.remaining()),
                // FastCGI has no trailers.
                Err(_trailers) => Bytes::new(),
            }),
        }))
    }
}

impl<B> Exchange<B> {
    /// The head has come: whoever waits gets the response.
    pub(super) fn reply(&mut self, response: http::Response<crate::body::Incoming>) {
        if let Some(reply) = self.reply.take() {
            reply.send(Ok(response));
        }
    }

    /// All of the response that HTTP can tell of has come; only FCGI_END_REQUEST is missing.
    pub(super) fn is_response_whole(&self) -> bool {
        match &self.response {
            Response::Head(_) => false,
            Response::Body(_, remaining) => self.is_stdout_ended || *remaining == Some(0),
            Response::Ignored => true,
        }
    }

    pub(super) fn unread(&self) -> usize {
        match &self.response {
            Response::Body(sender, _) => sender.unread(),
            _ => 0,
        }
    }

    /// Nobody waits for more than the end.
    pub(super) fn give_up(&mut self) {
        self.is_given_up = true;
        self.drop_request();
    }

    /// Nothing more of the request is sent.
    pub(super) fn drop_request(&mut self) {
        self.take_request();
        self.unsent = Bytes::new();
        self.filter_data = Bytes::new();
    }

    /// The response ends as it should.
    pub(super) fn complete(&mut self) {
        if let Response::Body(sender, _) = std::mem::replace(&mut self.response, Response::Ignored)
        {
            sender.finish();
        }
    }

    /// Whoever waits for the response or for more of it gets the error.
    pub(super) fn fail(&mut self, error: Error) {
        let kind = error.kind();
        if let Some(reply) = self.reply.take() {
            reply.fail(error);
        }
        self.end_body(|sender| sender.fail(kind));
    }

    /// The same, and what is unread is dropped.
    pub(super) fn discard(&mut self, kind: Kind) {
        if let Some(reply) = self.reply.take() {
            reply.fail(Error::new(kind));
        }
        self.end_body(|sender| sender.discard(kind));
    }

    /// Whoever waits gets the error, and the request to send it again if its body was not touched.
    pub(super) fn give_back(mut self, error: Error) {
        let Some(reply) = self.reply.take() else { return self.fail(error) };
        let request = match self.take_request() {
            Sending::Untouched(request) => Some(request),
            _ => None,
        };
        reply.send(Err(TrySendError::new(error, request)));
    }

    fn take_request(&mut self) -> Sending<B> {
        std::mem::replace(&mut self.request, Sending::Dropped)
    }

    fn end_body(&mut self, end: impl FnOnce(&Sender)) {
        if let Response::Body(sender, _) = std::mem::replace(&mut self.response, Response::Ignored)
        {
            end(&sender);
        }
    }
}

/// The exchanges of a connection. The one at index 0 has request id 1, and so on.
pub(super) struct Exchanges<B> {
    slots: Vec<Slot<B>>,
    live: usize,
    woken: Arc<Woken>,
}

/// A place for an exchange, reused by later ones.
pub(super) struct Slot<B> {
    pub(super) exchange: Option<Exchange<B>>,
    listing: Arc<SlotWaker>,
    pub(super) waker: Waker,
}

impl<B> Exchanges<B> {
    pub(super) fn new(woken: Arc<Woken>) -> Self {
        Self { slots: Vec::new(), live: 0, woken }
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The lowest index that is free, and its id. There are no more exchanges than ids.
    pub(super) fn vacancy(&mut self) -> (usize, RequestId) {
        let vacant = self.slots.iter().position(|slot| slot.exchange.is_none());
        let index = vacant.unwrap_or_else(|| self.add_slot());
        let id = u16::try_from(index + 1).ok().and_then(RequestId::new);
        (index, id.expect("no more requests at a time than there are ids"))
    }

    /// Where the exchange of an id is, if it is live.
    pub(super) fn index_of(&self, id: RequestId) -> Option<usize> {
        let index = usize::from(id.value()) - 1;
        self.slots.get(index)?.exchange.as_ref().map(|_| index)
    }

    pub(super) fn slot(&mut self, index: usize) -> &mut Slot<B> {
        &mut self.slots[index]
    }

    /// The exchange at the index of a live one.
    pub(super) fn exchange(&mut self, index: usize) -> &mut Exchange<B> {
        self.slots[index].exchange.as_mut().expect("an index of a live exchange")
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Exchange<B>)> {
        let slots = self.slots.iter_mut().enumerate();
        slots.filter_map(|(index, slot)| Some((index, slot.exchange.as_mut()?)))
    }

    pub(super) fn insert(&mut self, index: usize, exchange: Exchange<B>) {
        let slot = &mut self.slots[index];
        debug_assert!(slot.exchange.is_none(), "a vacancy is filled once");
        exchange.cancel.wakes(slot.waker.clone());
        slot.exchange = Some(exchange);
        self.live += 1;
        slot.list();
    }

    pub(super) fn remove(&mut self, index: usize) -> Exchange<B> {
        self.live -= 1;
        self.slots[index].exchange.take().expect("an index of a live exchange")
    }

    fn add_slot(&mut self) -> usize {
        let index = self.slots.len();
        let listing = SlotWaker::new(index, self.woken.clone());
        let waker = listing.clone().into();
        self.slots.push(Slot { exchange: None, listing, waker });
        index
    }
}

impl<B> Slot<B> {
    /// To be called when the exchange gets its turn.
    pub(super) fn unlist(&self) {
        self.listing.unlist();
    }

    /// Asks for another turn, behind all that wait already.
    pub(super) fn list(&self) {
        self.waker.wake_by_ref();
    }
}
