use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};

use crate::failure::{Exit, Failure};
use crate::{bench, check, completions, dump, manual, request, serve};

/// Talk to FastCGI applications by hand, as curl does to HTTP servers.
///
/// ADDRESS is where an application listens: HOST:PORT, or unix:/PATH of a socket.
#[derive(Debug, Parser)]
#[command(name = "fcgi", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Request(Box<request::Options>),
    Dump(dump::Options),
    Serve(serve::Options),
    Bench(Box<bench::Options>),
    Check(Box<check::Options>),
    Completions(completions::Options),
    Man(manual::Options),
}

/// Tells what is wrong with the arguments, or shows the help that they ask for.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    let is_url = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => {
            argument.contains("ADDRESS") || argument.contains("TARGET")
        }
        _ => false,
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match printed {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Failure::output("standard output", &error).report(),
        },
        // That the others, which go to standard error, cannot be written can be told nobody.
        ErrorKind::ValueValidation if is_url => ExitCode::from(Exit::BadUrl as u8),
        _ => ExitCode::from(Exit::Usage as u8),
    }
}
