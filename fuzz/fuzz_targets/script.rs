//! Any order of records, reads, writes and endings: each begun request ends at most once, and the connection ends.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use arbitrary::Arbitrary;
use http_body_util::Either;
use libfuzzer_sys::fuzz_target;
use support::{App, Ask, Exec, Rec, Record, abort, begin, builder, data, end_data, end_params};
use support::{end_stdin, get_values, pairs, params, record, serve_with, stdin};
use tower_fastcgi::Role;
use tower_fastcgi::roles::FilterData;

#[derive(Arbitrary, Debug)]
enum Op {
    Begin { id: u8, keep_conn: bool, role: u8 },
    Params { id: u8, cut: u8 },
    EndParams { id: u8 },
    Ask { id: u8, role: u8, stream: bool, body: u16 },
    Stdin { id: u8, len: u16 },
    EndStdin { id: u8 },
    Data { id: u8, len: u16 },
    EndData { id: u8 },
    Abort { id: u8 },
    Other { kind: u8, id: u8 },
    GetValues,
    Run,
    ReadOnly(u16),
    ReadOn,
    BreakWrites,
}

fuzz_target!(|input: (u8, u16, Vec<Op>)| {
    let (exec, limit, ops) = input;
    let exec = Exec::ALL[usize::from(exec) % Exec::ALL.len()];
    let mut builder = builder();
    builder.max_body_buf_size(limit.into()).max_send_buf_size(limit.into()).max_requests(3);
    builder.roles([Role::Responder, Role::Authorizer, Role::Filter]);
    let app = App::new(|mut request: http::Request<tower_fastcgi::Incoming>| async {
        let data = FilterData::take(&mut request);
        http::Response::new(match data {
            Some(data) => Either::Left(data),
            None => Either::Right(request.into_body()),
        })
    });
    let (mut server, mut client) = serve_with(&builder, exec, app);
    let mut begun = 0;
    for op in ops {
        match op {
            Op::Run => server.run(),
            Op::ReadOnly(len) => client.read_only(len.into()),
            Op::ReadOn => client.read_on(),
            Op::BreakWrites => client.break_writes(),
            op => {
                let records = records(op);
                begun += records.iter().filter(|record| record.is_begin()).count();
                client.send(records);
            }
        }
    }
    client.read_on();
    server.run();
    client.close();
    server.run();
    assert!(!server.is_running());
    assert_eq!(server.tasks().live(), 0);
    let ends = client.recv_all().into_iter().filter(|record| matches!(record, Record::End { .. }));
    assert!(ends.count() <= begun);
});

fn records(op: Op) -> Vec<Rec> {
    let content = || pairs(Ask::get("/").params());
    match op {
        Op::Begin { id, keep_conn: true, role } => {
            vec![begin(id.into()).role(role.into()).keep_conn()]
        }
        Op::Begin { id, keep_conn: false, role } => vec![begin(id.into()).role(role.into())],
        Op::Params { id, cut } => vec![params(id.into(), content().split_off(cut.into()))],
        Op::EndParams { id } => vec![end_params(id.into())],
        Op::Ask { id, role, stream, body } => {
            let ask = Ask::post("/", vec![0; body.into()]).id(id.into()).role((role % 4).into()).keep_conn();
            ask.content_length(if stream { None } else { Some("1000") }).into_iter().collect()
        }
        Op::Stdin { id, len } => vec![stdin(id.into(), vec![0; usize::from(len).max(1)])],
        Op::EndStdin { id } => vec![end_stdin(id.into())],
        Op::Data { id, len } => vec![data(id.into(), vec![0; usize::from(len).max(1)])],
        Op::EndData { id } => vec![end_data(id.into())],
        Op::Abort { id } => vec![abort(id.into())],
        Op::Other { kind, id } => vec![record(kind, id.into(), "")],
        _ => vec![get_values(&["FCGI_MPXS_CONNS"])],
    }
}
