//! Random scripts of what a web server and handlers do to a connection, in any order: nothing may be forgotten.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{
    App, Ask, BoxError, Client, Event, Exec, Feed, Latch, Rec, Record, Server, abort, data,
    end_data, end_stdin, feed, get_values, read_all, record, serve_with, stdin,
};
use tower_fastcgi::roles::FilterData;
use tower_fastcgi::server::Builder;
use tower_fastcgi::{Incoming, Role};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_script_of_anything_comes_to_its_end(script in script(), exec in exec(), is_narrow in any::<bool>()) {
        World::new(is_narrow, exec).play(&script);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Ask {
        id: u16,
        role: u16,
        kind: usize,
        keep: bool,
        length: Option<usize>,
        cut: usize,
    },
    Params(u16),
    Stdin(u16, usize),
    EndStdin(u16),
    Data(u16, usize),
    EndData(u16),
    Abort(u16),
    Values,
    UnknownType,
    UnknownRole(u16),
    Run,
    Poll,
    Room(usize),
    Cap(usize),
    Feed(u16, usize),
    FeedEnd(u16),
    FeedFail(u16),
    ReadBody(u16),
    DropBody(u16),
    ReadData(u16),
    DropData(u16),
    Open(u16),
    Graceful,
    Close,
    /// A record that must not come.
    Wrong(u16),
}

fn op() -> impl Strategy<Value = Op> {
    let id = 1..5u16;
    let ask = (
        1..5u16,
        prop_oneof![6 => Just(1), 1 => Just(2), 3 => Just(3)],
        0..KINDS.len(),
        prop::bool::weighted(0.95),
        prop::option::of(0..3000usize),
        0..40usize,
    )
        .prop_map(|(id, role, kind, keep, length, cut)| Op::Ask {
            id,
            role,
            kind,
            keep,
            length,
            cut,
        });
    prop_oneof![
        6 => ask,
        3 => id.clone().prop_map(Op::Params),
        6 => (id.clone(), 1..2000usize).prop_map(|(id, len)| Op::Stdin(id, len)),
        1 => (id.clone(), 30_000..65_000usize).prop_map(|(id, len)| Op::Stdin(id, len)),
        3 => id.clone().prop_map(Op::EndStdin),
        3 => (id.clone(), 1..2000usize).prop_map(|(id, len)| Op::Data(id, len)),
        1 => (id.clone(), 30_000..65_000usize).prop_map(|(id, len)| Op::Data(id, len)),
        2 => id.clone().prop_map(Op::EndData),
        2 => id.clone().prop_map(Op::Abort),
        1 => Just(Op::Values),
        1 => Just(Op::UnknownType),
        1 => (5..7u16).prop_map(Op::UnknownRole),
        8 => Just(Op::Run),
        2 => Just(Op::Poll),
        2 => (0..3000usize).prop_map(Op::Room),
        2 => Just(Op::Room(usize::MAX)),
        1 => (1..200usize).prop_map(Op::Cap),
        4 => (id.clone(), 0..6000usize).prop_map(|(id, len)| Op::Feed(id, len)),
        2 => id.clone().prop_map(Op::FeedEnd),
        1 => id.clone().prop_map(Op::FeedFail),
        3 => id.clone().prop_map(Op::ReadBody),
        1 => id.clone().prop_map(Op::DropBody),
        2 => id.clone().prop_map(Op::ReadData),
        1 => id.clone().prop_map(Op::DropData),
        3 => id.clone().prop_map(Op::Open),
    ]
}

fn script() -> impl Strategy<Value = Vec<Op>> {
    let tail = prop_oneof![4 => Just(None), 1 => Just(Some(Op::Graceful)), 1 => Just(Some(Op::Close)),
        1 => (1..5u16).prop_map(|id| Some(Op::Wrong(id)))];
    (vec(op(), 1..60), tail, vec(op(), 0..20)).prop_map(|(mut head, tail, rest)| {
        if let Some(op) = tail {
            head.push(op);
            head.extend(rest);
        }
        head
    })
}

fn exec() -> impl Strategy<Value = Exec> {
    prop::sample::select(Exec::ALL.to_vec())
}

