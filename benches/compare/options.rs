//! The command line.

use crate::experiments::{EXPERIMENTS, Experiment};
use crate::servers::Server;

pub(crate) const USAGE: &str = "\
cargo bench --bench compare -- [OPTIONS]

  --quick          few and short rounds: to see whether it works, not for figures
  --rounds N       interleaved rounds of each measurement (9)
  --rows A,B       only these measurements
  --servers A,B    only these servers
  --write          after a whole run, write docs/compare.md and docs/compare.svg";

#[derive(Debug)]
pub(crate) enum Command {
    Measure(Options),
    /// Be one of the servers.
    Serve {
        server: Server,
        address: String,
        workers: usize,
    },
    Help,
    /// Started by `cargo test`, which wants no figures.
    Nothing,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) servers: Vec<Server>,
    pub(crate) experiments: Vec<&'static Experiment>,
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
        let mut options = Options {
            quick: false,
            rounds: 0,
            servers: Server::ALL.to_vec(),
            experiments: EXPERIMENTS.iter().collect(),
            write: false,
        };
        let mut is_bench = false;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--bench" => is_bench = true,
                "--quick" => options.quick = true,
                "--write" => options.write = true,
                "--rounds" => options.rounds = number(&value()?)?,
                "--servers" => options.servers = each(&value()?, server)?,
                "--rows" => options.experiments = each(&value()?, experiment)?,
                "--help" | "-h" => return Ok(Self::Help),
                "--serve" => {
                    let server = server(&value()?)?;
                    let address = value()?;
                    return Ok(Self::Serve { server, address, workers: number(&value()?)? });
                }
                _ => return Err(format!("unknown argument {arg}\n\n{USAGE}")),
            }
        }
        if !is_bench {
            return Ok(Self::Nothing);
        }
        if options.write && !options.is_whole() {
            return Err("--write wants a whole run, without --quick, --rows and --servers".into());
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 3 } else { 9 };
        }
        Ok(Self::Measure(options))
    }
}

impl Options {
    pub(crate) fn is_whole(&self) -> bool {
        !self.quick
            && self.servers.len() == Server::ALL.len()
            && self.experiments.len() == EXPERIMENTS.len()
    }
}

fn number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text} is not a number above 0")),
    }
}

fn each<T>(list: &str, parse: fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    list.split(',').map(parse).collect()
}

fn server(name: &str) -> Result<Server, String> {
    let known = Server::ALL.map(Server::key);
    Server::ALL
        .into_iter()
        .find(|server| server.key() == name)
        .ok_or_else(|| format!("no server {name}, there are: {}", known.join(" ")))
}

fn experiment(name: &str) -> Result<&'static Experiment, String> {
    let known: Vec<_> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
    EXPERIMENTS
        .iter()
        .find(|experiment| experiment.name == name)
        .ok_or_else(|| format!("no row {name}, there are: {}", known.join(" ")))
}
