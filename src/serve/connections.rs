use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::iter;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::{JoinError, JoinSet, unconstrained};
use tokio::time::timeout;

use super::http::{HttpConnection, Mode, Terms};
use super::listener::Peer;
use super::seats::{Seat, Seats};
use super::service::{SendService, WithTransport};
use super::transport::Transport;
use crate::error::{Error, Result};
use crate::server::{Builder, GracefulConnection, GracefulShutdown};
use crate::trace::{Instrument, Span, are_spans_wanted, debug, debug_span, error, trace, warn};

/// The connections that are being served, each in a task of its own. Dropped, it drops them all.
pub(super) struct Connections<I, S> {
    builder: Builder<TokioExecutor>,
    http: Mode,
    service: S,
    tasks: JoinSet<Option<I>>,
    graceful: GracefulShutdown,
    /// Where there is a limit.
    seats: Option<Seats>,
}

impl<I, S> Connections<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: SendService,
{
    pub(super) fn new(
        builder: Builder<TokioExecutor>,
        http: Mode,
        service: S,
        seats: Option<Seats>,
    ) -> Self {
        let (tasks, graceful) = (JoinSet::new(), GracefulShutdown::new());
        Self { builder, http, service, tasks, graceful, seats }
    }

    pub(super) fn serve(&mut self, io: I, transport: Transport) {
        let peer = transport.peer();
        let local = transport.listener_addr();
        let span = match are_spans_wanted() {
            true => debug_span!("connection", %peer, local = local.map(tracing::field::display)),
            false => Span::none(),
        };
        let service = WithTransport::new(self.service.clone(), transport);
        // Within the span already, for what is told of its beginning.
        let connection = span.in_scope(|| {
            trace!(%peer, "connection accepted");
            self.begin(io, service, peer)
        });
        let seat = self.seats.as_ref().map(Seats::offer);
        let occupancy = seat.as_ref().map(Seat::occupancy);
        let connection = Seated { connection: Some(connection), peer, seat };
        let task = self.tasks.spawn(connection.instrument(span)).id();
        if let (Some(seats), Some(occupancy)) = (&mut self.seats, occupancy) {
            seats.taken_by(task, occupancy);
        }
    }

    fn begin(&self, io: I, service: WithTransport<S>, peer: Peer) -> Served<I, S> {
        let terms = self.http.terms(&io, peer, self.builder.forwarded_policy());
        match terms {
            Some(terms) if self.http.is_only() => {
                let watched = self.graceful.watched();
                Served::Http(HttpConnection::new(terms, io, Bytes::new(), service, watched))
            }
            terms => {
                let spare = terms.map(|terms| Box::new((terms, service.clone())));
                let connection = self.builder.serve_connection(TokioIo::new(io), service);
                let connection = connection.reading_by(poll_read);
                Served::FastCgi(self.graceful.watch(connection), spare)
            }
        }
    }

    /// The end of a connection, of which `None` is left unless a response was cut short on it. At once `None` if there is no
    /// connection.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Option<I>>> {
        let Some(ended) = ready!(self.tasks.poll_join_next_with_id(cx)) else {
            return Poll::Ready(None);
        };
        let task = ended.as_ref().map_or_else(JoinError::id, |&(task, _)| task);
        if let Some(seats) = &mut self.seats {
            seats.left_by(task);
        }
        Poll::Ready(Some(left_over(ended.map(|(_, left)| left))))
    }

    /// Ready when one more connection may be accepted.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.seats.as_ref().map_or(Poll::Ready(()), |seats| seats.poll_free(cx))
    }

    /// How many more may be accepted when all that is idle is about to end.
    pub(super) fn room(&self) -> usize {
        self.seats.as_ref().map_or(usize::MAX, Seats::free_or_idle)
    }

    /// Waits until all have ended; after `deadline` they are dropped.
    pub(super) async fn end(self, deadline: Duration) {
        let Self { mut tasks, graceful, .. } = self;
        let ended = async {
            graceful.shutdown().await;
            while tasks.join_next().await.map(left_over).is_some() {}
        };
        if timeout(deadline, ended).await.is_err() {
            warn!(connections = tasks.len(), "shutdown took too long, dropping what is left");
            let _ = timeout(DROP_TIMEOUT, tasks.shutdown()).await;
        }
    }
}

