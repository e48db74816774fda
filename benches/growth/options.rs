//! The command line.

use std::path::PathBuf;

use crate::series::{SERIES, Series};
use crate::server::SERVE;

pub(crate) const USAGE: &str = "\
cargo bench --bench growth -- [OPTIONS]

  --quick      one short round: to see whether it works, not for figures
  --rounds N   interleaved rounds of each measurement (5)
  --rows A,B   only these of: connections ids responses uploads headers params
  --write      after a whole run, write the tables into docs/performance.md";

#[derive(Debug)]
pub(crate) enum Command {
    Measure(Options),
    /// Be the server.
    Serve {
        protocol: String,
        socket: PathBuf,
    },
    Help,
    /// Started by `cargo test`, which wants no figures.
    Nothing,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) series: Vec<&'static Series>,
    pub(crate) write: bool,
}

impl Command {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    ///
    /// Tells which argument is wrong, and what would be right.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = args.into_iter();
        let mut options =
            Options { quick: false, rounds: 0, series: SERIES.iter().collect(), write: false };
        let mut is_bench = false;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--bench" => is_bench = true,
                "--quick" => options.quick = true,
                "--write" => options.write = true,
                "--rounds" => options.rounds = rounds(&value()?)?,
                "--rows" => options.series = series(&value()?)?,
                "--help" | "-h" => return Ok(Self::Help),
                SERVE => return Ok(Self::Serve { protocol: value()?, socket: value()?.into() }),
                _ => return Err(format!("unknown argument {arg}\n\n{USAGE}")),
            }
        }
        if !is_bench {
            return Ok(Self::Nothing);
        }
        if options.write && (options.quick || options.series.len() < SERIES.len()) {
            return Err("--write wants a whole run, without --quick and --rows".into());
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 1 } else { 5 };
        }
        Ok(Self::Measure(options))
    }
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text} is not a number above 0")),
    }
}

fn series(list: &str) -> Result<Vec<&'static Series>, String> {
    let known = |name: &str| {
        let series = SERIES.iter().find(|series| series.name == name);
        series.ok_or_else(|| format!("no row {name}\n\n{USAGE}"))
    };
    list.split(',').map(known).collect()
}
