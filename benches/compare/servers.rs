//! The servers that are compared, and how each is started.

use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

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
        Ok(Self { directory: tempfile::tempdir()?, cores })
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
        let path = self.directory.path().join(format!("{}.sock", server.key()));
        let listen = match transport {
            Transport::Unix => Address::Unix(path.clone()),
            Transport::Tcp => Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        };
        remove(&path)?;
        let mut command = self.command(server, &listen, threads)?;
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
        let workers = match threads {
            Threads::Pinned => "1",
            Threads::Two => "2",
        };
        let mut command = Command::new(env::current_exe()?);
        command.args(["--serve", server.key(), &listen.to_string(), workers]);
        Ok(command)
    }
}

/// Servers leave the path of their socket behind.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
