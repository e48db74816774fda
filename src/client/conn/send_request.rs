use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};

use super::gate::{Envelope, Gate};
use super::reply::{ReplyReceiver, reply};
use crate::client::body::{Cancel, CancelGuard, ResponseBody};
use crate::error::{self, Error, Failure};

/// Sends requests on a [`Connection`](super::Connection).
///
/// A clone is another handle of the same connection. When all are dropped the connection closes, once the responses under way
/// have ended.
pub struct SendRequest<B> {
    gate: Arc<Gate<B>>,
    has_place: bool,
}

impl<B> SendRequest<B> {
    pub(super) fn new(gate: Arc<Gate<B>>) -> Self {
        gate.add_handle();
        Self { gate, has_place: false }
    }

    /// Ready when the connection takes a request from this handle: once the last response has ended, or at once while it may
    /// multiplex.
    ///
    /// # Errors
    ///
    /// [`Error::is_closed`] when the connection takes no more requests.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<error::Result<()>> {
        if self.has_place && !self.gate.is_closed() {
            return Poll::Ready(Ok(()));
        }
        let polled = self.gate.poll_place(cx);
        self.has_place |= matches!(polled, Poll::Ready(Ok(())));
        polled
    }

    /// Waits until the connection takes a request from this handle; see [`poll_ready`](Self::poll_ready).
    pub async fn ready(&mut self) -> error::Result<()> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// Whether the connection takes a request from this handle now.
    pub fn is_ready(&self) -> bool {
        self.gate.has_room() || (self.has_place && !self.gate.is_closed())
    }

    /// Whether the connection takes no requests any more.
    pub fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// Sends a request and waits for the head of the response.
    ///
    /// What the web server says besides is in the request's extensions ([`Environment`](crate::client::Environment)) and in the
    /// builder. The future need not be polled for the request to be sent.
    ///
    /// # Errors
    ///
    /// [`Error::is_canceled`] when the connection was not [`ready`](Self::ready). Otherwise what the questions of [`Error`] tell.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future aborts the request (FCGI_ABORT_REQUEST).
    pub fn send_request(
        &mut self,
        request: Request<B>,
    ) -> impl Future<Output = error::Result<Response<ResponseBody>>> + use<B> {
        let response = self.try_send_request(request);
        async { response.await.map_err(|failed| failed.error) }
    }

    /// Sends a request as [`send_request`](Self::send_request) does, and gives it back if nothing was done with it, so that it
    /// may be sent elsewhere.
    pub fn try_send_request(
        &mut self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, TrySendError<Request<B>>>> + use<B>
    {
        let sent = self.enqueue(Box::new(request));
        async {
            let (response, guard) = sent?;
            let response = response.await?;
            Ok(response.map(|body| ResponseBody::new(body, guard)))
        }
    }

    /// Takes a place for a request without waiting for one.
    #[cfg(feature = "tokio")]
    pub(in crate::client) fn try_ready(&mut self) -> bool {
        self.has_place = (self.has_place && !self.gate.is_closed()) || self.gate.try_place();
        self.has_place
    }

    /// Whether there is room for a request besides that of this handle.
    #[cfg(feature = "tokio")]
    pub(in crate::client) fn has_room(&self) -> bool {
        self.gate.has_room()
    }

    #[cfg(feature = "tokio")]
    pub(in crate::client) fn has_room_for_several(&self) -> bool {
        self.gate.limit() > 1
    }

    /// Sets who gets a handle whenever there is room for another request.
    #[cfg(feature = "tokio")]
    pub(in crate::client) fn on_room(&self, on_room: impl Fn(Self) + Send + Sync + 'static) {
        self.gate.on_room(on_room);
    }

    /// Lets the connection end when nothing is live.
    #[cfg(feature = "tokio")]
    pub(in crate::client) fn close(&self) {
        self.gate.close();
    }

    /// Lets the connection end if nobody has a request on it, nor a place for one.
    #[cfg(feature = "tokio")]
    pub(in crate::client) fn close_if_idle(&self) {
        if self.gate.is_idle() {
            self.gate.close();
        }
    }

    fn enqueue(&mut self, request: Box<Request<B>>) -> Result<Sent<B>, TrySendError<Request<B>>> {
        if !std::mem::take(&mut self.has_place) && !self.gate.try_place() {
            let failure = match self.gate.is_closed() {
                true => Failure::Closed,
                false => Failure::NotReady,
            };
            return Err(TrySendError::new(Error::client(failure), Some(request)));
        }
        let (reply, response) = reply();
        let (cancel, guard) = Cancel::new();
        self.gate.push(Envelope { request, reply, cancel });
        Ok((response, guard))
    }
}

type Sent<B> = (ReplyReceiver<B>, CancelGuard);

impl<B> Clone for SendRequest<B> {
    fn clone(&self) -> Self {
        Self::new(self.gate.clone())
    }
}

impl<B> Drop for SendRequest<B> {
    fn drop(&mut self) {
        self.gate.remove_handle(self.has_place);
    }
}

impl<B> fmt::Debug for SendRequest<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRequest").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// A request that failed, and the request itself if nothing was done with it: then nothing was sent, or the application
/// refused it unread, and the body was not touched.
pub struct TrySendError<T> {
    pub(in crate::client) error: Error,
    pub(in crate::client) message: Option<Box<T>>,
}

impl<T> TrySendError<T> {
    pub(in crate::client) fn new(error: Error, message: Option<Box<T>>) -> Self {
        Self { error, message }
    }

    /// What went wrong.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// What went wrong.
    pub fn into_error(self) -> Error {
        self.error
    }

    /// The request, if it may be sent again.
    pub fn message(&self) -> Option<&T> {
        self.message.as_deref()
    }

    /// Takes the request out.
    pub fn take_message(&mut self) -> Option<T> {
        self.message.take().map(|message| *message)
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySendError")
            .field("error", &self.error)
            .field("has_message", &self.message.is_some())
            .finish()
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> StdError for TrySendError<T> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}
