//! Whole connections under random scripts, cut anywhere, read and written in any pieces.

mod support;

use std::collections::VecDeque;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use support::{
    App, Ask, Client, Exec, Rec, Server, abort, builder, bytes_of, get_values, read_all, serve_with,
};
use tower_fastcgi::{Error, Incoming};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_answered_once_with_its_own_body(script in script()) {
        Run::new(&script).play();
    }

    #[test]
    fn any_bytes_end_in_an_outcome_and_never_in_a_panic(
        bytes in prop::collection::vec(prop_oneof![4 => 0_u8..12, 1 => any::<u8>()], 0..2000),
        chunk in 1_usize..500,
        exec in exec(),
    ) {
        assert_ends(&bytes, chunk, exec);
    }

    #[test]
    fn any_records_end_in_an_outcome_and_never_in_a_panic(
        records in prop::collection::vec(any_record(), 0..60),
        chunk in 1_usize..500,
        exec in exec(),
    ) {
        assert_ends(&bytes_of(records), chunk, exec);
    }

    #[test]
    fn a_good_request_with_one_byte_changed_ends_in_an_outcome_and_never_in_a_panic(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        chunk in 1_usize..500,
        exec in exec(),
    ) {
        let mut bytes = bytes_of([1, 2].into_iter().flat_map(|id| Ask::post("/echo", "body").id(id)));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        assert_ends(&bytes, chunk, exec);
    }
}

/// What the web server does: requests on up to four ids, and in which pieces their bytes go out and the answers come in.
#[derive(Clone, Debug)]
struct Script {
    lanes: Vec<Vec<Planned>>,
    /// Whose record is next, and what happens then.
    steps: Vec<(prop::sample::Index, Step)>,
    exec: Exec,
    vectored: bool,
    write_cap: usize,
    body_budget: usize,
    send_budget: usize,
}

#[derive(Clone, Debug)]
struct Planned {
    path: &'static str,
    body: Vec<u8>,
    record_size: usize,
    padding: u8,
    announces_length: bool,
    sends_end: bool,
    aborts_after: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The bytes so far go out, a read each taking at most so many.
    Send(usize),
    Run,
    ReadOnly(usize),
    ReadOn,
    AskValues,
}

fn script() -> impl Strategy<Value = Script> {
    let lanes = prop::collection::vec(prop::collection::vec(planned(), 1..4), 1..5);
    let steps = prop::collection::vec((any::<prop::sample::Index>(), step()), 0..80);
    let sizes = (1_usize..3000, 1_usize..3000, 1_usize..3000);
    (lanes, steps, exec(), any::<bool>(), sizes).prop_map(
        |(lanes, steps, exec, vectored, (write_cap, body_budget, send_budget))| Script {
            lanes,
            steps,
            exec,
            vectored,
            write_cap,
            body_budget,
            send_budget,
        },
    )
}

fn planned() -> impl Strategy<Value = Planned> {
    let path = prop::sample::select(vec!["/echo", "/stream", "/ignore", "/drop"]);
    let body = prop::collection::vec(any::<u8>(), 0..4000);
    let aborts = prop::option::weighted(0.2, 0_usize..8);
    (path, body, 1_usize..4000, any::<u8>(), any::<bool>(), any::<bool>(), aborts).prop_map(
        |(path, body, record_size, padding, announces_length, sends_end, aborts_after)| Planned {
            path,
            body,
            record_size,
            padding,
            announces_length,
            sends_end: sends_end || !announces_length,
            aborts_after,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_usize..5000).prop_map(Step::Send),
        3 => Just(Step::Run),
        1 => (0_usize..2000).prop_map(Step::ReadOnly),
        1 => Just(Step::ReadOn),
        1 => Just(Step::AskValues),
    ]
}

fn exec() -> impl Strategy<Value = Exec> {
    prop::sample::select(Exec::ALL.to_vec())
}

impl Planned {
    fn records(&self, id: u16) -> VecDeque<Rec> {
        let length = self.body.len().to_string();
        let content_length = if self.announces_length { Some(&*length) } else { None };
        let ask = Ask::post(self.path, "").content_length(content_length).id(id).keep_conn();
        let mut records = ask.head();
        records.extend(self.body.chunks(self.record_size).map(|part| support::stdin(id, part)));
        if self.sends_end {
            records.push(support::end_stdin(id));
        }
        let mut records: VecDeque<Rec> =
            records.into_iter().map(|record| record.padding(self.padding)).collect();
        if let Some(after) = self.aborts_after {
            records.truncate(after.max(1));
            records.push_back(abort(id));
        }
        records
    }
}

/// The requests of one id, one after the other.
struct Lane {
    id: u16,
    planned: VecDeque<Planned>,
    current: Option<Planned>,
    to_send: VecDeque<Rec>,
}

impl Lane {
    /// The next record, if there is one that may be sent: an id begins again only after its end.
    fn next(&mut self) -> Option<Rec> {
        if self.to_send.is_empty() && self.current.is_none() {
            self.current = self.planned.pop_front();
            self.to_send = self.current.as_ref()?.records(self.id);
        }
        self.to_send.pop_front()
    }

    fn is_done(&self) -> bool {
        self.planned.is_empty() && self.current.is_none() && self.to_send.is_empty()
    }
}

