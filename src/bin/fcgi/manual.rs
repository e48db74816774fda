use clap::CommandFactory;

use crate::failure::{Failure, Outcome};
use crate::terminal;

/// Print the manual page.
///
/// Examples:
///   fcgi man | man -l -
///   fcgi man > ~/.local/share/man/man1/fcgi.1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options) -> Outcome {
    let page = clap_mangen::Man::new(crate::options::Options::command());
    let mut text = Vec::new();
    page.render(&mut text).map_err(|error| Failure::output(&error))?;
    terminal::print(&text)
}
