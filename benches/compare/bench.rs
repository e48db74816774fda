//! From the arguments to the table.

use std::env;
use std::process::ExitCode;

use crate::apps;
use crate::experiments::Session;
use crate::load::Result;
use crate::options::{Command, Options, USAGE};
use crate::process::Cores;
use crate::report::table;
use crate::servers::Starter;

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
        Command::Serve { server, address, workers } => Ok(apps::serve(server, &address, workers)?),
        Command::Help => {
            println!("{USAGE}");
            Ok(())
        }
        Command::Nothing => Ok(()),
    }
}

fn measure(options: Options) -> Result<()> {
    let starter = Starter::new(Cores::choose()?)?;
    let Options { quick, rounds, servers, experiments, .. } = options;
    let session = Session { starter, servers, rounds, quick };
    println!("{}", table::header(&session.servers));
    for experiment in experiments {
        let (outcomes, failures) = experiment.measure(&session);
        for outcome in &outcomes {
            println!("{}", table::row(outcome, &session.servers));
        }
        for failure in &failures {
            println!("  {failure}");
        }
    }
    Ok(())
}
