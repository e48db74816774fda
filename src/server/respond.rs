use std::task::Poll;

use bytes::Bytes;
use http::{StatusCode, response};
use http_body::SizeHint;

use super::dispatch::Dispatch;
use super::driver::{Panicked, Step};
use super::exchange::{Exchange, Output, Response};
use super::exec::ExchangeExec;
use super::service::HttpService;
use crate::cgi::{Framing, HeadError, Refusal, put_head, put_refusal, recycle_headers};
use crate::codec::{COPY_MAX, RecordWriter};
use crate::error::{BoxError, Error, Kind};
use crate::record::{Header, MAX_STREAM_CONTENT, ProtocolStatus, RequestId, Role};
use crate::roles::Allow;
use crate::trace::error;

impl<S: HttpService, E: ExchangeExec<S>> Dispatch<S, E> {
    /// Writes the next step of a response.
    pub(super) fn respond(&mut self, index: usize, step: Step) {
        match step {
            Step::Head { head, size, is_end } => {
                self.on_head(index, &head, size, is_end);
                recycle_headers(head.headers);
            }
            Step::Data(data) => self.on_data(index, data),
            Step::End => self.on_end(index),
            Step::Failed(cause) => self.on_failed(index, cause),
        }
    }

    /// Goes on with a body frame that did not go out at once.
    pub(super) fn send_rest(&mut self, index: usize) {
        let data = std::mem::take(&mut self.exchanges.exchange(index).unsent);
        self.send(index, data, RecordWriter::stdout);
    }

    /// Answers a request without its service, and ends it. The exchange is not, or no longer, a live one.
    pub(super) fn answer(&mut self, exchange: &mut Exchange, status: StatusCode, reason: &str) {
        exchange.observed.on_head(status);
        exchange.observed.on_complete();
        self.control(|this| {
            this.put_answer(exchange, status, reason);
        });
        self.is_last |= !exchange.keep_conn;
    }

    /// Queues a small response and its end.
    pub(super) fn put_answer(&mut self, exchange: &Exchange, status: StatusCode, reason: &str) {
        let (date, is_head) = (self.config.date, exchange.is_head);
        self.writer.stdout_whole(exchange.id, |dst| {
            put_refusal(dst, is_head, status, reason, date);
        });
        self.writer.end_request(exchange.id, ProtocolStatus::RequestComplete);
    }

    /// Queues something whose amount the peer decides.
    pub(super) fn control(&mut self, queue: impl FnOnce(&mut Self)) {
        let before = self.writer.queued();
        queue(self);
        let queued = self.writer.queued();
        self.backlog.on_queued(queued - before, self.writer.written() + queued as u64);
    }

    /// What the service is responsible for panicked while its exchange had its turn; which may have ended with it.
    pub(super) fn on_panic(&mut self, index: usize, panicked: Panicked) {
        match &self.exchanges.slot(index).exchange {
            Some(exchange) if exchange.is_withheld() => {}
            Some(_) => self.on_failed(index, panicked.into()),
            None => error!(error = %panicked, "panic after the end of a request"),
        }
    }

    fn on_head(&mut self, index: usize, head: &response::Parts, size: SizeHint, is_end: bool) {
        let is_authorizer = self.exchanges.exchange(index).role == Role::Authorizer;
        if is_authorizer && head.status.is_success() {
            return self.on_success(index, head);
        }
        let before = self.writer.queued();
        if self.write_head(index, head, size, is_end) {
            let head_len = self.writer.queued() - before - Header::LEN;
            // Apache looks at no further record of a denial.
            let most = if is_authorizer { MAX_STREAM_CONTENT } else { COPY_MAX };
            self.poll_behind_head(index, head_len, most);
        }
    }

    /// Goes on behind a head of so many bytes: most bodies are there with their head, and then leave with it, in its record if they have no more than
    /// `most` bytes.
    fn poll_behind_head(&mut self, index: usize, head_len: usize, most: usize) {
        match self.poll_step(index) {
            Poll::Pending => {}
            Poll::Ready(Step::Data(data)) => {
                let data = self.count(index, data);
                self.send(index, data, |writer, id, data| {
                    writer.stdout_behind(id, head_len, data, most);
                });
            }
            Poll::Ready(step) => self.respond(index, step),
        }
    }

    /// Whether a body follows.
    #[inline(always)]
    fn write_head(
        &mut self,
        index: usize,
        head: &response::Parts,
        size: SizeHint,
        is_end: bool,
    ) -> bool {
        let date = self.config.date;
        let exchange = self.exchanges.exchange(index);
        let is_head = exchange.is_head;
        let framing = self
            .writer
            .stdout_record(exchange.id, |dst| put_head(dst, is_head, head, size, is_end, date));
        if framing.is_ok() {
            exchange.observed.on_head(head.status);
        }
        exchange.response = match framing {
            Ok(Framing::Omitted | Framing::Known(0)) => {
                self.end(index);
                return false;
            }
            Ok(Framing::Known(length)) => Response::Body(Some(length)),
            Ok(Framing::Unknown) => Response::Body(None),
            Err(cause) => {
                self.on_bad_head(index, cause);
                return false;
            }
        };
        true
    }

    /// A success passes a request only if it says so itself, lest an application do that which was not written for it.
    fn on_success(&mut self, index: usize, head: &response::Parts) {
        let allow = head.extensions.get::<Allow>().filter(|_| head.status == StatusCode::OK);
        let Some(allow) = allow else {
            error!(status = %head.status, "an Authorizer was answered with a success that is no `Allow`: denied");
            return self.answer_instead(index, NO_DECISION);
        };
        self.end_stderr(index);
        let mut exchange = self.exchanges.remove(index);
        exchange.observed.on_head(head.status);
        exchange.observed.on_complete();
        self.writer.stdout_whole(exchange.id, |dst| allow.put(dst));
        self.writer.end_request(exchange.id, ProtocolStatus::RequestComplete);
        self.is_last |= !exchange.keep_conn;
    }

