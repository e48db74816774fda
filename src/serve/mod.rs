mod acceptor;
mod connections;
#[cfg(feature = "http")]
mod http;
#[cfg(not(feature = "http"))]
#[path = "http_absent.rs"]
mod http;
pub mod listener;
mod seats;
mod service;
mod transport;

use std::fmt;
use std::future::{self, Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};

use self::acceptor::Acceptor;
use self::connections::Connections;
use self::http::Mode;
use self::listener::Listener;
use self::seats::Seats;
use crate::server::Builder;

#[cfg(feature = "http")]
pub use self::http::Http;
#[cfg(feature = "gateway")]
pub(crate) use self::http::{Endpoints, Options as HttpOptions};
pub use self::service::SendService;
pub use self::transport::Transport;

/// Serves every connection of `listener` with clones of `service`.
///
/// It is used like `axum::serve`, but takes the service itself: an axum `Router` as it is, or any tower service of HTTP
/// requests that can be cloned. Which client a request came from is in the request (`ConnectInfo` with the feature `axum`, and
/// [`Params`](crate::Params)), so there is no make-service.
///
/// Give an axum router its state, `app.with_state(())` if it has none: it is made complete then, once, and not again for each
/// request. Layers that count (`ConcurrencyLimitLayer`, `LoadShedLayer`) would else count each request alone.
///
/// Awaited, it serves until [`with_graceful_shutdown`](Serve::with_graceful_shutdown) says otherwise, and for ever without it.
/// Failing connections and failures to accept do not end it; they are logged.
///
/// # Examples
///
/// ```no_run
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use tower_fastcgi::Incoming;
/// # #[derive(Clone)]
/// # struct App;
/// # impl tower_service::Service<Request<Incoming>> for App {
/// #     type Response = Response<String>;
/// #     type Error = Infallible;
/// #     type Future = std::future::Ready<Result<Response<String>, Infallible>>;
/// #     fn poll_ready(
/// #         &mut self,
/// #         _: &mut std::task::Context<'_>,
/// #     ) -> std::task::Poll<Result<(), Infallible>> {
/// #         std::task::Poll::Ready(Ok(()))
/// #     }
/// #     fn call(&mut self, _: Request<Incoming>) -> Self::Future {
/// #         std::future::ready(Ok(Response::new("Hello, World!".to_owned())))
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let app = App;
/// let listener = tower_fastcgi::listener::bind("unix:/run/app.sock").await?;
/// tower_fastcgi::serve(listener, app).await
/// # }
/// ```
pub fn serve<L, S>(listener: L, service: S) -> Serve<L, S>
where
    L: Listener,
    S: SendService,
{
    Serve {
        listener,
        service,
        builder: Builder::new().executor(TokioExecutor::new()),
        http: Mode::default(),
        max_connections: None,
        signal: Box::pin(future::pending()),
        shutdown_timeout: SHUTDOWN_TIMEOUT,
    }
}

/// A server that runs when awaited; [`serve`] makes it.
///
/// # Cancel safety
///
/// Dropped, also while it is awaited, it drops the listener and all connections with the requests they serve.
#[must_use = "a server does nothing unless awaited"]
pub struct Serve<L, S> {
    listener: L,
    service: S,
    builder: Builder<TokioExecutor>,
    http: Mode,
    max_connections: Option<usize>,
    signal: Signal,
    shutdown_timeout: Duration,
}

