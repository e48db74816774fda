//! How much memory an application can make a client hold, counted by the allocator: 64 MiB each way.

use std::alloc::System;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use hyper::rt::{Read, ReadBufCursor, Write};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tower_fastcgi::client::ResponseBody;
use tower_fastcgi::client::conn::{Builder, Connection};
use tower_fastcgi::record::{EndRequest, ProtocolStatus};
use tower_fastcgi::record::{RecordType, RequestId, put_end_request, put_stream};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_download_that_is_not_read() {
    let _alone = alone();
    for record in [1, 100, 8_000, 65_000] {
        let before = live();
        let mut transfer = Transfer::new(Endless { left: 0 }, Application::sending(record));
        let _body = transfer.response();
        for _ in 0..1000 {
            transfer.poll();
        }
        let held = live() - before;
        assert!(held < 1 << 20, "{held} bytes held with records of {record}");
    }
}

#[test]
fn a_download_that_is_read() {
    let _alone = alone();
    let before = live();
    let mut transfer = Transfer::new(Endless { left: 0 }, Application::sending(65_000));
    let mut body = transfer.response();
    let (mut received, mut most) = (0, 0);
    for _ in 0..POLLS {
        transfer.poll();
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Pending => {}
            Poll::Ready(None) => break,
            Poll::Ready(Some(frame)) => received += frame.unwrap().into_data().unwrap().len(),
        }
        most = most.max(live() - before);
    }
    assert!(received >= LARGE, "{received}");
    assert!(most < 1 << 20, "{most} bytes held");
}

#[test]
fn an_upload() {
    let _alone = alone();
    for accepted in [1_000, 100_000, usize::MAX] {
        let before = live();
        let application = Application { accepted, ..Application::sending(1) };
        let mut transfer = Transfer::new(Endless { left: LARGE / 8 }, application);
        let mut most = 0;
        for _ in 0..POLLS {
            transfer.poll();
            most = most.max(live() - before);
        }
        assert!(transfer.sent() > LARGE / 8, "{} bytes were sent", transfer.sent());
        assert!(most < 1 << 20, "{most} bytes held by writes of {accepted}");
    }
}

struct Transfer {
    connection: Connection<Application, Endless>,
    response: Pin<Box<dyn Future<Output = tower_fastcgi::Result<http::Response<ResponseBody>>>>>,
    sent: std::rc::Rc<std::cell::Cell<usize>>,
}

impl Transfer {
    fn new(body: Endless, application: Application) -> Self {
        let sent = application.sent.clone();
        let mut cx = Context::from_waker(Waker::noop());
        let builder = Builder::new();
        let made = Box::pin(builder.handshake(application)).as_mut().poll(&mut cx);
        let Poll::Ready(Ok((mut send, connection))) = made else { panic!("nothing to wait for") };
        let response = Box::pin(send.send_request(Request::post("/").body(body).unwrap()));
        Self { connection, response, sent }
    }

    fn poll(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut self.connection).poll(&mut cx);
    }

    fn response(&mut self) -> ResponseBody {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..10 {
            self.poll();
            if let Poll::Ready(response) = self.response.as_mut().poll(&mut cx) {
                return response.unwrap().into_body();
            }
        }
        panic!("no response");
    }

    fn sent(&self) -> usize {
        self.sent.get()
    }
}

/// A body of unknown length.
struct Endless {
    left: usize,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left = self.left.saturating_sub(16 * 1024);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; 16 * 1024])))))
    }
}

/// Sends 64 MiB in records of one size, and takes what the client writes.
struct Application {
    head: Vec<u8>,
    round: Vec<u8>,
    at: usize,
    left: usize,
    accepted: usize,
    sent: std::rc::Rc<std::cell::Cell<usize>>,
}

impl Application {
    fn sending(record: usize) -> Self {
        let id = RequestId::new(1).unwrap();
        let (mut head, mut round) = (Vec::new(), Vec::new());
        put_stream(&mut head, RecordType::Stdout, id, b"Content-Type: a/b\r\n\r\n");
        while round.len() < 64 * 1024 {
            put_stream(&mut round, RecordType::Stdout, id, &vec![b'x'; record]);
        }
        Self {
            head,
            round,
            at: 0,
            left: LARGE / 60_000,
            accepted: usize::MAX,
            sent: std::rc::Rc::default(),
        }
    }

    /// The rest of the round, and the next one when that is none.
    fn next_round(&mut self) {
        self.at = 0;
        self.head.clear();
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.round.clear();
            let end =
                EndRequest { app_status: 0, protocol_status: ProtocolStatus::RequestComplete };
            put_end_request(&mut self.head, RequestId::new(1).unwrap(), end);
        }
    }
}

impl Read for Application {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let source = if this.head.is_empty() { &this.round } else { &this.head };
        let rest = &source[this.at..];
        // What comes before the request would be a stranger's.
        if rest.is_empty() || this.sent.get() == 0 {
            return Poll::Pending;
        }
        let len = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..len]);
        this.at += len;
        if this.at == source.len() && this.left > 0 {
            this.next_round();
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Application {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let len = buf.len().min(self.accepted);
        self.sent.set(self.sent.get() + len);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn live() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const LARGE: usize = 64 << 20;

/// More than any of the transfers needs.
const POLLS: usize = 10_000;
