//! A client's connection in memory, and the application at its other end.

use std::collections::VecDeque;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioTimer;
use tokio::task::coop::unconstrained;
use tower_fastcgi::client::ResponseBody;
use tower_fastcgi::client::conn::{Builder, Connection, SendRequest, TrySendError};
use tower_fastcgi::{Error, Result};

use crate::support::{BoxError, CountingWake, Event, Pipe, Rec, bytes_of, pipe, record};

pub(crate) type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

pub(crate) fn any<B>(body: B) -> AnyBody
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

pub(crate) fn get(path: &str) -> Request<AnyBody> {
    Request::get(path).body(any(Empty::new())).unwrap()
}

pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<AnyBody> {
    Request::post(path).body(any(Full::new(body.into()))).unwrap()
}

/// A body whose length is not told.
pub(crate) fn post_feed(path: &str, body: crate::support::FeedBody) -> Request<AnyBody> {
    Request::post(path).body(any(body)).unwrap()
}

/// The connection, which runs when something woke it and the test says so, and the application.
pub(crate) struct Link {
    pub(crate) send: SendRequest<AnyBody>,
    connection: Option<Connection<Pipe, AnyBody>>,
    outcome: Option<Result<()>>,
    wake: Arc<CountingWake>,
    pub(crate) app: Application,
}

/// The end of the application.
pub(crate) struct Application {
    pipe: crate::support::SharedPipe,
    received: VecDeque<Received>,
}

/// A record as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) kind: u8,
    pub(crate) id: u16,
    pub(crate) content: Vec<u8>,
}

pub(crate) fn builder() -> Builder {
    Builder::new()
}

/// With tokio's clock, which the tests pause.
pub(crate) fn timed() -> Builder {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new());
    builder
}

impl Link {
    pub(crate) fn new() -> Self {
        Self::with(&builder())
    }

    /// # Panics
    ///
    /// If the handshake has to wait.
    pub(crate) fn with(builder: &Builder) -> Self {
        let (io, pipe) = pipe();
        let mut handshake = Wait::new(builder.clone(), io);
        let made = handshake.poll().expect("nothing to wait for").unwrap();
        Self::of(made, pipe)
    }

    /// A connection to an application that has said it multiplexes.
    pub(crate) fn multiplexed(builder: &mut Builder, requests: usize) -> Self {
        let (io, pipe) = pipe();
        builder.max_requests(requests);
        let mut handshake = Wait::new(builder.clone(), io);
        assert!(handshake.poll().is_none());
        let mut app = Application { pipe: pipe.clone(), received: VecDeque::new() };
        assert_eq!(app.take().kind, GET_VALUES);
        app.send(values(&[("FCGI_MPXS_CONNS", "1")]));
        let made = handshake.poll().expect("an answer").unwrap();
        Self::of(made, pipe)
    }

    pub(crate) fn of(
        (send, connection): (SendRequest<AnyBody>, Connection<Pipe, AnyBody>),
        pipe: crate::support::SharedPipe,
    ) -> Self {
        Self {
            send,
            connection: Some(connection),
            outcome: None,
            wake: Arc::new(CountingWake::woken()),
            app: Application { pipe, received: VecDeque::new() },
        }
    }

    /// Sends a request and lets the connection run.
    pub(crate) fn request(&mut self, request: Request<AnyBody>) -> Pending {
        let pending = Pending::new(self.send.try_send_request(request));
        self.run();
        pending
    }

    /// Polls the connection until nothing wakes it.
    pub(crate) fn run(&mut self) {
        let mut polls = 0;
        while let Some(connection) = &mut self.connection {
            if !self.wake.take() {
                return;
            }
            polls += 1;
            assert!(polls < 20_000, "it wakes itself for ever");
            let waker = Waker::from(self.wake.clone());
            let polled = poll_unconstrained(&waker, connection);
            if let Poll::Ready(outcome) = polled {
                self.outcome = Some(outcome);
                self.connection = None;
            }
        }
    }

    /// Lets the application write, and the connection read it.
    pub(crate) fn answer(&mut self, records: impl IntoIterator<Item = Rec>) {
        self.app.send(records);
        self.run();
    }

