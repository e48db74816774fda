use std::sync::Arc;
use std::time::Duration;

use hyper::rt::{Read, Timer, Write};

use super::connection::Connection;
use super::exec::{ExchangeExec, InPlace};
use super::observe::{Observer, Observers};
use super::service::HttpService;
use crate::alarm::{Clock, Timeout};
use crate::cgi::{Forwarded, RequestOptions, UriSource};
use crate::record::Role;

/// Options of FastCGI connections, and the way to serve one.
///
/// The defaults suit a server behind nginx, Caddy, Apache, HAProxy or lighttpd. They are not part of the stable interface: a
/// better value may replace one in any release.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_fastcgi::server::{Builder, Forwarded};
///
/// let mut builder = Builder::new();
/// builder.max_params_size(32 * 1024).forwarded(Forwarded::Keep);
/// # #[cfg(feature = "tokio")]
/// builder.timer(hyper_util::rt::TokioTimer::new()).write_timeout(Duration::from_secs(20));
/// ```
#[derive(Clone, Debug)]
pub struct Builder<E = InPlace> {
    exec: E,
    /// Shared with the connections, which it does not change.
    config: Arc<Config>,
}

/// The options as a connection reads them.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) clock: Clock,
    pub(super) observers: Observers,
    pub(super) half_close: bool,
    /// Whether a connection that does not begin with a record is left to others.
    pub(super) leaves_foreign: bool,
    pub(super) date: bool,
    pub(super) max_params_size: usize,
    pub(super) max_requests: usize,
    pub(super) multiplexing: bool,
    pub(super) request: RequestOptions,
    pub(super) roles: Vec<Role>,
    pub(super) params_timeout: Timeout,
    pub(super) authorizer_timeout: Timeout,
    pub(super) write_timeout: Timeout,
    pub(super) stall_timeout: Timeout,
    pub(super) idle_timeout: Timeout,
    pub(super) drain_timeout: Timeout,
    pub(super) drain_limit: Timeout,
    pub(super) max_body_buf_size: usize,
    pub(super) max_send_buf_size: usize,
    pub(super) max_control_buf_size: usize,
    pub(super) stderr: Option<usize>,
}

impl Builder<InPlace> {
    /// The default options, without a timer.
    pub fn new() -> Self {
        Self { exec: InPlace, config: Arc::default() }
    }
}

impl Default for Builder<InPlace> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Builder<E> {
    /// Sets the timer that all timeouts need.
    ///
    /// None is set by default, and then the default timeouts are off. [`serve`](crate::serve()) sets tokio's.
    pub fn timer<M>(&mut self, timer: M) -> &mut Self
    where
        M: Timer + Send + Sync + 'static,
    {
        self.change().clock = Clock::new(timer);
        self
    }

    /// Sets where the requests of multiplexed connections run.
    ///
    /// A connection is multiplexed once two requests were live on it at a time. From then on each further request becomes a
    /// task, unless it is answered in full when it is polled for the first time: that happens on the connection's own task, for a
    /// task of its own would cost more than what most handlers do. So that one busy handler does not hold up its siblings for long,
    /// requests become tasks without that poll once one took 50 microseconds: the next 64, and up to 4096 if that happens again and
    /// again. So does the rest of what one read brought once those before it took 250 microseconds together. A handler must not
    /// block its thread to wait for another request of the same connection.
    ///
    /// By default all requests stay on the connection's own task ([`InPlace`]). [`serve`](crate::serve()) sets tokio's executor.
    ///
    /// A request that is canceled is dropped at once where it runs in place, and at its next poll, for which it is woken, where
    /// it is a task.
    pub fn executor<E2>(self, executor: E2) -> Builder<E2> {
        Builder { exec: executor, config: self.config }
    }

    /// Sets who is told what happens on the connections.
    ///
    /// Nobody by default.
    pub fn observer(&mut self, observer: impl Observer) -> &mut Self {
        self.change().observers = Observers::new(observer);
        self
    }

    /// Sets whether requests go on after the web server has shut its sending half down.
    ///
    /// Default is `false`: the web servers signal by closing the connection that the client is gone, so an end of input drops
    /// every request of the connection at once. nginx and HAProxy do it within 100 ms.
    pub fn half_close(&mut self, half_close: bool) -> &mut Self {
        self.change().half_close = half_close;
        self
    }

    /// Sets whether a `Date` header is added to responses that have none.
    ///
    /// Default is `true`, since HAProxy adds none.
    pub fn auto_date_header(&mut self, enabled: bool) -> &mut Self {
        self.change().date = enabled;
        self
    }

