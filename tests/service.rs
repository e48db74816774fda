//! What the connection asks of a service and of its bodies, and what it lets them do.

mod support;

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, Ready, pending, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use support::{
    App, Ask, Client, DropFlag, Exec, Record, Server, Tasks, abort, begin, builder, serve,
    serve_with, text,
};
use tower_fastcgi::Incoming;
use tower_service::Service;

#[test]
fn each_request_gets_a_clone_that_is_asked_whether_it_is_ready_and_then_called_once() {
    for exec in Exec::ALL {
        let (mut server, mut client) = serve_with(&builder(), exec, Strict::default());
        client.send(begin(9).keep_conn());
        for id in [1, 2, 1, 3] {
            client.send(Ask::get("/").id(id).keep_conn());
            server.run();
            assert_eq!(client.response(id).text(), "strict", "{exec:?}");
        }
    }
}

#[test]
fn in_place_neither_the_service_nor_its_future_nor_its_bodies_need_be_send() {
    let (mut server, mut client) =
        Server::new(&builder(), Tasks::default(), Local(Rc::new("local".to_owned())));
    client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
    server.run();
    [1, 2].into_iter().for_each(|id| assert_eq!(client.response(id).text(), "local"));
}

#[test]
fn a_panic_of_the_services_clone_harms_its_own_request_only() {
    for exec in Exec::ALL {
        let (mut server, mut client) =
            serve_with(&builder(), exec, Fragile { panics: Panics::Clone });
        assert_survives(&mut server, &mut client);
    }
}

#[test]
fn a_panic_of_a_bodys_size_hint_harms_its_own_request_only() {
    for exec in Exec::ALL {
        let (mut server, mut client) =
            serve_with(&builder(), exec, Fragile { panics: Panics::SizeHint });
        assert_survives(&mut server, &mut client);
    }
}

#[test]
fn a_panic_of_a_bodys_is_end_stream_harms_its_own_request_only() {
    for exec in Exec::ALL {
        let (mut server, mut client) =
            serve_with(&builder(), exec, Fragile { panics: Panics::IsEndStream });
        assert_survives(&mut server, &mut client);
    }
}

#[test]
fn a_panic_of_a_frames_data_harms_its_own_request_only() {
    for exec in Exec::ALL {
        let (mut server, mut client) =
            serve_with(&builder(), exec, Fragile { panics: Panics::Chunk });
        assert_survives(&mut server, &mut client);
    }
}

#[test]
fn a_panic_of_an_errors_text_or_drop_harms_its_own_request_only() {
    for exec in Exec::ALL {
        let app = App::fallible(|request: Request<Incoming>| async move {
            match request.uri().path() {
                "/fine" => Ok(text("fine")),
                _ => Err(Spiteful.into()),
            }
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(begin(9).keep_conn());
        for id in [1, 2] {
            client.send(Ask::get("/").id(id).keep_conn());
            server.run();
            assert_eq!(client.response(id).status, 500, "{exec:?}");
            client.send(Ask::get("/fine").id(id).keep_conn());
            server.run();
            assert_eq!(client.response(id).text(), "fine", "{exec:?}");
        }
    }
}

#[test]
fn a_panic_of_the_drop_of_a_responses_extension_harms_its_own_request_only() {
    for exec in Exec::ALL {
        let app = App::new(|request: Request<Incoming>| async move {
            let mut response = text("fine");
            if request.uri().path() != "/fine" {
                response.extensions_mut().insert(Arc::new(Spiteful));
            }
            response
        });
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send(begin(9).keep_conn());
        for id in [1, 2] {
            client.send(Ask::get("/").id(id).keep_conn());
            server.run();
            client.recv_all();
            client.send(Ask::get("/fine").id(id + 2).keep_conn());
            server.run();
            assert_eq!(client.response(id + 2).text(), "fine", "{exec:?}");
        }
    }
}

#[test]
fn a_body_that_is_not_to_be_sent_is_dropped_and_not_read() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404)] {
        let flag = DropFlag::default();
        let app = App::new({
            let flag = flag.clone();
            move |_| {
                let body = Unread { _guard: flag.guard() };
                let response = Response::builder().status(StatusCode::from_u16(status).unwrap());
                ready(response.body(body).unwrap())
            }
        });
        let (mut server, mut client) = serve(app);
        client.send(Ask::get("/").method(method).keep_conn());
        server.run();
        let response = client.response(1);
        assert_eq!((response.status, response.body), (status, Vec::new()));
        assert!(flag.is_dropped(), "{method} {status}");
    }
}

#[test]
fn a_head_that_does_not_fit_one_record_is_a_500() {
    for (len, status) in [(60_000, 200), (65_600, 500), (200_000, 500)] {
        let app = App::new(move |_| {
            let response = Response::builder().header("x-long", "v".repeat(len));
            ready(response.body(Full::new(Bytes::from("body"))).unwrap())
        });
        let (mut server, mut client) = serve(app);
        client.send(Ask::get("/").keep_conn());
        server.run();
        let response = client.response(1);
        assert_eq!(response.status, status, "a header of {len} bytes");
        client.send(Ask::get("/").keep_conn());
        server.run();
        assert_eq!(client.response(1).status, status);
    }
}