/// The test's hold on one request's handler.
#[derive(Default)]
struct Control {
    latch: Latch,
    feed: Option<Feed>,
    body: Option<Incoming>,
    data: Option<FilterData>,
}

type Controls = Arc<Mutex<HashMap<u64, Control>>>;

/// The path says what kind of handler a request gets, and its number.
fn app(controls: Controls) -> App {
    App::fallible(move |mut request: Request<Incoming>| {
        let controls = controls.clone();
        async move {
            let path = request.uri().path().to_owned();
            let (kind, serial) = path[1..].split_once('/').expect("a kind and a number");
            let enter = |control| {
                controls.lock().unwrap().insert(serial.parse().expect("a number"), control);
            };
            let data = FilterData::take(&mut request);
            let is_filter = request.extensions().get() == Some(&Role::Filter);
            assert_eq!(data.is_some(), is_filter);
            let body = request.into_body();
            // Whoever reads only the body must not keep it out with the data.
            let keeps = matches!(kind, "feed" | "elsewhere" | "park" | "fail");
            let data = if keeps {
                data
            } else {
                enter(Control { data, ..Control::default() });
                None
            };
            match kind {
                "hello" => Ok(whole("hello")),
                "big" => Ok(whole(vec![b'b'; 200_000])),
                "many" => Ok(frames(40)),
                "echo" => Ok(whole(read_all(body).await.unwrap_or_default())),
                "stream" => Ok(Response::new(body.map_err(BoxError::from).boxed_unsync())),
                "feed" => {
                    let (feed, response) = feed();
                    enter(Control {
                        feed: Some(feed),
                        body: Some(body),
                        data,
                        ..Control::default()
                    });
                    Ok(Response::new(response.boxed_unsync()))
                }
                "elsewhere" => {
                    enter(Control { body: Some(body), data, ..Control::default() });
                    Ok(whole("elsewhere"))
                }
                _ => {
                    let latch = Latch::default();
                    enter(Control { latch: latch.clone(), body: Some(body), feed: None, data });
                    latch.wait().await;
                    if kind == "park" { Ok(whole("parked")) } else { Err("failed".into()) }
                }
            }
        }
    })
}

fn whole(body: impl Into<Bytes>) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
    Response::new(Full::new(body.into()).map_err(BoxError::from).boxed_unsync())
}

/// More frames than wait anywhere, and no length that would end them.
fn frames(count: usize) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
    let frame = || Ok(Frame::data(Bytes::from_static(&[b'm'; 3000])));
    let frames = stream::iter(std::iter::repeat_with(frame).take(count));
    Response::new(StreamBody::new(frames).boxed_unsync())
}

/// What the web server still has to send for a live id.
struct Live {
    params: Vec<Rec>,
    stdin_left: Option<usize>,
    stdin_open: bool,
    data_open: bool,
}

struct World {
    server: Server,
    client: Client,
    controls: Controls,
    live: BTreeMap<u16, Live>,
    serials: BTreeMap<u16, u64>,
    begun: usize,
    ended: usize,
    is_closed: bool,
    is_cut: bool,
    may_end: bool,
}

impl World {
    fn new(is_narrow: bool, exec: Exec) -> Self {
        let controls = Controls::default();
        let builder = if is_narrow { narrow() } else { builder() };
        let (server, client) = serve_with(&builder, exec, app(controls.clone()));
        Self {
            server,
            client,
            controls,
            live: BTreeMap::new(),
            serials: BTreeMap::new(),
            begun: 0,
            ended: 0,
            is_closed: false,
            is_cut: false,
            may_end: false,
        }
    }

    fn play(mut self, script: &[Op]) {
        script.iter().for_each(|op| self.apply(op));
        self.finish();
    }

    fn can_send(&self) -> bool {
        !self.is_closed && self.server.is_running()
    }

