use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper_util::rt::TokioTimer;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::ResponseBody;
use super::conn::{self, TrySendError};
use super::connect::{Address, Connect};
use super::pool::{Options, Pool};
use super::stderr::Stderr;
use crate::cgi::Environment;
use crate::error::{BoxError, Error, Failure, Result};
use crate::record::ProtocolStatus;

/// Sends requests to one FastCGI application, on tokio, over connections that it keeps.
///
/// It is a tower `Service` of HTTP requests, always ready, and cheap to clone; clones share the connections.
///
/// A request waits while there are [`max_connections`](Builder::max_connections) and all are busy. It is sent again on another
/// connection if nothing was sent, because a kept connection had been closed, and once if the application refused it before it
/// read it (FCGI_OVERLOADED, FCGI_CANT_MPX_CONN) and its body was not touched; and in no other case.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_fastcgi::client::Client;
///
/// let client = Client::new("127.0.0.1:9000")?;
/// let response = client.send(http::Request::get("/").body(String::new())?).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future of a response, or its body, aborts the request.
pub struct Client<B, C = Address> {
    pool: Arc<Pool<C, Outgoing<B>>>,
    unknown_length: UnknownLength,
}

/// What to do with a body whose length is not known before it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownLength {
    /// Gather it first, up to so many bytes; a larger one is an error ([`Error::is_too_large`]).
    Buffer(usize),
    /// Do not send it: an error ([`Error::is_length_required`]).
    Refuse,
    /// Send it as it comes, without CONTENT_LENGTH. PHP takes it for empty.
    Stream,
}

/// Options of a [`Client`].
///
/// The defaults are not part of the stable interface: a better value may replace one in any release.
#[derive(Clone, Debug)]
pub struct Builder {
    options: Options,
    unknown_length: UnknownLength,
}

impl<B> Client<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    /// A client of the application at `address` with the default options; see [`Address`].
    ///
    /// # Errors
    ///
    /// When `address` is none. Nothing is connected yet.
    pub fn new(address: &str) -> io::Result<Self> {
        Builder::new().build(address)
    }
}

impl Client<Bytes> {
    /// The options, to be set before the client is made. It may be one of any body.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<B, C> Client<B, C>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    C: Connect,
{
    /// Sends a request and waits for the head of the response.
    ///
    /// # Errors
    ///
    /// What the questions of [`Error`] tell: it could not connect ([`Error::is_connect`]), something took too long
    /// ([`Error::is_timeout`]), the request cannot be sent ([`Error::is_user`]), the application refused it ([`Error::refusal`]),
    /// did not keep to the rules ([`Error::is_protocol`]), or closed the connection ([`Error::is_incomplete`],
    /// [`Error::is_io`], [`Error::is_closed`]).
    pub fn send(&self, request: Request<B>) -> ResponseFuture {
        let (pool, unknown_length) = (self.pool.clone(), self.unknown_length);
        ResponseFuture(Box::pin(async move {
            let request = prepare(request, unknown_length).await?;
            try_send(&pool, request).await.map_err(TrySendError::into_error)
        }))
    }

    /// Makes a request ready for [`try_send`](Self::try_send) of this client and of others.
    #[cfg(feature = "gateway")]
    pub(crate) async fn prepare(&self, request: Request<B>) -> Result<Request<Outgoing<B>>> {
        prepare(request, self.unknown_length).await
    }

    /// Sends a request, and gives it back if nothing was done with it.
    #[cfg(feature = "gateway")]
    pub(crate) async fn try_send(
        &self,
        request: Request<Outgoing<B>>,
    ) -> std::result::Result<Response<ResponseBody>, TrySendError<Request<Outgoing<B>>>> {
        try_send(&self.pool, request).await
    }
}

async fn prepare<B>(
    request: Request<B>,
    unknown_length: UnknownLength,
) -> Result<Request<Outgoing<B>>>
where
    B: Body<Error: Into<BoxError>>,
{
    let (parts, body) = request.into_parts();
    let is_known = body.is_end_stream()
        || body.size_hint().exact().is_some()
        || parts.headers.contains_key(http::header::CONTENT_LENGTH);
    let body = match unknown_length {
        UnknownLength::Buffer(limit) if !is_known => {
            Outgoing::Gathered { data: gather(body, limit).await? }
        }
        _ => Outgoing::Streamed { body },
    };
    Ok(Request::from_parts(parts, body))
}

async fn gather<B>(body: B, limit: usize) -> Result<Bytes>
where
    B: Body<Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    let mut gathered = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| Error::client(Failure::Body).with(error))?;
        let Ok(mut data) = frame.into_data() else { continue };
        if data.remaining() > limit - gathered.len() {
            return Err(Error::client(Failure::BodyTooLarge));
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            let len = chunk.len();
            gathered.extend_from_slice(chunk);
            data.advance(len);
        }
    }
    Ok(gathered.freeze())
}

