//! `fcgi`: asks FastCGI applications by hand, as curl does with HTTP servers.

#![forbid(unsafe_code)]

mod address;
mod bench;
mod check;
mod completions;
mod connect;
mod dump;
mod failure;
mod interrupt;
mod listen;
mod manual;
mod options;
mod param;
mod request;
mod runtime;
mod seconds;
mod serve;
mod terminal;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use crate::options::{Command, Options};

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return options::refuse(&error),
    };
    let outcome = match options.command {
        Command::Request(options) => request::run(*options),
        Command::Dump(options) => dump::run(options),
        Command::Serve(options) => serve::run(options),
        Command::Bench(options) => bench::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Completions(options) => completions::run(&options),
        Command::Man(options) => manual::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
