//! The command line.

use std::ffi::OsString;
use std::io;

/// What to run.
#[derive(Debug)]
pub(crate) struct Options {
    /// Texts, one of which has to be in the name of a row.
    pub(crate) rows: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) write: bool,
    pub(crate) list: bool,
}

impl Options {
    /// Reads what stands behind `cargo bench --bench proxy --`. `None` when there is nothing to run.
    pub(crate) fn parse(arguments: &[OsString]) -> Result<Option<Self>, String> {
        let mut options =
            Self { rows: vec!["protocols/".into()], rounds: ROUNDS, write: false, list: false };
        // Without it `cargo test --benches` is what runs this.
        let mut is_bench = false;
        let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} what?\n{USAGE}"));
            match &*argument {
                "--bench" => is_bench = true,
                "--rows" => options.rows = value()?.split(',').map(str::to_owned).collect(),
                "--rounds" => options.rounds = rounds(&value()?)?,
                "--quick" => options.rounds = 1,
                "--write" => options.write = true,
                "--list" => options.list = true,
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(is_bench.then_some(options))
    }

    /// Those of a table's rows that are to run.
    ///
    /// # Errors
    ///
    /// When they are some, but the whole table is to be written.
    pub(crate) fn select<'a, T>(
        &self,
        all: &'a [T],
        name: fn(&T) -> &str,
    ) -> io::Result<Vec<&'a T>> {
        let is_selected = |row: &&T| self.rows.iter().any(|text| name(row).contains(text));
        let rows: Vec<&T> = all.iter().filter(is_selected).collect();
        if self.write && !rows.is_empty() && rows.len() < all.len() {
            return Err(io::Error::other("only a whole table can be written"));
        }
        Ok(rows)
    }
}

fn rounds(value: &str) -> Result<usize, String> {
    value.parse().ok().filter(|&rounds| rounds > 0).ok_or_else(|| USAGE.to_owned())
}

const ROUNDS: usize = 7;

const USAGE: &str = "\
cargo bench --bench proxy -- [--rows TEXT[,TEXT]] [--rounds N] [--quick] [--write] [--list]

--rows    the rows with one of the texts in their names: protocols/ (the default) compares FastCGI with HTTP/1.1,
          settings/ the web servers' settings with each other, streams/ tells when the start of a stream arrives
--rounds  how often each side of a row is measured (7), for a second each time
--quick   one round
--write   writes each table that has run into benches/results; all of its rows must have run
--list    names the rows";
