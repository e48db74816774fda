//! The servers that are compared, and how each is started.

use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::load::{Address, Protocol, Result};
use crate::process::{Cores, Process};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    Axum,
    TowerFastcgi,
    TokioFastcgi,
    Go,
    Libfcgi,
}

impl Server {
    pub(crate) const ALL: [Self; 5] =
        [Self::Axum, Self::TowerFastcgi, Self::TokioFastcgi, Self::Go, Self::Libfcgi];

    /// How it is named on the command line.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::TowerFastcgi => "tower-fastcgi",
            Self::TokioFastcgi => "tokio-fastcgi",
            Self::Go => "go",
            Self::Libfcgi => "libfcgi",
        }
    }

    /// How it is named in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Axum => "axum HTTP/1.1",
            Self::Go => "Go fcgi",
            Self::TowerFastcgi | Self::TokioFastcgi | Self::Libfcgi => self.key(),
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Axum => Protocol::Http,
            _ => Protocol::FastCgi,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Unix,
    Tcp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// One worker, on a processor of its own.
    Pinned,
    /// Two workers, wherever the system puts them.
    Two,
}

/// Starts servers; their sockets are in a directory that goes with it.
#[derive(Debug)]
pub(crate) struct Starter {
    directory: TempDir,
    pub(crate) cores: Cores,
}

/// A server that listens.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) address: Address,
    pub(crate) process: Process,
}

impl Starter {
    pub(crate) fn new(cores: Cores) -> io::Result<Self> {
        // Servers inherit it: some thousand connections are more than many systems allow by default.
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
        Ok(Self { directory: tempfile::tempdir()?, cores })
    }

    /// For sockets and other files that are gone in the end.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Compiles what is not part of this program.
    ///
    /// # Errors
    ///
    /// Tells what is missing.
    pub(crate) fn build(&self, server: Server) -> std::result::Result<(), String> {
        let program = self.program(server);
        let mut command = match server {
            Server::Axum | Server::TowerFastcgi | Server::TokioFastcgi => return Ok(()),
            Server::Go => {
                let mut go = Command::new("go");
                go.args(["build", "-o"]).arg(&program).arg(source("go/main.go"));
                go
            }
            Server::Libfcgi => {
                let mut cc = Command::new("cc");
                cc.args(["-O2", "-pthread", "-o"]).arg(&program).arg(source("c/server.c"));
                cc.arg("-lfcgi");
                cc
            }
        };
        let compiler = command.get_program().to_string_lossy().into_owned();
        let output = command.current_dir(self.directory()).stdin(Stdio::null()).output();
        match output {
            Err(error) => Err(format!("{} is not measured: {compiler}: {error}", server.title())),
            Ok(output) if !output.status.success() => {
                let text = String::from_utf8_lossy(&output.stderr);
                let reason = text.lines().next().unwrap_or("failed");
                Err(format!("{} is not measured: {compiler}: {reason}", server.title()))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When it does not listen within 10 seconds.
    pub(crate) fn start(
        &self,
        server: Server,
        transport: Transport,
        threads: Threads,
    ) -> Result<Running> {
        self.start_as(server, transport, threads, |command| command)
    }

    /// The same with another command than the plain one, that starts it all the same.
    pub(crate) fn start_as(
        &self,
        server: Server,
        transport: Transport,
        threads: Threads,
        wrap: impl FnOnce(Command) -> Command,
    ) -> Result<Running> {
        let path = self.directory.path().join(format!("{}.sock", server.key()));
        let listen = match transport {
            Transport::Unix => Address::Unix(path.clone()),
            Transport::Tcp => Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        };
        remove(&path)?;
        let mut command = wrap(self.command(server, &listen, threads)?);
        match threads {
            Threads::Pinned => self.cores.run_on_servers()?,
            Threads::Two => self.cores.run_anywhere()?,
        }
        let process = Process::start(&mut command);
        self.cores.run_on_loads()?;
        let process = process?;
        let address = match transport {
            Transport::Unix => listen,
            Transport::Tcp => Address::Tcp(process.greeting.parse()?),
        };
        Ok(Running { server, address, process })
    }

    fn command(&self, server: Server, listen: &Address, threads: Threads) -> io::Result<Command> {
        let listen = listen.to_string();
        let workers = match threads {
            Threads::Pinned => "1",
            Threads::Two => "2",
        };
        let mut command = match server {
            Server::Axum | Server::TowerFastcgi | Server::TokioFastcgi => {
                Command::new(env::current_exe()?)
            }
            Server::Go | Server::Libfcgi => Command::new(self.program(server)),
        };
        match server {
            Server::Axum | Server::TowerFastcgi | Server::TokioFastcgi => {
                command.args(["--serve", server.key(), &listen, workers])
            }
            Server::Go => command.arg(listen).env("GOMAXPROCS", workers),
            Server::Libfcgi => command.args([&listen, LIBFCGI_THREADS]),
        };
        Ok(command)
    }

    fn program(&self, server: Server) -> PathBuf {
        self.directory().join(server.key())
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/apps").join(name)
}

/// Servers leave the path of their socket behind.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// One for each connection, and some to spare.
const LIBFCGI_THREADS: &str = "128";