    /// Lets the paused clock run.
    pub(crate) async fn advance(&mut self, duration: Duration) {
        let mut remaining = duration;
        while !remaining.is_zero() {
            let step = remaining.min(Duration::from_millis(50));
            tokio::time::advance(step).await;
            self.run();
            remaining -= step;
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.connection.is_some()
    }

    pub(crate) fn drop_connection(&mut self) {
        self.connection = None;
    }

    pub(crate) fn drop_handle(self) -> (Connection<Pipe, AnyBody>, Application) {
        (self.connection.expect("it runs"), self.app)
    }

    pub(crate) fn outcome(&self) -> &Result<()> {
        self.outcome.as_ref().expect("the connection has ended")
    }

    /// A GET that is answered as a whole; fails if the connection is not fit for it.
    pub(crate) fn assert_works(&mut self) {
        let mut pending = self.request(get("/works"));
        let records = self.app.take_all();
        let id = records[0].id;
        assert_eq!(records[0].kind, BEGIN);
        self.answer([stdout(id, "Content-Type: a/b\r\n\r\nit works"), end(id)]);
        let mut response = pending.response();
        assert_eq!(response.read_all().unwrap(), b"it works");
    }
}

impl Application {
    pub(crate) fn new(pipe: crate::support::SharedPipe) -> Self {
        Self { pipe, received: VecDeque::new() }
    }

    /// Writes the records so that one read gives them all.
    pub(crate) fn send(&self, records: impl IntoIterator<Item = Rec>) {
        self.send_bytes(&bytes_of(records));
    }

    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        self.pipe.lock().send(bytes.to_vec());
    }

    pub(crate) fn close(&self) {
        self.pipe.lock().end_input(crate::support::End::Eof);
    }

    pub(crate) fn reset(&self) {
        let mut pipe = self.pipe.lock();
        pipe.end_input(crate::support::End::Error(ErrorKind::ConnectionReset));
        pipe.fail_writes(ErrorKind::BrokenPipe);
    }

    pub(crate) fn break_writes(&self) {
        self.pipe.lock().fail_writes(ErrorKind::BrokenPipe);
    }

    /// Reads so many bytes more, and then nothing.
    pub(crate) fn read_only(&self, bytes: usize) {
        self.pipe.lock().give_room(bytes);
    }

    /// Sent, and not yet read by the client.
    pub(crate) fn unread(&self) -> usize {
        self.pipe.lock().unread()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.pipe.lock().events.contains(&Event::Drop)
    }

    pub(crate) fn writes(&self) -> usize {
        let pipe = self.pipe.lock();
        pipe.events.iter().filter(|event| matches!(event, Event::Write(_))).count()
    }

    pub(crate) fn take_all(&mut self) -> Vec<Received> {
        self.receive();
        self.received.drain(..).collect()
    }

    /// # Panics
    ///
    /// If no record came.
    pub(crate) fn take(&mut self) -> Received {
        self.receive();
        self.received.pop_front().expect("a record")
    }

    /// The content of the FCGI_STDIN records so far, which are taken along with all others.
    pub(crate) fn take_stdin(&mut self) -> Vec<u8> {
        let records = self.take_all().into_iter().filter(|record| record.kind == STDIN);
        records.flat_map(|record| record.content).collect()
    }

    fn receive(&mut self) {
        let mut pipe = self.pipe.lock();
        while let Some(received) = Received::take(&mut pipe.output) {
            self.received.push_back(received);
        }
    }
}

impl Received {
    fn take(bytes: &mut VecDeque<u8>) -> Option<Self> {
        let at_hand = bytes.make_contiguous();
        let &[version, kind, id1, id0, len1, len0, padding, _] = at_hand.first_chunk::<8>()?;
        assert_eq!((version, padding), (1, 0));
        let len = usize::from(u16::from_be_bytes([len1, len0]));
        let content = at_hand.get(8..8 + len)?.to_vec();
        bytes.drain(..8 + len);
        Some(Self { kind, id: u16::from_be_bytes([id1, id0]), content })
    }
}

/// A future that the test polls when it likes.
pub(crate) struct Pending {
    future: Pin<Box<dyn Future<Output = Outcome>>>,
    wake: Arc<CountingWake>,
}

type Outcome = std::result::Result<Response<ResponseBody>, TrySendError<Request<AnyBody>>>;

impl Pending {
    pub(crate) fn new(future: impl Future<Output = Outcome> + 'static) -> Self {
        Self { future: Box::pin(future), wake: Arc::new(CountingWake::asleep()) }
    }

