use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use crate::serve::listener::Listener;
use crate::serve::{self, HttpOptions, SendService};

/// Serves HTTP/1.1 and HTTP/2 (with prior knowledge, told apart by its preface) on every connection of `listener` with clones of
/// `service`: a [`Gateway`](super::Gateway), or one with layers around it.
///
/// It has the look of [`serve`](crate::serve()). Awaited, it serves until
/// [`with_graceful_shutdown`](Serve::with_graceful_shutdown) says otherwise, and for ever without it. For development: there is no TLS.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> std::io::Result<()> {
/// use tower_fastcgi::gateway::{self, Gateway};
/// use tower_fastcgi::listener;
///
/// let listener = listener::bind("127.0.0.1:8080").await?;
/// gateway::serve(listener, Gateway::new("unix:/run/app.sock")?)
///     .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
///     .await
/// # }
/// ```
pub fn serve<L, S>(listener: L, service: S) -> Serve<L, S>
where
    L: Listener,
    S: SendService,
{
    let serve = serve::serve(listener, service).with_max_connections(MAX_CONNECTIONS);
    Serve { serve, options: HttpOptions::default() }
}

/// A server that runs when awaited; [`serve`] makes it.
///
/// # Cancel safety
///
/// Dropped, also while it is awaited, it drops the listener and all connections with the requests they serve.
#[must_use = "a server does nothing unless awaited"]
pub struct Serve<L, S> {
    serve: serve::Serve<L, S>,
    options: HttpOptions,
}

impl<L: Listener, S> Serve<L, S> {
    /// Shuts down when `signal` resolves; the server then resolves to `Ok` once the last connection has ended.
    ///
    /// Requests that are live are served to their end. Connections without one are closed at once, and the listener is.
    pub fn with_graceful_shutdown<F>(self, signal: F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { serve: self.serve.with_graceful_shutdown(signal), ..self }
    }

    /// Sets how long a graceful shutdown may take; then the connections that are left are dropped.
    ///
    /// Default is 30 seconds.
    pub fn with_shutdown_timeout(self, timeout: Duration) -> Self {
        Self { serve: self.serve.with_shutdown_timeout(timeout), ..self }
    }

    /// Sets how many connections are served at a time.
    ///
    /// Default is 1024. At the limit the one that has been without a request for longest is closed for a new one; if all have one,
    /// accepting stops until one ends. A limit of 0 is taken as 1.
    pub fn with_max_connections(self, connections: usize) -> Self {
        Self { serve: self.serve.with_max_connections(connections), ..self }
    }

    /// Sets how long a connection may take to bring the head of a request, the time without one included; then it is closed.
    ///
    /// Default is 30 seconds.
    pub fn with_header_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.header_timeout = timeout.into();
        self
    }

    /// Sets how long a client may take no byte of a response that is there; then the connection is cut.
    ///
    /// Default is 60 seconds. Over HTTP/2 it is the connection that is looked at: of one that goes on otherwise, a single stream may
    /// stand still for longer.
    pub fn with_send_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.send_timeout = timeout.into();
        self
    }

    /// Sets how many bytes the head of a request may have; a larger one is answered with 431.
    ///
    /// Default is 64 KiB. HTTP/1.1 has 8 KiB at least.
    pub fn with_max_header_size(mut self, bytes: usize) -> Self {
        self.options.max_header_size = bytes;
        self
    }

    /// Sets how many headers a request over HTTP/1.1 may have; one with more is answered with 431.
    ///
    /// Default is 128.
    pub fn with_max_headers(mut self, headers: usize) -> Self {
        self.options.max_headers = headers;
        self
    }

    /// The address that the listener is bound to.
    pub fn local_addr(&self) -> io::Result<L::Addr> {
        self.serve.local_addr()
    }
}

impl<L: Listener, S: SendService> IntoFuture for Serve<L, S> {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        self.serve.with_only_http(self.options).into_future()
    }
}

impl<L: fmt::Debug, S> fmt::Debug for Serve<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("serve", &self.serve)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

const MAX_CONNECTIONS: usize = 1024;
