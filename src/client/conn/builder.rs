use std::sync::Arc;
use std::time::Duration;

use http_body::Body;
use hyper::rt::{Read, Timer, Write};

use super::connection::Connection;
use super::send_request::SendRequest;
use super::values::{self, Values};
use crate::alarm::{Clock, Timeout};
use crate::cgi::{Environment, HeadLimits};
use crate::client::Stderr;
use crate::codec::RecordReader;
use crate::error::{BoxError, Result};

/// Options of connections to applications, and the way to make one.
///
/// The defaults are not part of the stable interface: a better value may replace one in any release.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_fastcgi::client::conn::Builder;
///
/// let mut builder = Builder::new();
/// builder.max_head_size(16 * 1024);
/// # #[cfg(feature = "tokio")]
/// builder.timer(hyper_util::rt::TokioTimer::new()).head_timeout(Duration::from_secs(300));
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    pub(in crate::client) config: Config,
}

/// The options as a connection reads them.
#[derive(Clone, Debug)]
pub(in crate::client) struct Config {
    pub(super) clock: Clock,
    pub(super) environment: Arc<Environment>,
    pub(super) stderr: Stderr,
    pub(super) keep_conn: bool,
    pub(super) length_required: bool,
    pub(in crate::client) max_requests: usize,
    pub(super) max_params_size: usize,
    pub(super) head: HeadLimits,
    pub(super) max_body_buf_size: usize,
    pub(super) max_send_buf_size: usize,
    pub(super) values_timeout: Timeout,
    pub(super) send_timeout: Timeout,
    pub(super) head_timeout: Timeout,
    pub(super) body_timeout: Timeout,
    pub(super) stall_timeout: Timeout,
    pub(super) abort_timeout: Timeout,
    pub(super) idle_timeout: Timeout,
}

impl Builder {
    /// The default options, without a timer.
    pub fn new() -> Self {
        Self { config: Config::default() }
    }

    /// Sets the timer that all timeouts need.
    ///
    /// None is set by default, and then the default timeouts are off. [`Client`](crate::client::Client) sets tokio's.
    pub fn timer<M>(&mut self, timer: M) -> &mut Self
    where
        M: Timer + Send + Sync + 'static,
    {
        self.config.clock = Clock::new(timer);
        self
    }

    /// Sets what is said about all requests.
    pub fn environment(&mut self, environment: Environment) -> &mut Self {
        self.config.environment = Arc::new(environment);
        self
    }

    /// Sets where the text goes that applications write to FCGI_STDERR.
    ///
    /// Default is [`Stderr::log`].
    pub fn stderr(&mut self, stderr: Stderr) -> &mut Self {
        self.config.stderr = stderr;
        self
    }

    /// Sets whether the application is asked to keep the connection open (FCGI_KEEP_CONN).
    ///
    /// Default is `true`. Otherwise the connection takes one request.
    pub fn keep_conn(&mut self, keep_conn: bool) -> &mut Self {
        self.config.keep_conn = keep_conn;
        self
    }

    /// Sets whether a request whose body's length is not known is refused ([`Error::is_length_required`]).
    ///
    /// Default is `false`: the body is streamed without a CONTENT_LENGTH. PHP takes it for empty.
    ///
    /// [`Error::is_length_required`]: crate::Error::is_length_required
    pub fn length_required(&mut self, required: bool) -> &mut Self {
        self.config.length_required = required;
        self
    }

    /// Sets how many requests there may be on the connection at a time.
    ///
    /// Default is 1. With more, [`handshake`](Self::handshake) asks the application with FCGI_GET_VALUES, and the connection
    /// carries one request at a time unless FCGI_MPXS_CONNS is 1, and no more than FCGI_MAX_REQS. FastCGI has no flow control: a
    /// response that is not read stalls the others on its connection.
    pub fn max_requests(&mut self, requests: usize) -> &mut Self {
        self.config.max_requests = requests.clamp(1, usize::from(u16::MAX));
        self
    }

    /// Sets how many bytes of params a request may have; more is an error.
    ///
    /// Default is 128 KiB.
    pub fn max_params_size(&mut self, bytes: usize) -> &mut Self {
        self.config.max_params_size = bytes;
        self
    }

    /// Sets how many bytes the head of a response may have; more is an error.
    ///
    /// Default is 64 KiB.
    pub fn max_head_size(&mut self, bytes: usize) -> &mut Self {
        self.config.head.size = bytes;
        self
    }

    /// Sets how many headers a response may have; more is an error.
    ///
    /// Default is 128.
    pub fn max_headers(&mut self, headers: usize) -> &mut Self {
        self.config.head.headers = headers;
        self
    }

    /// Sets how many bytes of response bodies a connection holds unread; at that many it stops reading.
    ///
    /// Default is 256 KiB. What one read brings, 64 KiB at most, may come on top. A limit of 0 is taken as 1.
    pub fn max_body_buf_size(&mut self, bytes: usize) -> &mut Self {
        self.config.max_body_buf_size = bytes.max(1);
        self
    }

