use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use http::{Extensions, Request};
use http_body::{Body, Frame, SizeHint};

use crate::body::Incoming;
use crate::error::Result;

/// The file that a Filter transforms, as it arrives in FCGI_DATA (section 6.4 of the specification).
///
/// It is in the extensions of each request of [`Role::Filter`](crate::Role::Filter), to be taken out once. All that [`Incoming`] says of
/// FCGI_STDIN holds for it: it ends with its stream or as soon as FCGI_DATA_LENGTH bytes came, fails when less arrives or the request
/// is aborted, and what is not read is held back. It is discarded when it is dropped, and with the request if nobody takes it.
///
/// # Two streams
///
/// The web server sends it behind the request's body, and both count against
/// [`Builder::max_body_buf_size`](crate::server::Builder::max_body_buf_size). So read the body first, or drop it, or read both at the same time.
/// A Filter that waits for its data with the body unread gets it as long as both fit that limit. With a larger body it gets nothing, for
/// the connection reads no further; when nothing has been read for [`Builder::stall_timeout`](crate::server::Builder::stall_timeout), the body
/// fails ([`Error::is_stalled`](crate::Error::is_stalled)) and the data arrives. A web server that sends the data before the body, or in
/// between, is served all the same, and the other way round.
///
/// # Cancel safety
///
/// That of [`Incoming`]: a dropped future that waits for a frame loses nothing.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::Incoming;
/// use tower_fastcgi::roles::FilterData;
///
/// async fn handler(mut request: http::Request<Incoming>) -> http::Response<FilterData> {
///     let data = FilterData::take(&mut request).expect("only Filters are served");
///     drop(request);
///     http::Response::new(data) // unchanged, as it comes
/// }
/// ```
#[derive(Debug)]
pub struct FilterData {
    body: Incoming,
    length: Option<u64>,
    last_modified: Option<SystemTime>,
}

impl FilterData {
    /// Takes it out of a request. `None` if that is not of [`Role::Filter`](crate::Role::Filter), or if it was taken before.
    pub fn take<B>(request: &mut Request<B>) -> Option<Self> {
        Self::take_from(request.extensions_mut())
    }

    /// As [`take`](Self::take), out of a request's extensions.
    pub fn take_from(extensions: &mut Extensions) -> Option<Self> {
        let Slot(slot) = extensions.remove()?;
        slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How many bytes the file has, as FCGI_DATA_LENGTH says.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// When the file was changed last, as FCGI_DATA_LAST_MOD says.
    pub fn last_modified(&self) -> Option<SystemTime> {
        self.last_modified
    }

    pub(crate) fn new(
        body: Incoming,
        length: Option<u64>,
        last_modified: Option<SystemTime>,
    ) -> Self {
        Self { body, length, last_modified }
    }

    pub(crate) fn put_into(self, extensions: &mut Extensions) {
        extensions.insert(Slot(Arc::new(Mutex::new(Some(self)))));
    }
}

impl Body for FilterData {
    type Data = Bytes;
    type Error = crate::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Extensions can be cloned, and a body cannot: whoever comes first has it.
#[derive(Clone)]
struct Slot(Arc<Mutex<Option<FilterData>>>);