type Signal = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<L: Listener, S> Serve<L, S> {
    /// Shuts down when `signal` resolves; the server then resolves to `Ok` once the last connection has ended.
    ///
    /// Requests that are live are served to their end, so are those of clients who had connected by then, and what a web server
    /// still sends on a connection it keeps. Such a connection is closed when it has been without a request for 200 ms.
    ///
    /// The listener is dropped at once, so that another process can take the address over. From then on the web server is
    /// refused until one does.
    pub fn with_graceful_shutdown<F>(self, signal: F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { signal: Box::pin(signal), ..self }
    }

    /// Sets how long a graceful shutdown may take; then the connections that are left are dropped.
    ///
    /// Default is 30 seconds.
    pub fn with_shutdown_timeout(self, timeout: Duration) -> Self {
        Self { shutdown_timeout: timeout, ..self }
    }

    /// Sets the options of the connections.
    ///
    /// Default is [`Builder::new`]. The executor is replaced by tokio's, and so is the timer if none is set.
    pub fn with_builder<E>(self, builder: Builder<E>) -> Self {
        Self { builder: builder.executor(TokioExecutor::new()), ..self }
    }

    /// Sets how many connections are served at a time.
    ///
    /// There is no limit by default. Web servers keep connections that they may not need, so at the limit a new one is accepted
    /// all the same, and the one that has been without a request for longest is closed for it. If none is idle, accepting stops
    /// until one ends or becomes idle; the system's queue holds the others for so long.
    ///
    /// A connection that is closed so may be sent a request at that very moment, which is then lost unless the web server repeats
    /// it, as nginx does. So the limit should be larger than what the web server keeps (`keepalive` of nginx, `pool-max-conn` of
    /// HAProxy). A new connection counts as busy until its first request, for a second at most, also if it asks for values first.
    ///
    /// There may be one connection more than the limit for the moment that the closing takes. A limit of 0 is taken as 1.
    pub fn with_max_connections(self, connections: usize) -> Self {
        Self { max_connections: Some(connections), ..self }
    }

    /// Serves HTTP/1.1 and HTTP/2 on the same socket: for development, when there is no web server in front of the application.
    ///
    /// A connection whose first byte is a letter speaks HTTP. Its requests carry no [`Params`](crate::Params), for HTTP vouches for
    /// nothing. `ConnectInfo` is the address of the TCP peer, and headers that claim another one are removed as over FastCGI
    /// (`Builder::forwarded`). Of the options of `Builder`, that is the only one that holds: a request's head may have 64 KiB and 128
    /// headers, it may take 30 seconds to arrive, and the client may take no byte of a response for 60 seconds. Observers are not
    /// told of such requests, and connections cannot be upgraded. A request with both Content-Length and Transfer-Encoding is read
    /// as the latter says, and its connection closed behind the response (RFC 9112 section 6.1).
    ///
    /// Not for production: what the application believes of a web server, a client of HTTP cannot say, but nothing else of what a web
    /// server does is done, such as TLS.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(app: axum::Router) -> std::io::Result<()> {
    /// use tower_fastcgi::{Http, listener, serve};
    ///
    /// let listener = listener::bind("127.0.0.1:9000").await?;
    /// serve(listener, app).with_http(Http::loopback()).await
    /// # }
    /// ```
    #[cfg(feature = "http")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http")))]
    pub fn with_http(self, http: Http) -> Self {
        Self { http: Mode::beside(http), ..self }
    }

    /// Serves HTTP alone.
    #[cfg(feature = "gateway")]
    pub(crate) fn with_only_http(self, options: HttpOptions) -> Self {
        Self { http: Mode::Only(options.into()), ..self }
    }

    /// The address that the listener is bound to.
    pub fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

impl<L: Listener, S: SendService> Serve<L, S> {
    async fn run(mut self) -> io::Result<()> {
        self.builder.with_default_timer(TokioTimer::new());
        self.builder.leave_foreign(self.http.is_beside());
        let seats = self.max_connections.map(Seats::new);
        let observers = self.builder.observers().clone();
        let connections = Connections::new(self.builder, self.http, self.service, seats);
        if let Some(observer) = observers.get() {
            self.listener.observe(observer);
        }
        let mut acceptor = Acceptor::new(self.listener, connections);
        tokio::select! {
            biased;
            () = self.signal => {}
            never = acceptor.run() => match never {},
        }
        acceptor.accept_waiting().await;
        acceptor.close().end(self.shutdown_timeout).await;
        Ok(())
    }
}

impl<L: Listener, S: SendService> IntoFuture for Serve<L, S> {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<L: fmt::Debug, S> fmt::Debug for Serve<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("builder", &self.builder)
            .field("max_connections", &self.max_connections)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .finish_non_exhaustive()
    }
}

/// What container runtimes and service managers wait before they kill ranges from 10 (Docker) to 90 seconds (systemd).
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