    /// Sets how many bytes of FCGI_PARAMS a request may have; more is answered with status 431.
    ///
    /// Default is 128 KiB, twice the largest head any surveyed web server passes on by default.
    pub fn max_params_size(&mut self, bytes: usize) -> &mut Self {
        self.change().max_params_size = bytes;
        self
    }

    /// Sets how many params, headers included, a request may have; more is answered with status 431.
    ///
    /// Default is 512.
    pub fn max_params(&mut self, pairs: usize) -> &mut Self {
        self.change().request.max_params = pairs;
        self
    }

    /// Sets how many requests a connection serves at a time; a further one is answered with status 503.
    ///
    /// Default is 100. It is told to web servers that ask (FCGI_MAX_REQS) when [`multiplexing`](Self::multiplexing) is on. A
    /// limit of 0 is taken as 1.
    pub fn max_requests(&mut self, requests: usize) -> &mut Self {
        self.change().max_requests = requests.max(1);
        self
    }

    /// Sets what FCGI_MPXS_CONNS says to a web server that asks: whether to multiplex requests on a connection.
    ///
    /// Default is `false`, for FastCGI has no flow control: on HAProxy's multiplexed connections one client that does not read
    /// stalls all others. A web server that multiplexes unasked is served all the same.
    pub fn multiplexing(&mut self, enabled: bool) -> &mut Self {
        self.change().multiplexing = enabled;
        self
    }

    /// Sets what happens to the headers that claim the client's address: `X-Forwarded-For` and its kin.
    ///
    /// Default is [`Forwarded::Remove`].
    pub fn forwarded(&mut self, forwarded: Forwarded) -> &mut Self {
        self.change().request.forwarded = forwarded;
        self
    }

    /// Sets which params the request's URI is taken from.
    ///
    /// Default is [`UriSource::RequestUri`]. [`UriSource::Mounted`] strips the path at which the web server mounts the application.
    pub fn uri_source(&mut self, source: UriSource) -> &mut Self {
        self.change().request.uri_source = source;
        self
    }

    /// Sets the roles that are served; a request of another is refused with FCGI_UNKNOWN_ROLE, and one of [`Role::Authorizer`] besides that
    /// answered with status 500, without which lighttpd would let the request pass that it asks about.
    ///
    /// Default is [`Role::Responder`] alone. [`roles`](crate::roles) tells what a service gets and answers in the others.
    pub fn roles(&mut self, roles: impl IntoIterator<Item = Role>) -> &mut Self {
        self.change().roles = roles.into_iter().collect();
        self
    }

    /// Sets how long a request's FCGI_PARAMS may take, from its beginning; then it is answered with status 408.
    ///
    /// Default is 30 seconds. The time begins anew when the connection had stopped reading because of
    /// [`max_body_buf_size`](Self::max_body_buf_size).
    pub fn params_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.change().params_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long a request of [`Role::Authorizer`] may take, from the end of its params to the head of the response; then it is
    /// denied with status 503, and its handler dropped.
    ///
    /// Default is 10 seconds with a [`timer`](Self::timer), else none. Apache waits for 30 and then denies with status 500.
    pub fn authorizer_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.change().authorizer_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long the web server may accept no byte of what is to be written; then the connection is dropped.
    ///
    /// Default is 60 seconds. It also ends what bounded memory cannot serve: a response larger than all buffers to a web server
    /// that writes the whole request before it reads, as Caddy does.
    pub fn write_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.change().write_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long a multiplexed connection waits for its bodies to be read once
    /// [`max_body_buf_size`](Self::max_body_buf_size) is reached; then bodies fail, those with the most unread bytes first, until
    /// half of it is free.
    ///
    /// Default is 30 seconds. A connection with one request at a time waits as long as its handler does, but that of a Filter, which may wait
    /// for the other of [its two streams](crate::roles::FilterData).
    pub fn stall_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.change().stall_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long a connection may have no request, and no answer left to write, before it is closed.
    ///
    /// Default is `None`: a request may be under way while the connection is being closed, and HAProxy does not repeat it.
    pub fn idle_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.change().idle_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long a closing connection waits for more input before it gives up the wait for the web server's own close.
    ///
    /// Default is 5 seconds. The input is read and dropped until then, however much it is: a close with unread input resets the
    /// connection, which can cost the web server the end of the answer.
    pub fn drain_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.change().drain_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long a closing connection waits in all, for the web server's own close and before that for requests that
    /// still run beside a failed one.
    ///
    /// Default is 30 seconds.
    pub fn drain_limit(&mut self, limit: impl Into<Option<Duration>>) -> &mut Self {
        self.change().drain_limit = Timeout::new(limit);
        self
    }

