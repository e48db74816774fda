//! `fcgi`: asks FastCGI applications by hand, as curl does with HTTP servers.

#![forbid(unsafe_code)]
#![allow(dead_code)]

mod address;
mod completions;
mod failure;
mod manual;
mod options;
mod runtime;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::options::{Command, Options};

fn main() -> ExitCode {
    let outcome = match Options::parse().command {
        Command::Completions(options) => completions::run(&options),
        Command::Man(options) => manual::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
