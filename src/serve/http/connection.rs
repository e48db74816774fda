use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::{Activity, WaitsFor};
use super::service::HttpService;
use super::transport::{Left, Transport};
use super::{Options, Terms, tcp};
use crate::error::{BoxError, Error, Kind, Result, Timeout};
use crate::serve::service::SendService;
use crate::server::Watched;

/// A connection that speaks HTTP/1.1 or HTTP/2.
///
/// hyper has no limit for how long a client takes to show which of both it speaks, to take a response, or to send another request
/// over HTTP/2: those are this one's.
pub(in crate::serve) struct HttpConnection<I, S: SendService>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// There until it has ended.
    hyper: Option<Pin<Box<Hyper<I, S>>>>,
    left: Left<I>,
    activity: Arc<Activity>,
    options: Arc<Options>,
    /// Its requests are.
    is_refused: bool,
    /// Since when it is to end when nothing is live.
    ending: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    watched: Watched,
    is_told: bool,
}

type Hyper<I, S> = auto::Connection<'static, TokioIo<Transport<I>>, HttpService<S>, TokioExecutor>;

enum Expired {
    Request,
    Client,
}

impl<I, S: SendService> HttpConnection<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// `begun` is what was read of it already.
    pub(crate) fn new(terms: Terms, io: I, begun: Bytes, service: S, watched: Watched) -> Self {
        terms.log_refusal();
        let activity = Activity::new();
        let options = terms.options.clone();
        let is_refused = terms.refused.is_some();
        let (io, left) = Transport::new(io, begun, activity.clone());
        let service = HttpService::new(service, terms, activity.clone());
        let hyper = builder(&options).serve_connection(TokioIo::new(io), service).into_owned();
        Self {
            hyper: Some(Box::pin(hyper)),
            left,
            activity,
            options,
            is_refused,
            ending: None,
            timer: None,
            watched,
            is_told: false,
        }
    }

    /// How many bytes have arrived, if it waits for a request.
    pub(crate) fn idle_mark(&self) -> Option<u64> {
        self.activity.idle_mark()
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.activity.has_begun()
    }

    /// Ends it when nothing is live; it is to be polled on.
    pub(crate) fn close_idle(&mut self) {
        if let Some(hyper) = self.hyper.as_mut().filter(|_| self.ending.is_none()) {
            self.ending = Some(Instant::now());
            hyper.as_mut().graceful_shutdown();
        }
    }

    /// For a connection that is about to be dropped: resets it if a response is not all sent, for over HTTP/1.0 the end of the
    /// connection would be the end of the response.
    pub(in crate::serve) fn break_off(&mut self) {
        if self.activity.is_owing() {
            self.hyper = None;
            self.left.take().as_ref().and_then(tcp).map(TcpStream::set_zero_linger);
        }
    }

    /// What is left of it, if that is to be had back.
    pub(crate) fn into_io(mut self) -> Option<I> {
        self.hyper = None;
        self.left.take()
    }

    fn next_deadline(&self) -> Option<(Instant, Expired)> {
        let Options { header_timeout, send_timeout, .. } = *self.options;
        match self.activity.waits_for() {
            WaitsFor::Service => None,
            WaitsFor::Client(since) => Some((since + send_timeout?, Expired::Client)),
            WaitsFor::Request(since) => match self.ending {
                None => Some((since + header_timeout?, Expired::Request)),
                // What it still writes is the end of the last response.
                Some(ending) => Some((since.max(ending) + send_timeout?, Expired::Client)),
            },
        }
    }

    /// Requests over HTTP/2 are served in tasks of their own, but whatever they do makes this one write.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Expired> {
        loop {
            let Some((deadline, expired)) = self.next_deadline() else { return Poll::Pending };
            if deadline <= Instant::now() {
                return Poll::Ready(expired);
            }
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            // One that fires early finds a later deadline and is set anew.
            if timer.is_elapsed() || deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }

    fn end(&mut self) {
        self.hyper = None;
        self.watched.leave();
    }
}

impl<I, S: SendService> Future for HttpConnection<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        loop {
            let Some(hyper) = &mut this.hyper else { return Poll::Ready(Ok(())) };
            if let Poll::Ready(outcome) = hyper.as_mut().poll(cx) {
                this.end();
                return Poll::Ready(outcome.or_else(explain));
            }
            // HTTP/2 has no header that would tell the client so.
            if this.is_refused && this.ending.is_none() && this.activity.has_begun() {
                this.close_idle();
                continue;
            }
            // Behind the poll, which finds what has been asked already.
            if !this.is_told && this.watched.poll_start(cx).is_ready() {
                this.is_told = true;
                this.close_idle();
                continue;
            }
            match ready!(this.poll_timer(cx)) {
                Expired::Request => this.close_idle(),
                Expired::Client => {
                    this.end();
                    return Poll::Ready(Err(Error::new(Kind::Timeout(Timeout::Write))));
                }
            }
        }
    }
}

fn builder(options: &Options) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(options.max_header_size.max(LEAST_BUFFER))
        .max_headers(options.max_headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(options.max_header_size).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS);
    builder
}

/// A body that fails breaks its response off. Whatever else ends a connection is the client's doing.
fn explain(error: BoxError) -> Result<()> {
    if let Some(io) = error.downcast_ref::<io::Error>() {
        // It was asked to end before a byte had come.
        if io.kind() == io::ErrorKind::Interrupted {
            return Ok(());
        }
    }
    let is_cut = error
        .downcast_ref::<hyper::Error>()
        .is_some_and(|error| error.is_user() || error.is_body_write_aborted());
    if is_cut {
        return Err(Error::new(Kind::UserBody).with(error));
    }
    Err(Error::new(Kind::Io).with(error))
}

/// hyper wants no less.
const LEAST_BUFFER: usize = 8 * 1024;

const MAX_STREAMS: u32 = 100;
