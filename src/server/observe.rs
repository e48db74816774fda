use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, StatusCode};

use crate::error::Result;
use crate::trace::{Span, debug, debug_span};

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
    /// The status of its response, if the head of one was written; refusals and failures that this crate answers included.
    pub status: Option<StatusCode>,
    /// Whether its response was written in full. What the transport still holds of it counts as written.
    pub is_complete: bool,
    /// The time since it began.
    pub duration: Duration,
}

/// The observer of a builder, if it has one.
#[derive(Clone, Default)]
pub(super) struct Observers(Option<Arc<dyn Observer>>);

impl Observers {
    pub(super) fn new(observer: impl Observer) -> Self {
        Self(Some(Arc::new(observer)))
    }

    pub(super) fn open_connection(&self) -> ObservedConnection {
        self.0.iter().for_each(|observer| observer.connection_opened());
        ObservedConnection(self.0.clone())
    }

    pub(super) fn begin_request(&self) -> ObservedRequest {
        self.0.iter().for_each(|observer| observer.request_began());
        ObservedRequest {
            observer: self.0.clone(),
            began: self.0.is_some().then(Instant::now),
            span: Span::none(),
            status: None,
            is_complete: false,
        }
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

/// A live request, whose end will be told and logged, whichever way it comes.
pub(super) struct ObservedRequest {
    observer: Option<Arc<dyn Observer>>,
    /// Kept if anybody wants to know.
    began: Option<Instant>,
    span: Span,
    status: Option<StatusCode>,
    is_complete: bool,
}

impl ObservedRequest {
    /// The service is about to be called. The span has no query: it may hold what must not be logged.
    pub(super) fn on_request<B>(&mut self, request: &Request<B>, remote: Option<SocketAddr>) {
        self.span = debug_span!(
            "request",
            method = %request.method(),
            path = request.uri().path(),
            remote = remote.map(tracing::field::display),
        );
        if !self.span.is_disabled() {
            self.began.get_or_insert_with(Instant::now);
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn on_head(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    pub(super) fn on_complete(&mut self) {
        self.is_complete = true;
    }
}

impl Drop for ObservedRequest {
    fn drop(&mut self) {
        let Some(began) = self.began else { return };
        let end = RequestEnd {
            status: self.status,
            is_complete: self.is_complete,
            duration: began.elapsed(),
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