struct Run<'a> {
    script: &'a Script,
    server: Server,
    client: Client,
    lanes: Vec<Lane>,
    outgoing: Vec<u8>,
    values_asked: usize,
    values_told: usize,
}

impl<'a> Run<'a> {
    fn new(script: &'a Script) -> Self {
        let mut builder = builder();
        builder.max_body_buf_size(script.body_budget).max_send_buf_size(script.send_budget);
        let (server, client) = serve_with(&builder, script.exec, app());
        client.cap_writes(script.write_cap);
        if !script.vectored {
            client.without_vectored_writes();
        }
        let lane = |(at, planned): (usize, &Vec<Planned>)| Lane {
            id: [1, 2, 300, 65_535][at],
            planned: planned.clone().into(),
            current: None,
            to_send: VecDeque::new(),
        };
        let lanes = script.lanes.iter().enumerate().map(lane).collect();
        Self {
            script,
            server,
            client,
            lanes,
            outgoing: Vec::new(),
            values_asked: 0,
            values_told: 0,
        }
    }

    fn play(mut self) {
        for (lane, step) in &self.script.steps {
            let at = lane.index(self.lanes.len());
            self.send_one(at);
            self.take(*step);
        }
        self.client.read_on();
        let mut rounds = 0;
        while !self.lanes.iter().all(Lane::is_done) {
            for at in 0..self.lanes.len() {
                self.send_one(at);
            }
            self.take(Step::Send(usize::MAX));
            self.take(Step::Run);
            rounds += 1;
            assert!(rounds < 100_000, "it hangs");
        }
        self.take(Step::Send(usize::MAX));
        self.take(Step::Run);
        assert_eq!(self.values_asked, self.values_told);
        assert!(self.client.has_nothing());
        assert!(self.server.is_running());
        self.client.close();
        self.server.run();
        self.server.assert_ended_well();
        assert_eq!(self.server.tasks().live(), 0);
    }

    fn send_one(&mut self, lane: usize) {
        if let Some(record) = self.lanes[lane].next() {
            record.put(&mut self.outgoing);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Send(len) => {
                let outgoing = std::mem::take(&mut self.outgoing);
                self.client.send_in_chunks(&outgoing, len);
            }
            Step::Run => {
                self.server.run();
                self.check_answers();
            }
            Step::ReadOnly(len) => self.client.read_only(len),
            Step::ReadOn => self.client.read_on(),
            Step::AskValues => {
                get_values(&["FCGI_MAX_REQS"]).put(&mut self.outgoing);
                self.values_asked += 1;
            }
        }
    }

    fn check_answers(&mut self) {
        for lane in &mut self.lanes {
            let Some(current) = &lane.current else { continue };
            if current.aborts_after.is_some() {
                // Whether it was answered before the abort came is a matter of time.
                if self.client.drop_response(lane.id) {
                    lane.current = None;
                }
            } else if let Some(response) = self.client.try_response(lane.id) {
                assert_eq!((response.status, response.protocol_status), (200, 0));
                let echoes = matches!(current.path, "/echo" | "/stream");
                let expected = if echoes { &current.body[..] } else { b"fixed" };
                assert!(response.body == expected, "{} of {current:?}", response.body.len());
                lane.current = None;
            }
        }
        self.values_told += self.client.drop_values();
    }
}

fn app() -> App {
    App::new(|request: Request<Incoming>| async {
        Response::new(match request.uri().path() {
            "/stream" => request.into_body().boxed(),
            "/echo" => match read_all(request.into_body()).await {
                Ok(body) => full(body),
                Err(_) => full("cut"),
            },
            "/drop" => {
                let mut body = request.into_body();
                let _first = body.frame().await;
                full("fixed")
            }
            _ => full("fixed"),
        })
    })
}

fn full(data: impl Into<Bytes>) -> BoxBody<Bytes, Error> {
    Full::new(data.into()).map_err(|never| match never {}).boxed()
}

fn any_record() -> impl Strategy<Value = Rec> {
    let ask = Ask::post("/echo", "body");
    let head = support::pairs(ask.params());
    let content = prop_oneof![
        2 => Just(Vec::new()),
        2 => Just(head),
        1 => Just(vec![0, 1, 1, 0, 0, 0, 0, 0]),
        1 => Just(vec![0, 1, 0, 0, 0, 0, 0, 0]),
        1 => prop::collection::vec(any::<u8>(), 0..50),
    ];
    let id = prop::sample::select(vec![1_u16, 1, 1, 2, 2, 3, 0]);
    let kind = prop::sample::select(vec![1_u8, 1, 2, 4, 4, 4, 5, 5, 5, 8, 9, 12]);
    (kind, id, content, 0_u8..20).prop_map(|(kind, id, content, padding)| {
        support::record(kind, id, content).padding(padding)
    })
}

fn assert_ends(bytes: &[u8], chunk: usize, exec: Exec) {
    let (mut server, mut client) = serve_with(&builder(), exec, app());
    for part in bytes.chunks(chunk) {
        client.send_bytes(part);
        server.run();
    }
    client.close();
    server.run();
    assert!(!server.is_running());
    assert_eq!(server.tasks().live(), 0);
    // A panic within an exchange is caught, and answered so.
    let output = client.recv_bytes();
    assert!(!output.windows(11).any(|window| window == b"Status: 500"));
}
