//! The command line.

use std::path::PathBuf;

use crate::server::SERVE;

pub(crate) const USAGE: &str = "\
cargo bench --bench instructions -- [OPTION]

  --check    fail when a request costs 3 % more than benches/results/instructions.txt tells
  --write    record what requests cost in that file";

#[derive(Debug)]
pub(crate) enum Command {
    Count,
    Check,
    Write,
    /// Be the server.
    Serve {
        protocol: String,
        socket: PathBuf,
    },
    Help,
    /// Started by `cargo test`, which wants no figures.
    Nothing,
}

impl Command {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    ///
    /// Tells which argument is wrong, and what would be right.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = args.into_iter();
        let mut command = Self::Count;
        let mut is_bench = false;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--bench" => is_bench = true,
                "--check" => command = Self::Check,
                "--write" => command = Self::Write,
                "--help" | "-h" => return Ok(Self::Help),
                SERVE => return Ok(Self::Serve { protocol: value()?, socket: value()?.into() }),
                _ => return Err(format!("unknown argument {arg}\n\n{USAGE}")),
            }
        }
        Ok(if is_bench { command } else { Self::Nothing })
    }
}
