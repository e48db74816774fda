//! Any bytes an application may send, in reads of any size: the response comes or fails, the connection ends, and nothing panics.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Method, Request};
use http_body::Body;
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use support::{End, pipe};
use tower_fastcgi::client::{Stderr, conn};

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (is_head, chunk, bytes) = input;
    let (io, application) = pipe();
    let mut cx = Context::from_waker(Waker::noop());
    let mut builder = conn::Builder::new();
    builder.stderr(Stderr::discard());
    let mut handshake = Box::pin(builder.handshake(io));
    let Poll::Ready(made) = handshake.as_mut().poll(&mut cx) else { panic!("nothing to wait for") };
    let (mut send, mut connection) = made.expect("a connection");
    let mut request = Request::new(Full::new(Bytes::from_static(b"body")));
    *request.method_mut() = if is_head { Method::HEAD } else { Method::POST };
    let mut response = Box::pin(send.send_request(request));
    let mut body = None;
    let mut is_done = Pin::new(&mut connection).poll(&mut cx).is_ready();
    for part in bytes.chunks(usize::from(chunk).max(1)) {
        application.lock().send(part.to_vec());
        is_done = is_done || Pin::new(&mut connection).poll(&mut cx).is_ready();
        if let (None, Poll::Ready(answer)) = (&body, response.as_mut().poll(&mut cx)) {
            let Ok(answer) = answer else { return };
            assert!(!answer.status().is_informational());
            body = Some(answer.into_body());
        }
        let Some(body) = &mut body else { continue };
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut *body).poll_frame(&mut cx) {}
    }
    application.lock().end_input(End::Eof);
    is_done = is_done || Pin::new(&mut connection).poll(&mut cx).is_ready();
    assert!(is_done && send.is_closed());
});