/// Serves a connection in its place, if places are limited. What is left of it is the transport if a response was cut short.
///
/// No `async fn`: that would hold the connection twice, as its argument and as its variable.
struct Seated<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: SendService,
{
    /// There until it is taken out after its end.
    connection: Option<Served<I, S>>,
    peer: Peer,
    seat: Option<Seat>,
}

/// A connection of either protocol.
// Most speak FastCGI, and these are not to cost an allocation more.
#[allow(clippy::large_enum_variant)]
enum Served<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: SendService,
{
    /// With what it takes to go on with HTTP if that comes.
    FastCgi(
        GracefulConnection<TokioIo<I>, WithTransport<S>, TokioExecutor>,
        Option<Box<(Terms, WithTransport<S>)>>,
    ),
    Http(HttpConnection<I, WithTransport<S>>),
}

impl<I, S> Served<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: SendService,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::FastCgi(connection, _) => Pin::new(connection).poll(cx),
            Self::Http(connection) => Pin::new(connection).poll(cx),
        }
    }

    /// How much has arrived on it if it waits for a request.
    fn idle_mark(&mut self) -> Option<u64> {
        match self {
            Self::FastCgi(connection, _) => connection.connection().idle_mark(),
            Self::Http(connection) => connection.idle_mark(),
        }
    }

    /// Whether a request has ever begun on it.
    fn has_begun(&mut self) -> bool {
        match self {
            Self::FastCgi(connection, _) => connection.connection().has_begun(),
            Self::Http(connection) => connection.has_begun(),
        }
    }

    /// Whether it has ended and another protocol takes over.
    fn is_foreign(&mut self) -> bool {
        match self {
            Self::FastCgi(connection, _) => connection.connection().is_foreign(),
            Self::Http(_) => false,
        }
    }

    fn close_idle(&mut self) {
        match self {
            Self::FastCgi(connection, _) => connection.connection().close_idle(),
            Self::Http(connection) => connection.close_idle(),
        }
    }

    /// What goes on with a connection that has ended, if it turned out to be HTTP.
    fn successor(self) -> Option<Self> {
        let Self::FastCgi(connection, Some(spare)) = self else { return None };
        let (terms, service) = *spare;
        let (connection, watched) = connection.into_parts();
        let (io, begun) = connection.into_foreign()?;
        let io = io.into_inner();
        Some(Self::Http(HttpConnection::new(terms, io, begun, service, watched)))
    }

    fn into_io(self) -> Option<I> {
        match self {
            Self::FastCgi(connection, _) => {
                Some(connection.into_inner().into_parts().io.into_inner())
            }
            Self::Http(connection) => connection.into_io(),
        }
    }
}

impl<I, S> Seated<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: SendService,
{
    fn end(&mut self, outcome: &Result<()>) -> Option<I> {
        log(self.peer, outcome);
        // A web server that does not read may have half of a response, which a plain end would make the whole.
        let is_cut = outcome.as_ref().is_err_and(|error| error.is_user() || error.is_timeout());
        self.connection.take().filter(|_| is_cut)?.into_io()
    }
}

impl<I, S> Future for Seated<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: SendService,
{
    type Output = Option<I>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I>> {
        let this = &mut *self;
        if let Some(seat) = &mut this.seat {
            seat.register(cx);
        }
        loop {
            let Some(connection) = &mut this.connection else { return Poll::Pending };
            if let Poll::Ready(outcome) = connection.poll(cx) {
                if !connection.is_foreign() {
                    return Poll::Ready(this.end(&outcome));
                }
                this.connection = this.connection.take().and_then(Served::successor);
                continue;
            }
            let Some(seat) = &mut this.seat else { return Poll::Pending };
            if !seat.must_leave(connection.idle_mark(), connection.has_begun(), cx) {
                return Poll::Pending;
            }
            debug!("closing an idle connection to make room for another");
            connection.close_idle();
        }
    }
}