    fn send(&mut self, records: impl IntoIterator<Item = Rec>) {
        if self.can_send() {
            self.client.send(records);
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Ask { id, role, kind, keep, length, cut } => {
                self.ask(id, role, kind, keep, length, cut);
            }
            Op::Params(id) => {
                if let Some(live) = self.live.get_mut(&id) {
                    let rest = std::mem::take(&mut live.params);
                    self.send(rest);
                }
            }
            Op::Stdin(id, len) => self.stdin(id, len),
            Op::EndStdin(id) => self.end_stdin(id),
            Op::Data(id, len) => self.data(id, data(id, vec![b'd'; len])),
            Op::EndData(id) => self.end_data(id),
            Op::Abort(id) => {
                self.send(abort(id));
                if let Some(live) = self.live.get_mut(&id) {
                    live.stdin_open = false;
                    live.data_open = false;
                    live.params.clear();
                }
            }
            Op::Values => self.send(get_values(&["FCGI_MAX_REQS"])),
            Op::UnknownType => self.send(record(50, 0, "x")),
            Op::UnknownRole(id) => {
                // Refused at once, so that the id stays free.
                self.send(support::begin(id).role(7).keep_conn());
            }
            Op::Run => self.run(),
            Op::Poll => _ = self.server.poll_connection(),
            Op::Room(room) => {
                if room == usize::MAX {
                    self.client.cap_writes(usize::MAX);
                }
                self.client.read_only(room);
            }
            Op::Cap(cap) => self.client.cap_writes(cap),
            Op::Feed(id, len) => self.feed(id, |feed| feed.send(vec![b'f'; len])),
            Op::FeedEnd(id) => self.feed(id, Feed::end),
            Op::FeedFail(id) => self.feed(id, Feed::fail),
            Op::ReadBody(id) => self.control(id, |control| {
                if let Some(body) = &mut control.body {
                    let cx = &mut Context::from_waker(Waker::noop());
                    if let Poll::Ready(None | Some(Err(_))) = Pin::new(body).poll_frame(cx) {
                        control.body = None;
                    }
                }
            }),
            Op::DropBody(id) => self.control(id, |control| control.body = None),
            Op::ReadData(id) => self.control(id, |control| {
                if let Some(data) = &mut control.data {
                    let cx = &mut Context::from_waker(Waker::noop());
                    if let Poll::Ready(None | Some(Err(_))) = Pin::new(data).poll_frame(cx) {
                        control.data = None;
                    }
                }
            }),
            Op::DropData(id) => self.control(id, |control| control.data = None),
            Op::Open(id) => self.control(id, |control| control.latch.open()),
            Op::Graceful => {
                if self.server.is_running() {
                    self.server.graceful_shutdown();
                    self.may_end = true;
                }
            }
            Op::Wrong(id) => {
                let wrong =
                    if id == 1 { stdin(0, "id 0") } else { support::end_params(id).version(7) };
                self.send(wrong);
                self.may_end = true;
            }
            Op::Close => {
                if !self.is_closed {
                    self.client.close();
                    self.is_closed = true;
                    self.may_end = true;
                }
            }
        }
    }

    fn ask(
        &mut self,
        id: u16,
        role: u16,
        kind: usize,
        keep: bool,
        length: Option<usize>,
        cut: usize,
    ) {
        if self.live.contains_key(&id) || !self.can_send() {
            return;
        }
        let serial = self.begun as u64;
        self.begun += 1;
        let content_length = length.map(|length| length.to_string());
        let ask = Ask::post(&format!("/{}/{serial}", KINDS[kind]), "")
            .id(id)
            .role(role)
            .content_length(content_length.as_deref());
        let ask = if keep { ask.keep_conn() } else { ask };
        let mut head = ask.head();
        let params = if cut < 10 { head.split_off((cut % head.len()).max(1)) } else { vec![] };
        self.may_end |= !keep;
        self.live
            .insert(id, Live { params, stdin_left: length, stdin_open: true, data_open: true });
        self.serials.insert(id, serial);
        self.send(head);
    }

    fn stdin(&mut self, id: u16, len: usize) {
        let Some(live) = self.live.get_mut(&id) else { return };
        if !live.params.is_empty() || !live.stdin_open {
            return;
        }
        if let Some(left) = &mut live.stdin_left {
            *left = left.saturating_sub(len);
        }
        self.send(stdin(id, vec![b's'; len]));
    }

    fn end_stdin(&mut self, id: u16) {
        let Some(live) = self.live.get_mut(&id) else { return };
        if live.params.is_empty() && live.stdin_open {
            live.stdin_open = false;
            self.send(end_stdin(id));
        }
    }

