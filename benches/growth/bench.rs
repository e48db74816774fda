//! From the arguments to the tables.

use std::env;
use std::io;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::app::router;
use crate::load::Result;
use crate::measure::Session;
use crate::options::{Command, Options, USAGE};
use crate::process::Cores;
use crate::report::Report;
use crate::server;

pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Command::parse(env::args().skip(1))? {
        Command::Measure(options) => measure(options),
        Command::Serve { protocol, socket } => Ok(server::serve(&protocol, &socket, router())?),
        Command::Help => {
            println!("{USAGE}");
            Ok(())
        }
        Command::Nothing => Ok(()),
    }
}

fn measure(options: Options) -> Result<()> {
    let Options { quick, rounds, series, write } = options;
    let files = allow_files()?;
    let most_connections = files.saturating_sub(OTHER_FILES);
    let session = Session { cores: Cores::choose()?, rounds, quick, most_connections };
    let mut report = Report::start(rounds);
    session.cores.run_on_loads()?;
    for series in series {
        report.series(series, &session.measure(series)?);
        if session.sizes(series).count() < series.sizes.len() {
            report.line(&format!(
                "A process may have {files} open files here, so there are no rows for more connections.\n"
            ));
        }
    }
    report.finish();
    if write {
        println!("wrote {}", report.write()?);
    }
    Ok(())
}

/// Raises the limit of open files, also that of the servers, as far as it goes, and returns it.
fn allow_files() -> io::Result<usize> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.map_or(usize::MAX, |maximum| maximum as usize))
}

/// Servers' pipes, libraries and the like, generously.
const OTHER_FILES: usize = 200;
