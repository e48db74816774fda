//! From the arguments to the table.

use std::env;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::{runtime, signal};

use crate::apps;
use crate::experiments::{Session, system_calls};
use crate::load::Result;
use crate::options::{Command, Options, USAGE};
use crate::process::Cores;
use crate::report::machine::Machine;
use crate::report::{Report, table};
use crate::servers::{Server, Starter};

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
    let Options { quick, rounds, mut servers, mut experiments, write } = options;
    let mut notes = Vec::new();
    if starter.cores.siblings {
        notes.push("server and load generator were hyper-threads of one core".to_owned());
    }
    servers.retain(|server| {
        let built = starter.build(*server);
        built.map_err(|reason| notes.push(reason)).is_ok()
    });
    if let Some(obstacle) = system_calls::obstacle() {
        experiments.retain(|experiment| !experiment.counts_system_calls());
        notes.push(obstacle);
    }
    watch_for_interrupts()?;
    starter.cores.run_on_loads()?;
    let machine = Machine::ask(starter.cores.count(), &servers);
    println!("{}\n{}\n", machine.place, machine.versions);
    let session = Session { starter, servers, rounds, quick, interrupted: &INTERRUPTED };

    println!("{}", table::header(&session.servers));
    let mut all = Vec::new();
    let mut ours_failed = None;
    for experiment in experiments {
        let (outcomes, failures) = experiment.measure(&session);
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        for outcome in &outcomes {
            println!("{}", table::row(outcome, &session.servers));
        }
        for failure in failures {
            if failure.server == Server::TowerFastcgi {
                ours_failed = Some(failure.to_string());
            }
            notes.push(failure.to_string());
        }
        all.extend(outcomes);
    }
    println!();
    notes.iter().for_each(|note| println!("{note}"));
    if let Some(failure) = ours_failed {
        return Err(failure.into());
    }
    if write {
        let servers = session.servers;
        let report = Report { machine, servers, rounds, outcomes: all, notes };
        println!("wrote {}", report.write()?.join(" and "));
    }
    Ok(())
}

/// Lets destructors run: they end servers and remove files.
fn watch_for_interrupts() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        if runtime.block_on(signal::ctrl_c()).is_ok() {
            INTERRUPTED.store(true, Ordering::Relaxed);
        }
    });
    Ok(())
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
