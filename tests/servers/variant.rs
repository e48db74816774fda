//! A web server in one of its setups, and what it is known not to do.

use std::fmt;
use std::io;
use std::process::Command;
use std::time::Duration;

use crate::debian::Place;
use crate::listening::Listening;
use crate::program::Program;
use crate::spawned::{self, Spawner};

/// Which server, and how it is set up.
pub(crate) struct Variant {
    pub(crate) program: Program,
    pub(crate) socket: Socket,
    /// What tells it from other setups of the same server, as in `keep/unbuffered`.
    setup: &'static str,
    /// How SERVER_SOFTWARE begins.
    pub(crate) software: &'static str,
    /// Whether a connection to the application serves more than one request.
    pub(crate) keeps_connections: bool,
    /// Whether this is the setup that stands for all that keep connections, where it takes long to be sure.
    pub(crate) is_asked_most: bool,
    /// Whether a connection to the application serves several requests at a time. What one probe does to it then shows in
    /// another's answers, so that each gets a server of its own.
    pub(crate) multiplexes: bool,
    /// Whether the two agree on that, and requests at a time share connections.
    pub(crate) shares_connections: bool,
    /// Whether the application asks for several requests at a time on a connection.
    pub(crate) asks_for_multiplexing: bool,
    /// Whether the server sends an application nothing for a while when a connection to it has failed.
    pub(crate) avoids_after_failure: bool,
    /// Who starts the application, if the tests do not.
    pub(crate) spawner: Option<Spawner>,
    limits: Vec<Limit>,
    configure: Configure,
}

/// Writes configuration files and says how the server is started.
type Configure = Box<dyn Fn(&Wiring<'_>) -> io::Result<Command> + Send + Sync>;

/// What a web server stands between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wiring<'a> {
    pub(crate) place: &'a Place,
    /// Where clients connect to.
    pub(crate) listening: &'a Listening,
    pub(crate) application: &'a Upstream,
    /// What the server is to start, if it starts the application itself.
    pub(crate) program: Option<&'a spawned::Program>,
    /// How long the server is to wait for an application that says nothing, if not as long as its example says.
    pub(crate) patience: Option<Duration>,
}

/// Where the application listens, as the web server sees it.
#[derive(Debug, Clone)]
pub(crate) enum Upstream {
    Tcp(String),
    Unix(String),
}

impl Upstream {
    /// The address as the server's configuration has it, with what it writes before the path of a Unix socket.
    pub(crate) fn with_prefix(&self, unix: &str) -> String {
        match self {
            Self::Tcp(address) => address.clone(),
            Self::Unix(path) => format!("{unix}{path}"),
        }
    }
}

/// What lies between the server and the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    Tcp,
    Unix,
}

impl Socket {
    pub(crate) const ALL: [Self; 2] = [Self::Tcp, Self::Unix];
}

/// A probe that cannot pass, whatever the application is. A raw responder behind the same server must fail it, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    probe: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) how: How,
}

/// How a probe fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It sees something else than it should.
    Sees,
    /// It waits in vain.
    Waits,
    /// It sees something else than it should, but not each time.
    SeesAtTimes,
}

impl Variant {
    pub(crate) fn new(
        program: &Program,
        socket: Socket,
        setup: &'static str,
        configure: impl Fn(&Wiring<'_>) -> io::Result<Command> + Send + Sync + 'static,
    ) -> Self {
        Self {
            program: program.clone(),
            socket,
            setup,
            software: "",
            keeps_connections: false,
            is_asked_most: false,
            multiplexes: false,
            shares_connections: false,
            asks_for_multiplexing: false,
            avoids_after_failure: false,
            spawner: None,
            limits: Vec::new(),
            configure: Box::new(configure),
        }
    }

    /// Declares that the server does not bring about what the probe asks for.
    pub(crate) fn cannot(&mut self, probe: &'static str, reason: &'static str) {
        self.limits.push(Limit { probe, reason, how: How::Sees });
    }

    /// Declares that the server fails at it now and then.
    pub(crate) fn cannot_always(&mut self, probe: &'static str, reason: &'static str) {
        self.limits.push(Limit { probe, reason, how: How::SeesAtTimes });
    }

    /// Declares that the probe waits in vain for something.
    pub(crate) fn never(&mut self, probe: &'static str, reason: &'static str) {
        self.limits.push(Limit { probe, reason, how: How::Waits });
    }

    pub(crate) fn limit(&self, probe: &str) -> Option<Limit> {
        self.limits.iter().find(|limit| limit.probe == probe).copied()
    }

    /// The probes that are declared impossible.
    pub(crate) fn impossible(&self) -> impl Iterator<Item = &'static str> {
        self.limits.iter().map(|limit| limit.probe)
    }

    pub(crate) fn command(&self, wiring: &Wiring<'_>) -> io::Result<Command> {
        (self.configure)(wiring)
    }

    /// What tells it from other variants of the same server, as in `unix/keep`.
    pub(crate) fn setup(&self) -> String {
        let socket = match self.socket {
            Socket::Tcp => "tcp",
            Socket::Unix => "unix",
        };
        if self.setup.is_empty() { socket.to_owned() } else { format!("{socket}/{}", self.setup) }
    }
}

/// The part of a trial's name that tells the variant, as in `nginx-1.22/unix/keep/unbuffered`.
impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.program, self.setup())
    }
}

impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variant({self})")
    }
}