    /// Sets how many bytes of request bodies a connection holds unread; at that many it stops reading.
    ///
    /// Default is 256 KiB. What one read brings, 64 KiB at most, may come on top. A limit of 0 is taken as 1.
    pub fn max_body_buf_size(&mut self, bytes: usize) -> &mut Self {
        self.change().max_body_buf_size = bytes.max(1);
        self
    }

    /// Sets how many bytes may wait to be written before response bodies are not polled any more.
    ///
    /// Default is 128 KiB. A part of one frame of a body, 17 records or 1.1 MiB at most, may come on top; it is the service's own memory, not a
    /// copy. A limit of 0 is taken as 1.
    pub fn max_send_buf_size(&mut self, bytes: usize) -> &mut Self {
        self.change().max_send_buf_size = bytes.max(1);
        self
    }

    /// Sets how many bytes of answers that no service made (to FCGI_GET_VALUES, refused and aborted requests) may wait to be
    /// written before the connection stops reading.
    ///
    /// Default is 16 KiB. One answer may come on top, and the rest of the last read, 64 KiB at most, waits in memory. A limit of
    /// 0 is taken as 1.
    pub fn max_control_buf_size(&mut self, bytes: usize) -> &mut Self {
        self.change().max_control_buf_size = bytes.max(1);
        self
    }

    /// Sets how many bytes each request may write to the web server's error log, with the [`Stderr`](super::Stderr) in its
    /// extensions.
    ///
    /// Default is `None`: requests have no `Stderr`, and no FCGI_STDERR is ever written. HAProxy 2.6 crashes when it gets some, at
    /// times on one line and always above 64 KiB, so keep it off behind that.
    pub fn stderr(&mut self, bytes: impl Into<Option<usize>>) -> &mut Self {
        self.change().stderr = bytes.into();
        self
    }

    /// Serves the requests of one connection with clones of `service`.
    ///
    /// # Panics
    ///
    /// If a timeout was set, but no [`timer`](Self::timer).
    pub fn serve_connection<I, S>(&self, io: I, service: S) -> Connection<I, S, E>
    where
        I: Read + Write + Unpin,
        S: HttpService,
        E: ExchangeExec<S> + Clone,
    {
        self.config.check();
        Connection::new(io, service, self.exec.clone(), self.config.clone())
    }

    fn change(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.config)
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn observers(&self) -> &Observers {
        &self.config.observers
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn leave_foreign(&mut self, leaves_foreign: bool) {
        self.change().leaves_foreign = leaves_foreign;
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn forwarded_policy(&self) -> Forwarded {
        self.config.request.forwarded
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn with_default_timer<M>(&mut self, timer: M) -> &mut Self
    where
        M: Timer + Send + Sync + 'static,
    {
        if !self.config.clock.is_set() {
            self.timer(timer);
        }
        self
    }
}

impl Config {
    fn check(&self) {
        let timeouts = [
            self.params_timeout,
            self.authorizer_timeout,
            self.write_timeout,
            self.stall_timeout,
            self.idle_timeout,
            self.drain_timeout,
            self.drain_limit,
        ];
        self.clock.assert_suffices(&timeouts);
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            observers: Observers::default(),
            half_close: false,
            leaves_foreign: false,
            date: true,
            max_params_size: 128 * 1024,
            max_requests: 100,
            multiplexing: false,
            request: RequestOptions {
                forwarded: Forwarded::Remove,
                uri_source: UriSource::RequestUri,
                max_params: 512,
            },
            roles: vec![Role::Responder],
            params_timeout: Timeout::Default(Duration::from_secs(30)),
            authorizer_timeout: Timeout::Default(Duration::from_secs(10)),
            write_timeout: Timeout::Default(Duration::from_secs(60)),
            stall_timeout: Timeout::Default(Duration::from_secs(30)),
            idle_timeout: Timeout::Off,
            drain_timeout: Timeout::Default(Duration::from_secs(5)),
            drain_limit: Timeout::Default(Duration::from_secs(30)),
            max_body_buf_size: 256 * 1024,
            max_send_buf_size: 128 * 1024,
            max_control_buf_size: 16 * 1024,
            stderr: None,
        }
    }
}
