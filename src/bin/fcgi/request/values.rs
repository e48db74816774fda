use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_fastcgi::client::Escaped;
use tower_fastcgi::record::{RecordType, put_pair, put_record, values};

use super::options::Options;
use super::transcript::Transcript;
use crate::address::Address;
use crate::connect::connect;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal;
use crate::wire::{Interpreter, Meaning, Pair, Piece, Record, Splitter, quoted};

/// Asks for the application's limits and prints them.
pub(super) async fn run(options: &Options) -> Outcome {
    let limit = options.max_time.unwrap_or(DEFAULT_LIMIT);
    let asked = ask(options);
    let pairs = tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(late(limit)))?;
    match options.json {
        true => terminal::print(as_json(&options.address, &pairs).as_bytes()),
        false => terminal::print(as_table(&pairs).as_bytes()),
    }
}

async fn ask(options: &Options) -> Outcome<Vec<Pair>> {
    let transcript = Transcript::new(options.verbose, false);
    let io = connect(&options.address, options.connect_timeout).await?;
    transcript.note(format_args!("connected to {}", options.address));
    let mut io = TokioIo::new(transcript.of(io));
    io.write_all(&question()).await.map_err(|error| broken(&error))?;
    let (mut splitter, mut block) = (Splitter::default(), [0; BLOCK]);
    loop {
        let len = io.read(&mut block).await.map_err(|error| broken(&error))?;
        if len == 0 {
            return Err(unanswered(&splitter));
        }
        let mut first = None;
        splitter.push(&block[..len], |piece| {
            first.get_or_insert(piece);
        });
        if let Some(piece) = first {
            return answer(piece);
        }
    }
}

fn question() -> Vec<u8> {
    let (mut names, mut record) = (Vec::new(), Vec::new());
    for name in [values::MAX_CONNS, values::MAX_REQS, values::MPXS_CONNS] {
        put_pair(&mut names, name.as_bytes(), b"");
    }
    put_record(&mut record, RecordType::GetValues, None, &names);
    record
}

fn answer(piece: Piece) -> Outcome<Vec<Pair>> {
    let record = match piece {
        Piece::Record(record) => record,
        Piece::Foreign { start, .. } => {
            let message = format!("what came back is not FastCGI: {}", quoted(&start, 40));
            return Err(Failure::new(Exit::Foreign, message)
                .advise("find the port that speaks FastCGI; ask this one with curl"));
        }
    };
    match (record.header.record_type, Interpreter::default().read(&record)) {
        (RecordType::GetValuesResult, Meaning::Pairs { pairs, .. }) => Ok(pairs),
        (RecordType::UnknownType, _) => Err(unknown()),
        _ => Err(unexpected(&record)),
    }
}

fn unknown() -> Failure {
    let message = "the application does not know FCGI_GET_VALUES (it answered FCGI_UNKNOWN_TYPE)";
    Failure::new(Exit::Foreign, message).advise("take it for one request at a time on a connection")
}

fn unexpected(record: &Record) -> Failure {
    let message = format!("the answer is not what was asked for: {}", record.header.record_type);
    Failure::new(Exit::Foreign, message).advise("-v shows what came")
}

fn unanswered(splitter: &Splitter) -> Failure {
    let message = match splitter.unfinished() {
        Some(part) => format!("the answer ends within {part}"),
        None => "the application closed the connection without an answer".to_owned(),
    };
    Failure::new(Exit::Empty, message)
        .advise("does it know FCGI_GET_VALUES? Take it for one request at a time on a connection")
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(Exit::Receive, format_args!("connection error: {error}"))
        .advise("see the application's log: it may have crashed, or refuse this client")
}

fn late(limit: Duration) -> Failure {
    let message = format!("no answer to FCGI_GET_VALUES within {} s", limit.as_secs_f64());
    Failure::new(Exit::Timeout, message).advise(
        "programs with libfcgi never answer; or the application is busy: --max-time gives it longer",
    )
}

fn as_table(pairs: &[Pair]) -> String {
    let rows = pairs.iter().map(|(name, value)| {
        let (name, value) = (Escaped(name).to_string(), Escaped(value).to_string());
        format!("{name:<16} {value:>6}  {}\n", explained(&name))
    });
    let table: String = rows.collect();
    if table.is_empty() { "The application says nothing about itself.\n".to_owned() } else { table }
}

fn explained(name: &str) -> &'static str {
    match name {
        values::MAX_CONNS => "connections at a time",
        values::MAX_REQS => "requests at a time",
        values::MPXS_CONNS => "1: several requests at a time on a connection, 0: one",
        _ => "",
    }
}

fn as_json(address: &Address, pairs: &[Pair]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let values: Map<_, _> =
        pairs.iter().map(|(name, value)| (text(name), Value::from(text(value)))).collect();
    format!("{}\n", json!({ "address": address.to_string(), "values": values }))
}

/// Without --max-time.
const DEFAULT_LIMIT: Duration = Duration::from_secs(5);
const BLOCK: usize = 4096;
