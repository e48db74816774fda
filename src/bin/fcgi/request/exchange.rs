use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Request, StatusCode, header};
use http_body::Body;
use hyper_util::rt::TokioTimer;
use tokio::task::JoinHandle;
use tower_fastcgi::client::conn::{self, Connection, SendRequest};
use tower_fastcgi::client::{AnyIo, ResponseBody, Stderr};

use super::explain::{explain, failed_status, script_hint};
use super::options::Options;
use super::order::Order;
use super::output::Output;
use super::progress::Progress;
use super::stderr::Lines;
use super::transcript::{Recorded, Transcript};
use super::upload::{UploadBody, unreadable};
use crate::connect::connect;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal;

/// One request and its response.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    options: &'a Options,
    begin: Instant,
    pub(super) transcript: Transcript,
    pub(super) progress: Arc<Progress>,
    pub(super) output: Output,
    pub(super) stderr: Arc<Mutex<Lines>>,
    pub(super) head: Option<Parts>,
    pub(super) connected: Option<Duration>,
    pub(super) answered: Option<Duration>,
    /// The body's first bytes.
    sniffed: Vec<u8>,
    connection: Option<JoinHandle<tower_fastcgi::Result<()>>>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        let progress = Arc::new(Progress::new(options));
        Self {
            options,
            begin: Instant::now(),
            transcript: Transcript::new(options.verbose, options.json),
            stderr: Arc::new(Mutex::new(Lines::new(options, progress.clone()))),
            progress,
            output: Output::new(options),
            head: None,
            connected: None,
            answered: None,
            sniffed: Vec::new(),
            connection: None,
        }
    }

    /// How long it has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Does it all, within the time that there is.
    pub(super) async fn run(&mut self, order: Order) -> Outcome {
        let outcome = match self.options.max_time {
            None => self.perform(order).await,
            Some(limit) => match tokio::time::timeout(limit, self.perform(order)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(self.late(limit)),
            },
        };
        if outcome.is_ok() {
            self.settle().await;
        }
        self.progress.end();
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).end();
        if self.options.tells_errors() && !self.options.json {
            script_hint(&self.sniffed).into_iter().for_each(terminal::hint);
        }
        outcome.and_then(|()| self.failed_status())
    }

    async fn perform(&mut self, order: Order) -> Outcome {
        // Before it connects, for gathering a body may take long, and connections to php-fpm keep others waiting.
        let request = self.request(order).await?;
        let address = &self.options.address;
        let io = connect(address, self.options.connect_timeout).await?;
        self.connected = Some(self.elapsed());
        self.transcript.note(format_args!("connected to {address}"));
        let (mut send, connection) = self.connection(io).await?;
        self.connection = Some(tokio::spawn(connection));
        let response = send.send_request(request).await;
        // So that the connection ends with this request.
        drop(send);
        let response = response.map_err(|error| self.explain(&error))?;
        self.answered = Some(self.elapsed());
        let (parts, body) = response.into_parts();
        self.head = Some(parts.clone());
        self.receive(&parts, body).await
    }

    /// Waits for what may come behind the response: the end of the request, or what belongs to a head without a body.
    async fn settle(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if tokio::time::timeout(SETTLE, connection).await.is_ok() {
            self.transcript.note(format_args!("the connection is closed"));
        }
    }

    async fn connection(
        &self,
        io: AnyIo,
    ) -> Outcome<(SendRequest<UploadBody>, Connection<Recorded<AnyIo>, UploadBody>)> {
        let lines = self.stderr.clone();
        let stderr = Stderr::call(move |text| {
            lines.lock().unwrap_or_else(PoisonError::into_inner).write(text);
        });
        let mut builder = conn::Builder::new();
        builder.timer(TokioTimer::new()).stderr(stderr).keep_conn(self.options.keep_conn);
        builder.head_timeout(None).body_timeout(None).send_timeout(None);
        let io = self.transcript.of(io);
        builder.handshake(io).await.map_err(|error| self.explain(&error))
    }

    async fn request(&self, order: Order) -> Outcome<Request<UploadBody>> {
        let policy = self.options.unknown_length;
        let body = order.upload.into_body(policy, self.progress.clone()).await?;
        let mut request = order.request.map(|()| body);
        request.extensions_mut().insert(order.environment);
        Ok(request)
    }

    async fn receive(&mut self, parts: &Parts, mut body: ResponseBody) -> Outcome {
        let is_wanted = !self.is_failed(parts) || self.options.json;
        if self.options.include || self.options.head {
            self.output.write(head(parts)).await?;
        }
        // Of a body that is not wanted, only PHP's complaint about its script is of interest.
        if !is_wanted && parts.status != StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.progress.expect_download(length(&parts.headers));
        while let Some(data) = self.data(&mut body).await? {
            self.progress.received(data.len());
            self.sniff(parts, &data);
            match is_wanted {
                true => self.output.write(data).await?,
                // Dropping the body aborts the request.
                false => break,
            }
        }
        if is_wanted { self.output.finish().await } else { Ok(()) }
    }

    async fn data(&self, body: &mut ResponseBody) -> Outcome<Option<Bytes>> {
        let mut body = std::pin::Pin::new(body);
        loop {
            let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| self.explain(&error))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// Keeps the beginning of what may be PHP's complaint about the script.
    fn sniff(&mut self, parts: &Parts, data: &[u8]) {
        if parts.status == StatusCode::NOT_FOUND && self.sniffed.len() < SNIFFED_MAX {
            let room = SNIFFED_MAX - self.sniffed.len();
            self.sniffed.extend_from_slice(&data[..data.len().min(room)]);
        }
    }

    fn is_failed(&self, parts: &Parts) -> bool {
        self.options.fail && parts.status.as_u16() >= 400
    }

    fn failed_status(&self) -> Outcome {
        match &self.head {
            Some(parts) if self.is_failed(parts) => Err(failed_status(parts.status)),
            _ => Ok(()),
        }
    }

    fn explain(&self, error: &tower_fastcgi::Error) -> Failure {
        // Once the response has begun, the error does not have the cause.
        if let Some(reason) = self.progress.broken_upload() {
            return unreadable(&reason);
        }
        explain(error, &self.transcript.start(), self.answered.is_some())
    }

    fn late(&self, limit: Duration) -> Failure {
        let (sent, received) = self.progress.bytes();
        let (message, advice) = match (self.connected, self.answered) {
            (None, _) => ("there is no connection yet".to_owned(), "is the address right?"),
            (_, None) => (
                format!("{sent} bytes of the body were sent, and no answer has come"),
                "are all of the application's workers busy, as php-fpm's are while others keep connections open?",
            ),
            _ => (
                format!("{received} bytes of the response's body have come"),
                "try a longer --max-time",
            ),
        };
        let limit = limit.as_secs_f64();
        Failure::new(Exit::Timeout, format_args!("time is up after {limit} s: {message}"))
            .advise(advice)
    }
}

/// The head as it is over HTTP, which tools for curl's output understand.
fn head(parts: &Parts) -> Bytes {
    let mut head = Vec::new();
    let reason = parts.status.canonical_reason().unwrap_or_default();
    head.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_str()).as_bytes());
    for (name, value) in &parts.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

const SNIFFED_MAX: usize = 64;

/// Somewhat longer than the connection waits for the end of a request by itself.
const SETTLE: Duration = Duration::from_secs(2);