    pub(crate) fn poll(&mut self) -> Poll<Outcome> {
        let waker = Waker::from(self.wake.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    pub(crate) fn is_pending(&mut self) -> bool {
        self.poll().is_pending()
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.wake.take()
    }

    pub(crate) fn response(&mut self) -> Response<ResponseBody> {
        match self.poll() {
            Poll::Ready(Ok(response)) => response,
            other => panic!("no response: {other:?}"),
        }
    }

    pub(crate) fn failure(&mut self) -> TrySendError<Request<AnyBody>> {
        match self.poll() {
            Poll::Ready(Err(failed)) => failed,
            other => panic!("no failure: {other:?}"),
        }
    }

    /// Why it failed, with nothing to send again.
    pub(crate) fn error(&mut self) -> Error {
        let failed = self.failure();
        assert!(failed.message().is_none(), "{failed:?}");
        failed.into_error()
    }
}

pub(crate) trait ReadBody {
    /// The next frame; `None` while there is none.
    fn next(&mut self) -> Option<Result<Vec<u8>>>;

    /// What has come, up to the end.
    fn read_all(&mut self) -> Result<Vec<u8>>;
}

impl ReadBody for Response<ResponseBody> {
    fn next(&mut self) -> Option<Result<Vec<u8>>> {
        let waker = Waker::from(Arc::new(CountingWake::asleep()));
        match Pin::new(self.body_mut()).poll_frame(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(None) => Some(Ok(Vec::new())),
            Poll::Ready(Some(frame)) => {
                Some(frame.map(|frame| frame.into_data().expect("no trailers").to_vec()))
            }
        }
    }

    fn read_all(&mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let part = self.next().expect("the body has ended")?;
            if part.is_empty() {
                return Ok(all);
            }
            all.extend(part);
        }
    }
}

type Made = (SendRequest<AnyBody>, Connection<Pipe, AnyBody>);

/// A handshake that is polled by hand.
pub(crate) struct Wait(Pin<Box<dyn Future<Output = Result<Made>>>>);

impl Wait {
    pub(crate) fn new(builder: Builder, io: Pipe) -> Self {
        Self(Box::pin(async move { builder.handshake(io).await }))
    }

    pub(crate) fn poll(&mut self) -> Option<Result<Made>> {
        let waker = Waker::from(Arc::new(CountingWake::asleep()));
        match self.0.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(made) => Some(made),
            Poll::Pending => None,
        }
    }
}

fn poll_unconstrained<F: Future + Unpin>(waker: &Waker, future: &mut F) -> Poll<F::Output> {
    pin!(unconstrained(future)).poll(&mut Context::from_waker(waker))
}

pub(crate) fn stdout(id: u16, content: impl AsRef<[u8]>) -> Rec {
    assert!(!content.as_ref().is_empty(), "`end_stdout` says so");
    record(STDOUT, id, content)
}

pub(crate) fn end_stdout(id: u16) -> Rec {
    record(STDOUT, id, [])
}

pub(crate) fn stderr(id: u16, content: impl AsRef<[u8]>) -> Rec {
    record(STDERR, id, content)
}

pub(crate) fn end(id: u16) -> Rec {
    end_with(id, 0)
}

pub(crate) fn end_with(id: u16, protocol_status: u8) -> Rec {
    record(END, id, [0, 0, 0, 0, protocol_status, 0, 0, 0])
}

pub(crate) fn values(pairs: &[(&str, &str)]) -> Rec {
    record(GET_VALUES_RESULT, 0, crate::support::pairs(pairs.iter().copied()))
}

/// The name-value pairs of a FCGI_PARAMS stream.
pub(crate) fn params(records: &[Received]) -> Vec<(String, Vec<u8>)> {
    let contents = records.iter().filter(|record| record.kind == PARAMS);
    let pairs = contents.flat_map(|record| {
        tower_fastcgi::record::Pairs::new(&record.content)
            .map(|pair| pair.expect("no pair goes on in another record"))
            .map(|(name, value)| (String::from_utf8(name.to_vec()).unwrap(), value.to_vec()))
            .collect::<Vec<_>>()
    });
    pairs.collect()
}

pub(crate) const BEGIN: u8 = 1;
pub(crate) const ABORT: u8 = 2;
pub(crate) const END: u8 = 3;
pub(crate) const PARAMS: u8 = 4;
pub(crate) const STDIN: u8 = 5;
pub(crate) const STDOUT: u8 = 6;
pub(crate) const STDERR: u8 = 7;
pub(crate) const DATA: u8 = 8;
pub(crate) const GET_VALUES: u8 = 9;
pub(crate) const GET_VALUES_RESULT: u8 = 10;