async fn try_send<B, C>(
    pool: &Arc<Pool<C, Outgoing<B>>>,
    mut request: Request<Outgoing<B>>,
) -> std::result::Result<Response<ResponseBody>, TrySendError<Request<Outgoing<B>>>>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    C: Connect,
{
    let mut may_be_refused = true;
    loop {
        let mut lease = match pool.checkout().await {
            Ok(lease) => lease,
            Err(error) => return Err(TrySendError::new(error, Some(Box::new(request)))),
        };
        let mut failed = match lease.send.try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        if failed.error().refusal() == Some(ProtocolStatus::CantMpxConn) {
            pool.never_multiplex();
            lease.send.close();
        }
        let may_retry = match failed.error().refusal() {
            Some(ProtocolStatus::CantMpxConn | ProtocolStatus::Overloaded) => {
                std::mem::take(&mut may_be_refused)
            }
            _ => failed.error().is_closed() && lease.is_reused,
        };
        match failed.take_message() {
            Some(again) if may_retry => request = again,
            message => {
                return Err(TrySendError::new(failed.into_error(), message.map(Box::new)));
            }
        }
    }
}

impl<B, C> Service<Request<B>> for Client<B, C>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    C: Connect,
{
    type Response = Response<ResponseBody>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        self.send(request)
    }
}

impl<B, C> Clone for Client<B, C> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), unknown_length: self.unknown_length }
    }
}

impl<B, C> fmt::Debug for Client<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The response to a request of a [`Client`].
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Result<Response<ResponseBody>>> + Send>>);

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl Builder {
    /// The default options.
    pub fn new() -> Self {
        let mut conn = conn::Builder::new();
        conn.timer(TokioTimer::new()).idle_timeout(IDLE_TIMEOUT);
        let options = Options {
            conn,
            connect_timeout: Some(CONNECT_TIMEOUT),
            max_connections: MAX_CONNECTIONS,
            max_idle: MAX_IDLE,
        };
        Self { options, unknown_length: UnknownLength::Buffer(MAX_BUFFERED) }
    }

    /// Sets what is said about all requests.
    pub fn environment(&mut self, environment: Environment) -> &mut Self {
        self.options.conn.environment(environment);
        self
    }

    /// Sets where the text goes that the application writes to FCGI_STDERR.
    ///
    /// Default is [`Stderr::log`].
    pub fn stderr(&mut self, stderr: Stderr) -> &mut Self {
        self.options.conn.stderr(stderr);
        self
    }

    /// The options of the connections: limits of what is sent and received, and timeouts.
    ///
    /// Other than there, `idle_timeout` is 10 seconds by default, and tokio's timer is set.
    pub fn conn(&mut self) -> &mut conn::Builder {
        &mut self.options.conn
    }

    /// Sets what to do with a body whose length is not known.
    ///
    /// Default is to buffer up to 1 MiB, which every application can read.
    pub fn unknown_length(&mut self, unknown_length: UnknownLength) -> &mut Self {
        self.unknown_length = unknown_length;
        self.options.conn.length_required(unknown_length == UnknownLength::Refuse);
        self
    }

    /// Sets how long a request may wait for a connection: one that becomes free, or a new one.
    ///
    /// Default is 10 seconds.
    pub fn connect_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.options.connect_timeout = timeout.into();
        self
    }

    /// Sets how many connections there may be at a time; further requests wait.
    ///
    /// Default is 128. A limit of 0 is taken as 1.
    pub fn max_connections(&mut self, connections: usize) -> &mut Self {
        self.options.max_connections = connections.max(1);
        self
    }

    /// Sets how many connections are kept without a request.
    ///
    /// Default is 16. A php-fpm process serves one connection for as long as that is open: with as many kept as there are
    /// processes, nobody else is served.
    pub fn max_idle(&mut self, connections: usize) -> &mut Self {
        self.options.max_idle = connections;
        self
    }

    /// Makes a client of the application at `address`; see [`Address`].
    ///
    /// # Errors
    ///
    /// When `address` is none. Nothing is connected yet.
    ///
    /// # Panics
    ///
    /// As [`build_with`](Self::build_with).
    pub fn build<B>(&self, address: &str) -> io::Result<Client<B>>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        Ok(self.build_with(address.parse::<Address>()?))
    }

    /// Makes a client of the application that `connector` connects to.
    pub fn build_with<B, C>(&self, connector: C) -> Client<B, C>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
        C: Connect,
    {
        let pool = Pool::new(connector, self.options.clone());
        Client { pool, unknown_length: self.unknown_length }
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

pin_project! {
    /// A body as it goes to a connection.
    #[project = OutgoingProj]
    pub(crate) enum Outgoing<B> {
        Streamed { #[pin] body: B },
        Gathered { data: Bytes },
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for Outgoing<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match self.project() {
            OutgoingProj::Streamed { body } => {
                ready!(body.poll_frame(cx)).map(|frame| match frame {
                    Ok(frame) => {
                        Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
                    }
                    Err(error) => Err(error.into()),
                })
            }
            OutgoingProj::Gathered { data } => {
                let data = std::mem::take(data);
                (!data.is_empty()).then(|| Ok(Frame::data(data)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Streamed { body } => body.is_end_stream(),
            Self::Gathered { data } => data.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Streamed { body } => body.size_hint(),
            Self::Gathered { data } => SizeHint::with_exact(data.len() as u64),
        }
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CONNECTIONS: usize = 128;
const MAX_IDLE: usize = 16;
const MAX_BUFFERED: usize = 1024 * 1024;
