use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::failure::{Exit, Failure, Outcome};
use crate::terminal;

/// Print a page of the manual
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The page of this subcommand
    #[arg(value_name = "COMMAND")]
    command: Option<String>,

    /// Write all pages to this folder instead
    #[arg(short, long, value_name = "FOLDER", conflicts_with = "command")]
    output: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let mut program = crate::options::Options::command();
    // Names the subcommands in full.
    program.build();
    match (&options.output, &options.command) {
        (Some(folder), _) => write_all(&program, folder),
        (None, Some(name)) => match program.find_subcommand(name) {
            Some(command) => terminal::print(&page(command)),
            None => Err(unknown(name)),
        },
        (None, None) => terminal::print(&page(&program)),
    }
}

fn unknown(name: &str) -> Failure {
    Failure::new(Exit::Usage, format_args!("there is no command {name}"))
        .advise("fcgi --help lists them")
}

fn write_all(program: &Command, folder: &Path) -> Outcome {
    let commands = std::iter::once(program).chain(program.get_subcommands());
    commands.into_iter().try_for_each(|command| {
        let path = folder.join(format!("{}.1", file_name(command)));
        let written = std::fs::write(&path, page(command));
        written.map_err(|error| Failure::output(path.display(), &error))
    })
}

/// `fcgi-request`, as the pages of git's commands are named.
fn file_name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command) -> Vec<u8> {
    let mut text = Vec::new();
    render(command, &mut text).expect("a vector takes all that is written");
    text
}

fn render(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    let examples = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.clone().after_help(None::<&str>))
        .title(file_name(command))
        .manual("FastCGI tools")
        .source(concat!("tower-fastcgi ", env!("CARGO_PKG_VERSION")))
        .date("");
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    if command.get_arguments().next().is_some() {
        man.render_options_section(text)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(text)?;
    }
    exit_status().to_writer(text)?;
    match examples {
        Some(examples) => self::examples(&examples).to_writer(text),
        None => Ok(()),
    }
}

fn exit_status() -> Roff {
    let mut section = Roff::default();
    section.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in Exit::ALL {
        section.control("TP", []);
        section.text([bold(status.to_string())]);
        section.text([roman(meaning)]);
    }
    section
}

/// The lines as they are, but for the heading.
fn examples(text: &str) -> Roff {
    let mut section = Roff::default();
    section.control("SH", ["EXAMPLES"]);
    section.control("nf", []);
    for line in text.lines().skip(1) {
        section.text([roman(line.trim_start())]);
    }
    section.control("fi", []);
    section
}

const EXAMPLES: &str = "\
Examples:
  fcgi man | man -l -
  fcgi man request | man -l -
  fcgi man --output ~/.local/share/man/man1";
