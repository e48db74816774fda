use clap::{Parser, Subcommand};

use crate::{completions, manual};

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
    Completions(completions::Options),
    Man(manual::Options),
}