    /// A Responder's and an Authorizer's request may get some, too: it is nobody's.
    fn data(&mut self, id: u16, record: Rec) {
        let Some(live) = self.live.get(&id) else { return };
        if live.params.is_empty() && live.data_open {
            self.send(record);
        }
    }

    fn end_data(&mut self, id: u16) {
        self.data(id, end_data(id));
        if let Some(live) = self.live.get_mut(&id) {
            live.data_open &= !live.params.is_empty();
        }
    }

    fn control(&self, id: u16, act: impl FnOnce(&mut Control)) {
        let Some(serial) = self.serials.get(&id) else { return };
        if let Some(control) = self.controls.lock().unwrap().get_mut(serial) {
            act(control);
        }
    }

    fn feed(&self, id: u16, act: impl FnOnce(&Feed)) {
        let mut feed = None;
        self.control(id, |control| feed = control.feed.clone());
        if let Some(feed) = feed {
            act(&feed);
        }
    }

    /// Runs until nothing is woken, and checks that nothing was forgotten.
    fn run(&mut self) {
        self.server.run();
        let before = self.progress();
        self.server.poll_unasked();
        self.server.tasks().poll_unasked();
        assert!(!self.server.is_woken(), "what was not woken had something to do");
        assert_eq!(self.progress(), before, "what was not woken moved");
        self.receive();
    }

    fn progress(&self) -> (usize, bool) {
        let moves = |event: &Event| {
            !matches!(
                event,
                Event::ReadPending | Event::WritePending | Event::Flush | Event::ReadEof
            )
        };
        (self.client.events().iter().filter(|event| moves(event)).count(), self.server.is_running())
    }

    fn receive(&mut self) {
        for record in self.client.recv_all() {
            assert!(!self.is_cut, "{record:?} after the cut");
            match record {
                Record::End { id, protocol_status: 3, .. } => assert!(id >= 5),
                Record::End { id, .. } => {
                    self.ended += 1;
                    let live = self.live.remove(&id);
                    assert!(live.is_some(), "id {id} is ended, but it is not live");
                }
                Record::Stdout { id, .. } => {
                    assert!(self.live.contains_key(&id), "STDOUT of {id}, which is not live");
                }
                Record::Cut => self.is_cut = true,
                Record::Values(_) | Record::UnknownType(_) => {}
                Record::Stderr { .. } => panic!("{record:?}"),
            }
        }
    }

    /// Both ends do what they owe; then everything must come to its end.
    fn finish(&mut self) {
        self.client.cap_writes(usize::MAX);
        self.client.read_on();
        for _ in 0..20 {
            self.run();
            let ids: Vec<u16> = self.live.keys().copied().collect();
            for id in ids {
                self.apply(&Op::Params(id));
                if let Some(left) = self.live.get(&id).and_then(|live| live.stdin_left) {
                    if left > 0 {
                        self.stdin(id, left);
                    }
                }
                self.end_stdin(id);
                self.end_data(id);
            }
            self.run();
            for control in self.controls.lock().unwrap().values_mut() {
                control.body = None;
                control.data = None;
                control.latch.open();
                control.feed.iter().for_each(Feed::end);
            }
            self.run();
        }
        if self.server.is_running() && !self.client.write_half_is_shut() {
            assert!(self.live.is_empty(), "never answered: {:?}", self.live.keys());
            assert_eq!(self.begun, self.ended);
        } else {
            assert!(self.may_end || self.is_cut, "{:?}", self.server.outcome());
        }
        let was_closed = self.is_closed;
        self.apply(&Op::Close);
        self.server.run();
        assert!(!self.server.is_running(), "the connection is not over");
        assert_eq!(self.server.tasks().live(), 0, "tasks outlive the connection");
        self.receive();
        assert!(was_closed || self.client.has_nothing(), "a part of a record");
    }
}

fn builder() -> Builder {
    let mut builder = support::builder();
    builder.roles([Role::Responder, Role::Authorizer, Role::Filter]);
    builder
}

/// Limits that scripts reach.
fn narrow() -> Builder {
    let mut builder = builder();
    builder.max_body_buf_size(1500).max_send_buf_size(1500);
    builder.max_control_buf_size(60).max_requests(3);
    builder
}

const KINDS: [&str; 9] =
    ["hello", "echo", "stream", "feed", "park", "elsewhere", "big", "many", "fail"];