    /// Sets how many bytes may wait to be written before request bodies are not polled any more.
    ///
    /// Default is 128 KiB. A part of one frame of a body, 512 KiB at most, may come on top. A limit of 0 is taken as 1.
    pub fn max_send_buf_size(&mut self, bytes: usize) -> &mut Self {
        self.config.max_send_buf_size = bytes.max(1);
        self
    }

    /// Sets how long the application may take to answer FCGI_GET_VALUES; then the connection carries one request at a time.
    ///
    /// Default is 1 second. libfcgi never answers.
    pub fn values_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.config.values_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long the application may accept no byte of what is to be written; then the connection is given up.
    ///
    /// Default is 60 seconds.
    pub fn send_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.config.send_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long the head of a response may take once the request has been sent; then the request is aborted.
    ///
    /// Default is 60 seconds.
    pub fn head_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.config.head_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long no byte of a response's body may come while there is room for it; then the request is aborted.
    ///
    /// Default is 60 seconds.
    pub fn body_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.config.body_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long several requests of a connection wait for response bodies to be read once
    /// [`max_body_buf_size`](Self::max_body_buf_size) is reached; then bodies fail, those with the most unread bytes first, until
    /// half of it is free.
    ///
    /// Default is 30 seconds. A connection with one request waits as long as it takes.
    pub fn stall_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.config.stall_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long an aborted request, or one whose response is whole, may take to end; then the connection takes no more
    /// requests, and closes when the others have ended.
    ///
    /// Default is 1 second. Few applications heed FCGI_ABORT_REQUEST: most notice a closed connection when they write.
    pub fn abort_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.config.abort_timeout = Timeout::new(timeout);
        self
    }

    /// Sets how long the connection may have no request before it closes.
    ///
    /// Default is `None`. [`Client`](crate::client::Client) has a default of its own.
    pub fn idle_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.config.idle_timeout = Timeout::new(timeout);
        self
    }

    /// Makes a connection of a transport.
    ///
    /// Nothing is sent, unless [`max_requests`](Self::max_requests) is more than 1: then the future asks the application for its
    /// values and waits for the answer.
    ///
    /// # Errors
    ///
    /// None if `max_requests` is 1. Else [`Error::is_closed`](crate::Error::is_closed) when the application closes the connection
    /// instead of answering; connect again then, and with `max_requests` left at 1. Also [`Error::is_io`](crate::Error::is_io) and
    /// [`Error::is_protocol`](crate::Error::is_protocol). php-fpm before 8.2.13 closes the connection even behind its answer.
    ///
    /// # Panics
    ///
    /// If a timeout was set, but no [`timer`](Self::timer).
    pub async fn handshake<I, B>(&self, mut io: I) -> Result<(SendRequest<B>, Connection<I, B>)>
    where
        I: Read + Write + Unpin,
        B: Body<Error: Into<BoxError>>,
    {
        self.config.check();
        let (values, reader) = match self.config.max_requests {
            1 => (None, RecordReader::default()),
            _ => values::ask(&mut io, &self.config).await?,
        };
        Ok(self.connect_with(io, reader, values))
    }

    /// Makes a connection to an application whose values are known already.
    #[cfg(feature = "tokio")]
    pub(in crate::client) fn connect<I, B>(
        &self,
        io: I,
        values: Option<Values>,
    ) -> (SendRequest<B>, Connection<I, B>)
    where
        I: Read + Write + Unpin,
        B: Body<Error: Into<BoxError>>,
    {
        self.config.check();
        self.connect_with(io, RecordReader::default(), values)
    }

    fn connect_with<I, B>(
        &self,
        io: I,
        reader: RecordReader,
        values: Option<Values>,
    ) -> (SendRequest<B>, Connection<I, B>)
    where
        I: Read + Write + Unpin,
        B: Body<Error: Into<BoxError>>,
    {
        let connection = Connection::new(io, reader, Arc::new(self.config.clone()), values);
        (connection.handle(), connection)
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    fn check(&self) {
        self.clock.assert_suffices(&[
            self.values_timeout,
            self.send_timeout,
            self.head_timeout,
            self.body_timeout,
            self.stall_timeout,
            self.abort_timeout,
            self.idle_timeout,
        ]);
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            environment: Arc::default(),
            stderr: Stderr::default(),
            keep_conn: true,
            length_required: false,
            max_requests: 1,
            max_params_size: 128 * 1024,
            head: HeadLimits { size: 64 * 1024, headers: 128 },
            max_body_buf_size: 256 * 1024,
            max_send_buf_size: 128 * 1024,
            values_timeout: Timeout::Default(Duration::from_secs(1)),
            send_timeout: Timeout::Default(Duration::from_secs(60)),
            head_timeout: Timeout::Default(Duration::from_secs(60)),
            body_timeout: Timeout::Default(Duration::from_secs(60)),
            stall_timeout: Timeout::Default(Duration::from_secs(30)),
            abort_timeout: Timeout::Default(Duration::from_secs(1)),
            idle_timeout: Timeout::Off,
        }
    }
}
