//! wrk through real web servers to one axum app, which is served over FastCGI and over HTTP/1.1 in the same run:
//! `cargo bench --bench proxy`, and `-- --help` for what else it can do.

use std::env::args_os;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use self::options::Options;
use self::program::guard;

mod app;
mod backend;
mod canned;
mod family;
mod front;
#[path = "../support/machine.rs"]
mod machine;
mod measure;
mod options;
#[allow(dead_code, reason = "wrk needs the headers alone")]
#[path = "../support/params.rs"]
mod params;
mod program;
mod protocols;
mod report;
mod row;
mod settings;
mod site;
#[path = "../support/statistics.rs"]
mod statistics;
mod stream;
mod streams;
mod table;
#[allow(dead_code, reason = "memory is not measured here")]
#[path = "../support/process/usage.rs"]
mod usage;
mod wrk;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = args_os().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == guard::BECOME => {
            Err(guard::become_program(rest.iter().cloned()))
        }
        Some((first, rest)) if first == backend::BACKEND => backend::run(rest),
        _ => bench(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[OsString]) -> io::Result<()> {
    let options = Options::parse(arguments).map_err(io::Error::other)?;
    let Some(options) = options else {
        println!("left out: cargo bench --bench proxy runs it");
        return Ok(());
    };
    if options.list {
        list();
        return Ok(());
    }
    protocols::TABLE.run(&options)?;
    settings::TABLE.run(&options)?;
    streams::run(&options)
}

fn list() {
    let rows = [protocols::TABLE.rows, settings::TABLE.rows].concat();
    rows.iter().for_each(|row| println!("{}", row.name));
    streams::SETUPS.iter().for_each(|setup| println!("{}", setup.name));
}