    fn on_bad_head(&mut self, index: usize, cause: HeadError) {
        match cause {
            HeadError::Informational(status) => {
                error!(%status, "the service answered with an informational status, which FastCGI cannot carry");
            }
            HeadError::TooLong(len) => {
                error!(
                    len,
                    max = MAX_STREAM_CONTENT,
                    "the response head is too long for one record"
                );
            }
        }
        self.fail_before_head(index);
    }

    fn on_data(&mut self, index: usize, data: Bytes) {
        let data = self.count(index, data);
        self.send(index, data, RecordWriter::stdout);
    }

    /// Leaves out what is beyond the response's Content-Length.
    #[inline]
    fn count(&mut self, index: usize, mut data: Bytes) -> Bytes {
        let exchange = self.exchanges.exchange(index);
        if let Response::Body(Some(remaining)) = &mut exchange.response {
            data.truncate(usize::try_from(*remaining).unwrap_or(usize::MAX));
            *remaining -= data.len() as u64;
        }
        data
    }

    /// Queues a part of a body, of which siblings, there or to come, must not have to wait for too much.
    fn send(
        &mut self,
        index: usize,
        mut data: Bytes,
        queue: impl FnOnce(&mut RecordWriter, RequestId, Bytes),
    ) {
        let most = if self.exchanges.len() > 1 { SHARE } else { SHARE_ALONE };
        let exchange = self.exchanges.exchange(index);
        if data.len() > most {
            exchange.unsent = data.split_off(most);
        }
        queue(&mut self.writer, exchange.id, data);
        self.on_sent(index);
    }

    #[inline]
    fn on_sent(&mut self, index: usize) {
        let exchange = self.exchanges.exchange(index);
        if exchange.unsent.is_empty() && exchange.response == Response::Body(Some(0)) {
            return self.end(index);
        }
        self.list(index);
    }

    fn on_end(&mut self, index: usize) {
        match self.exchanges.exchange(index).response {
            Response::Body(Some(1..)) => {
                self.on_failed(index, "shorter than its Content-Length".into())
            }
            _ => self.end(index),
        }
    }

    /// Writes what the request has written to FCGI_STDERR. Each line is a record of its own, which nginx makes a line of its log.
    pub(super) fn write_stderr(&mut self, index: usize) {
        let exchange = self.exchanges.exchange(index);
        let Some(lines) = exchange.take_stderr() else { return };
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            self.writer.stderr(exchange.id, line);
        }
    }

    /// Writes the last of it. A stream that has begun ends with an empty record (section 3.3).
    pub(super) fn end_stderr(&mut self, index: usize) {
        self.write_stderr(index);
        let exchange = self.exchanges.exchange(index);
        if exchange.close_stderr() {
            self.writer.end_stderr(exchange.id);
        }
    }

    fn end(&mut self, index: usize) {
        self.end_stderr(index);
        let exchange = self.exchanges.exchange(index);
        exchange.observed.on_complete();
        self.writer.end_response(exchange.id);
        self.is_last |= !exchange.keep_conn;
        self.exchanges.discard(index);
    }

    fn on_failed(&mut self, index: usize, cause: BoxError) {
        match self.exchanges.exchange(index).response {
            Response::BeforeHead => {
                error!(error = &*cause, "the service failed");
                self.fail_before_head(index);
            }
            Response::Body(length) => self.fail_body(index, length.is_some(), cause),
        }
    }

    fn fail_before_head(&mut self, index: usize) {
        self.answer_instead(index, FAILED);
    }

    /// Answers a live request in place of its service, and ends it.
    pub(super) fn answer_instead(&mut self, index: usize, refusal: Refusal) {
        self.end_stderr(index);
        let mut exchange = self.exchanges.remove(index);
        self.answer(&mut exchange, refusal.status, refusal.reason);
    }

    /// Makes it visible that a body is not complete: by its length where that was told, else by breaking the connection once no
    /// sibling is hurt by it.
    fn fail_body(&mut self, index: usize, is_length_known: bool, cause: BoxError) {
        error!(error = &*cause, "the response body failed");
        self.end_stderr(index);
        let mut exchange = self.exchanges.remove(index);
        exchange.discard_body(Kind::Canceled);
        if self.is_idle() {
            self.is_cut = true;
            return self.fail(Error::new(Kind::UserBody).with(cause));
        }
        if is_length_known {
            self.writer.end_response(exchange.id);
            self.is_last |= !exchange.keep_conn;
            return;
        }
        exchange.output = Output::Withheld;
        let place = self.exchanges.place(exchange.id);
        *place = Some(exchange);
        self.withheld += 1;
        self.is_cut = true;
        self.fail(Error::new(Kind::UserBody).with(cause));
    }

    fn list(&mut self, index: usize) {
        self.exchanges.slot(index).list();
    }
}

const FAILED: Refusal =
    Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, reason: "internal server error" };

const NO_DECISION: Refusal = Refusal { status: StatusCode::FORBIDDEN, reason: "not allowed" };

/// How much of a body frame a turn may queue beside siblings: one record.
const SHARE: usize = MAX_STREAM_CONTENT;

/// The same without siblings, as one may come: more than a socket takes at a time. A body of 1 MiB goes whole, in one write.
const SHARE_ALONE: usize = 17 * MAX_STREAM_CONTENT;
