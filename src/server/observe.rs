use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, StatusCode};

use crate::error::Result;
use crate::trace::{Span, are_spans_wanted, debug, debug_span};

/// Is told what happens on connections: enough for metrics.
///
/// Set with [`Builder::observer`](super::Builder::observer), shared by all connections of the builder. Its methods are called on
/// the tasks of the connections, so they must be quick and must not block. All do nothing by default.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// use tower_fastcgi::server::{Builder, Observer, RequestEnd};
///
/// #[derive(Default)]
/// struct Metrics {
///     live: AtomicUsize,
///     failed: AtomicUsize,
/// }
///
/// impl Observer for Metrics {
///     fn request_began(&self) {
///         self.live.fetch_add(1, Relaxed);
///     }
///
///     fn request_ended(&self, end: &RequestEnd) {
///         self.live.fetch_sub(1, Relaxed);
///         if end.status.is_some_and(|status| status.is_server_error()) {
///             self.failed.fetch_add(1, Relaxed);
///         }
///     }
/// }
///
/// Builder::new().observer(Metrics::default());
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A listener has closed a connection because its peer is not on the list of those who may connect
    /// (`listener::AllowedPeers`), before a byte of it was read. It is never told of again.
    ///
    /// `serve` has its listener tell this. Called where connections are accepted, so a flood of them calls it as often.
    fn connection_refused(&self) {}

    /// A connection is being served from now on.
    fn connection_opened(&self) {}

    /// A connection has ended, as its future tells: [`Error::is_protocol`](crate::Error::is_protocol) and the other questions
    /// say why. `None` if the future was dropped before its end.
    fn connection_closed(&self, outcome: Option<&Result<()>>) {
        let _ = outcome;
    }

    /// A request id has become live. Its params are still to come.
    fn request_began(&self) {}

    /// A request id is live no longer. Called once for each [`request_began`](Self::request_began).
    fn request_ended(&self, end: &RequestEnd) {
        let _ = end;
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestEnd {
    /// The status of its response, if the head of one was written; refusals and failures that this crate answers included, but not what
    /// it answers to a request that the web server has aborted.
    pub status: Option<StatusCode>,
    /// Whether its response was written in full. What the transport still holds of it counts as written.
    pub is_complete: bool,
    /// The time since it began.
    pub duration: Duration,
}

/// The observer of a builder, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Observers(Option<Arc<dyn Observer>>);

impl From<Arc<dyn Observer>> for Observers {
    fn from(observer: Arc<dyn Observer>) -> Self {
        Self(Some(observer))
    }
}

impl Observers {
    pub(super) fn new(observer: impl Observer) -> Self {
        Self(Some(Arc::new(observer)))
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn get(&self) -> Option<Arc<dyn Observer>> {
        self.0.clone()
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn refuse_connection(&self) {
        self.0.iter().for_each(|observer| observer.connection_refused());
    }

    pub(super) fn open_connection(&self) -> ObservedConnection {
        self.0.iter().for_each(|observer| observer.connection_opened());
        ObservedConnection(self.0.clone())
    }

    pub(super) fn begin_request(&self) -> ObservedRequest {
        self.0.iter().for_each(|observer| observer.request_began());
        ObservedRequest(self.0.as_ref().map(|observer| Watch::new(Some(observer.clone()))))
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "no observer" })
    }
}

/// A connection whose end will be told, whichever way it comes.
pub(super) struct ObservedConnection(Option<Arc<dyn Observer>>);

impl ObservedConnection {
    pub(super) fn close(&mut self, outcome: &Result<()>) {
        self.0.take().iter().for_each(|observer| observer.connection_closed(Some(outcome)));
    }
}

impl Drop for ObservedConnection {
    fn drop(&mut self) {
        self.0.iter().for_each(|observer| observer.connection_closed(None));
    }
}

/// A live request, whose end will be told and logged, whichever way it comes. Empty if nobody wants to know.
pub(super) struct ObservedRequest(Option<Box<Watch>>);

struct Watch {
    observer: Option<Arc<dyn Observer>>,
    began: Instant,
    span: Span,
    status: Option<StatusCode>,
    is_complete: bool,
}

impl ObservedRequest {
    /// The service is about to be called. The span has no query: it may hold what must not be logged.
    pub(super) fn on_request<B>(&mut self, request: &Request<B>, remote: Option<SocketAddr>) {
        if !are_spans_wanted() {
            return;
        }
        let span = debug_span!(
            "request",
            method = %request.method(),
            path = request.uri().path(),
            remote = remote.map(tracing::field::display),
        );
        if !span.is_disabled() {
            self.0.get_or_insert_with(|| Watch::new(None)).span = span;
        }
    }

    /// The span of the request, if it has one.
    pub(super) fn span(&self) -> Option<&Span> {
        self.0.as_ref().map(|watch| &watch.span).filter(|span| !span.is_disabled())
    }

    pub(super) fn on_head(&mut self, status: StatusCode) {
        if let Some(watch) = &mut self.0 {
            watch.status = Some(status);
        }
    }

    pub(super) fn on_complete(&mut self) {
        if let Some(watch) = &mut self.0 {
            watch.is_complete = true;
        }
    }
}

impl Watch {
    fn new(observer: Option<Arc<dyn Observer>>) -> Box<Self> {
        let began = Instant::now();
        Box::new(Self { observer, began, span: Span::none(), status: None, is_complete: false })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let end = RequestEnd {
            status: self.status,
            is_complete: self.is_complete,
            duration: self.began.elapsed(),
        };
        if !self.span.is_disabled() {
            self.span.in_scope(|| {
                let status = end.status.map(|status| status.as_u16());
                debug!(status, complete = end.is_complete, duration = ?end.duration, "request ended");
            });
        }
        self.observer.iter().for_each(|observer| observer.request_ended(&end));
    }
}