#[test]
fn an_informational_status_is_a_500() {
    for status in [100, 101, 102, 103, 199] {
        let app = App::new(move |_| {
            let response = Response::builder().status(status);
            ready(response.body(Full::<Bytes>::default()).unwrap())
        });
        let (mut server, mut client) = serve(app);
        client.send(Ask::get("/").keep_conn());
        server.run();
        assert_eq!(client.response(1).status, 500);
    }
}

#[test]
fn a_task_that_the_executor_drops_is_a_500_and_the_connection_lives_on() {
    let (_, latch, app) = App::parked();
    let (mut server, mut client) = serve_with(&builder(), Exec::Spawned, app);
    client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
    server.run();
    let lost = server.tasks().live();
    server.tasks().clear();
    server.run();
    latch.open();
    server.run();
    let statuses = [1, 2].map(|id| client.response(id).status);
    assert_eq!(statuses.iter().filter(|&&status| status == 500).count(), lost);
    client.send(Ask::get("/").id(3).keep_conn());
    server.run();
    assert_eq!(client.response(3).text(), "parked");
}

#[test]
fn a_handler_that_answers_in_the_poll_in_which_it_is_aborted_ends_once() {
    for exec in Exec::ALL {
        let (_, latch, app) = App::parked();
        let (mut server, mut client) = serve_with(&builder(), exec, app);
        client.send([1, 2].into_iter().flat_map(|id| Ask::get("/").id(id).keep_conn()));
        server.run();
        latch.open();
        client.send([abort(1), abort(2)]);
        server.run();
        let records = client.recv_all();
        for id in [1, 2] {
            let ends = records.iter().filter(|&record| *record == Record::end(id)).count();
            assert_eq!(ends, 1, "{exec:?} id {id}");
        }
    }
}

/// Sends a request that goes wrong on two ids, and one that does not.
fn assert_survives(server: &mut Server, client: &mut Client) {
    client.send(begin(9).keep_conn());
    client.send(Ask::get("/waits").id(7).keep_conn());
    server.run();
    for id in [1, 2] {
        client.send(Ask::get("/breaks").id(id).keep_conn());
        server.run();
    }
    let records = client.recv_all();
    assert!(server.is_running(), "{:?}", server.outcome());
    assert!(!records.contains(&Record::Cut), "siblings are live");
    client.send(Ask::get("/fine").id(3).keep_conn());
    server.run();
    assert_eq!(client.response(3).text(), "fine");
}

/// A service that may be called only where it was found ready, and once.
#[derive(Default)]
struct Strict {
    is_ready: bool,
    was_called: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        assert!(!self.was_called, "a service that was called is not cloned");
        Self::default()
    }
}

impl Service<Request<Incoming>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        assert!(self.is_ready && !self.was_called);
        self.was_called = true;
        ready(Ok(text("strict")))
    }
}

#[derive(Clone)]
struct Local(Rc<String>);

impl Service<Request<Incoming>> for Local {
    type Response = Response<LocalBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        let data = self.0.clone();
        Box::pin(async { Ok(Response::new(LocalBody(Some(data)))) })
    }
}

struct LocalBody(Option<Rc<String>>);

impl Body for LocalBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(
            self.0.take().map(|data| Ok(Frame::data(Bytes::from(data.as_bytes().to_vec())))),
        )
    }
}

/// Breaks at one place when the path is "/breaks".
struct Fragile {
    panics: Panics,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Panics {
    Clone,
    SizeHint,
    IsEndStream,
    Chunk,
    Never,
}

thread_local! {
    static CLONES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        let clones = CLONES.get() + 1;
        CLONES.set(clones);
        // The first is the request that waits, the next two are those that break.
        assert!(self.panics != Panics::Clone || !matches!(clones, 2 | 3), "clone panics");
        Self { panics: self.panics }
    }
}

impl Service<Request<Incoming>> for Fragile {
    type Response = Response<FragileBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let panics = if path == "/breaks" { self.panics } else { Panics::Never };
        Box::pin(async move {
            if path == "/waits" {
                pending::<()>().await;
            }
            Ok(Response::new(FragileBody { data: Some("fine".into()), panics }))
        })
    }
}

struct FragileBody {
    data: Option<Bytes>,
    panics: Panics,
}

impl Body for FragileBody {
    type Data = FragileData;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<FragileData>, Infallible>>> {
        let panics = self.panics;
        Poll::Ready(self.data.take().map(|data| Ok(Frame::data(FragileData { data, panics }))))
    }

    fn is_end_stream(&self) -> bool {
        assert!(self.panics != Panics::IsEndStream, "is_end_stream panics");
        false
    }

    fn size_hint(&self) -> SizeHint {
        assert!(self.panics != Panics::SizeHint, "size_hint panics");
        SizeHint::default()
    }
}

struct FragileData {
    data: Bytes,
    panics: Panics,
}

impl Buf for FragileData {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        assert!(self.panics != Panics::Chunk, "chunk panics");
        self.data.chunk()
    }

    fn advance(&mut self, len: usize) {
        self.data.advance(len);
    }
}

/// An error that panics when it is told and when it goes.
#[derive(Debug)]
struct Spiteful;

impl fmt::Display for Spiteful {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("the text panics");
    }
}

impl StdError for Spiteful {}

impl Drop for Spiteful {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the drop panics");
        }
    }
}

struct Unread {
    _guard: support::DropGuard,
}

impl Body for Unread {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("nobody needs the body");
    }
}