/// Dropped before its end, at the deadline of a shutdown or with the server, it must not look like the end of a response:
/// nginx would take it for that unless it keeps its connections.
impl<I, S> Drop for Seated<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: SendService,
{
    fn drop(&mut self) {
        let connection = match &mut self.connection {
            Some(Served::FastCgi(connection, _)) => connection,
            Some(Served::Http(connection)) => return connection.break_off(),
            None => return,
        };
        let break_off = poll_fn(|cx| {
            connection.connection().break_off(cx);
            Poll::Ready(())
        });
        // Many may be dropped at a time, and there is no other for those that find tokio's cooperative budget used up.
        let _ = pin!(unconstrained(break_off)).poll(&mut Context::from_waker(Waker::noop()));
    }
}

fn poll_read<I: AsyncRead + Unpin>(
    io: &mut TokioIo<I>,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut read = ReadBuf::new(buffer);
    ready!(Pin::new(io.inner_mut()).poll_read(cx, &mut read))?;
    Poll::Ready(Ok(read.filled().len()))
}

fn left_over<I>(ended: std::result::Result<Option<I>, JoinError>) -> Option<I> {
    ended.unwrap_or_else(|error| {
        error!(%error, "the task of a connection panicked");
        None
    })
}

fn log(peer: Peer, outcome: &Result<()>) {
    match outcome {
        Ok(()) => trace!(%peer, "connection ended"),
        Err(error) => log_failure(peer, error, &with_causes(error)),
    }
}

/// Connecting and going again is what health checks do, and web servers whose clients are gone: nothing to look into. A response
/// body that failed was logged with its request.
fn log_failure(peer: Peer, error: &Error, text: &str) {
    if error.is_protocol() {
        warn!(%peer, "{text}");
    } else {
        debug!(%peer, "{text}");
    }
}

fn with_causes(error: &Error) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A dropped task goes at its next poll; one that blocks its thread must not keep the server from ending.
const DROP_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::pending;

    use http::{Request, Response};
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;
    use crate::body::Incoming;
    use crate::serve::acceptor::Acceptor;
    use crate::serve::listener::Listener;

    /// So many connections that are closed by the time they are accepted.
    struct Probes(usize);

    impl Listener for Probes {
        type Io = DuplexStream;
        type Addr = ();

        async fn accept(&mut self) -> (DuplexStream, ()) {
            if self.0 == 0 {
                pending::<()>().await;
            }
            self.0 -= 1;
            let (io, _closed) = duplex(1);
            (io, ())
        }

        fn local_addr(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A client who has connected, which the runtime notices no earlier than this.
    struct Unnoticed(Option<DuplexStream>, Instant);

    impl Listener for Unnoticed {
        type Io = DuplexStream;
        type Addr = ();

        async fn accept(&mut self) -> (DuplexStream, ()) {
            if Instant::now() < self.1 {
                pending::<()>().await;
            }
            match self.0.take() {
                Some(io) => (io, ()),
                None => pending().await,
            }
        }

        fn local_addr(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_connected_is_served_though_the_runtime_has_not_noticed() {
        let service = tower::service_fn(async |_: Request<Incoming>| {
            Ok::<_, io::Error>(Response::new(String::new()))
        });
        let (io, _peer) = duplex(1);
        let listener = Unnoticed(Some(io), Instant::now() + Duration::from_millis(1));
        let builder = Builder::new().executor(TokioExecutor::new());
        let mut acceptor =
            Acceptor::new(listener, Connections::new(builder, Mode::default(), service, None));
        acceptor.accept_waiting().await;
        assert_eq!(acceptor.close().tasks.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_a_connection_that_ended() {
        let service = tower::service_fn(async |_: Request<Incoming>| {
            Ok::<_, io::Error>(Response::new(String::new()))
        });
        let builder = Builder::new().executor(TokioExecutor::new());
        let mut acceptor =
            Acceptor::new(Probes(1000), Connections::new(builder, Mode::default(), service, None));
        // The paused clock moves on when nothing else does.
        assert!(timeout(Duration::from_secs(1), acceptor.run()).await.is_err());
        assert_eq!(acceptor.close().tasks.len(), 0);
    }
}
