//! A web server with the application behind it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::application::{Application, Options};
use crate::certificate;
use crate::client::{Answer, Client, RawClient, Seen};
use crate::control::Control;
use crate::debian::Place;
use crate::listening::Listening;
use crate::process::{POLL, Process, free_address};
use crate::responder::Responder;
use crate::spawned::{ACCEPTED, Kind, Program, Spawner};
use crate::stage::Stage;
use crate::variant::{Socket, Upstream, Variant, Wiring};

/// Runs the applications and the probes.
pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("the system gives threads"));

/// A web server that is ready. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) listening: Listening,
    process: Mutex<Process>,
}

impl Server {
    /// Starts a server, on another port if someone was faster, and waits until a request through it reaches the application
    /// that answers `(path, end of the body)`.
    pub(crate) async fn start(
        variant: &Variant,
        place: &Place,
        application: &str,
        program: Option<&Program>,
        patience: Option<Duration>,
        expected: (&str, &str),
    ) -> io::Result<Self> {
        let application = &match application.strip_prefix("unix:") {
            Some(path) => Upstream::Unix(place.inside(Path::new(path))),
            None => Upstream::Tcp(application.to_owned()),
        };
        certificate::write(place)?;
        let mut last = String::new();
        for _ in 0..START_ATTEMPTS {
            let listening = Listening::new()?;
            let wiring = Wiring { place, listening: &listening, application, program, patience };
            let mut command = variant.command(&wiring)?;
            let mut process = Process::spawn(&mut command, &place.dir().join("log"))?;
            if is_ready(&mut process, listening.main, expected).await {
                return Ok(Self { listening, process: Mutex::new(process) });
            }
            last = process.log_tail();
        }
        Err(io::Error::other(format!("{variant} does not start:\n{last}")))
    }

    pub(crate) fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().expect("no holder panics")
    }
}

/// A server that is ready, and what is behind it. Dropping it ends the server.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) variant: Arc<Variant>,
    pub(crate) stage: Stage,
    /// It ends first, and with it the processes that it has started.
    pub(crate) server: Server,
    behind: Behind,
    place: Place,
}

#[derive(Debug)]
enum Behind {
    Application(Application),
    Responder(Responder),
    Spawned(Spawned),
}

/// Processes that someone else has started.
#[derive(Debug)]
struct Spawned {
    kind: Kind,
    program: Program,
    _control: Control,
    _spawn_fcgi: Option<Process>,
}

impl Site {
    /// With the application.
    pub(crate) async fn start(variant: Arc<Variant>, mut options: Options) -> io::Result<Self> {
        if variant.asks_for_multiplexing {
            options.builder.multiplexing(true);
        }
        if let Some(spawner) = variant.spawner {
            return Self::start_spawned(variant, spawner, Kind::Application).await;
        }
        let place = Place::new(variant.program.debian)?;
        let stage = Stage::new(place.dir().display());
        let patience = options.patience;
        let application =
            Application::start(variant.socket, place.dir(), stage.clone(), options).await?;
        let address = application.address.clone();
        Self::serve(variant, place, stage, Behind::Application(application), &address, patience)
            .await
    }

    /// With a responder that has nothing of the library.
    pub(crate) async fn start_raw(
        variant: Arc<Variant>,
        patience: Option<Duration>,
    ) -> io::Result<Self> {
        if let Some(spawner) = variant.spawner {
            return Self::start_spawned(variant, spawner, Kind::Responder).await;
        }
        let place = Place::new(variant.program.debian)?;
        let stage = Stage::new(place.dir().display());
        let responder = Responder::start(variant.socket, place.dir(), stage.clone()).await?;
        let address = responder.address.clone();
        Self::serve(variant, place, stage, Behind::Responder(responder), &address, patience).await
    }

    async fn start_spawned(
        variant: Arc<Variant>,
        spawner: Spawner,
        kind: Kind,
    ) -> io::Result<Self> {
        let place = Place::new(variant.program.debian)?;
        let stage = Stage::new(place.dir().display());
        let path = place.dir().join("stage.sock");
        let control = Control::start(&path, kind, stage.clone())?;
        let program = Program::new(&place, &path)?;
        let mut address = format!("unix:{}", place.dir().join("app.sock").display());
        let mut spawn_fcgi = None;
        if let Spawner::SpawnFcgi { processes } = spawner {
            if variant.socket == Socket::Tcp {
                address = free_address()?.to_string();
            }
            let mut command = program.spawn_fcgi(&place, &address, processes);
            spawn_fcgi = Some(Process::spawn(&mut command, &place.dir().join("app.log"))?);
        }
        let spawned = Spawned { kind, program, _control: control, _spawn_fcgi: spawn_fcgi };
        Self::serve(variant, place, stage, Behind::Spawned(spawned), &address, None).await
    }

    async fn serve(
        variant: Arc<Variant>,
        place: Place,
        stage: Stage,
        behind: Behind,
        address: &str,
        patience: Option<Duration>,
    ) -> io::Result<Self> {
        let expected = ("/identity", stage.identity());
        let program = match &behind {
            Behind::Spawned(spawned) => Some(&spawned.program),
            _ => None,
        };
        let server = Server::start(&variant, &place, address, program, patience, expected).await?;
        Ok(Self { variant, stage, server, behind, place })
    }

    /// One more of the same kind, for a probe that needs it for itself.
    pub(crate) async fn another(&self, options: Options) -> Self {
        let variant = self.variant.clone();
        let site = match &self.behind {
            Behind::Application(_) => Self::start(variant, options).await,
            Behind::Responder(_) => Self::start_raw(variant, options.patience).await,
            Behind::Spawned(spawned) if spawned.kind == Kind::Responder => {
                Self::start_raw(variant, None).await
            }
            Behind::Spawned(_) => Self::start(variant, options).await,
        };
        site.unwrap_or_else(|error| panic!("it started before: {error}"))
    }

    pub(crate) fn application(&self) -> &Application {
        match &self.behind {
            Behind::Application(application) => application,
            Behind::Responder(responder) => panic!("{} is not the library", responder.address),
            Behind::Spawned(spawned) => panic!("the {} is another process", spawned.kind),
        }
    }

    /// How many connections the application has accepted.
    pub(crate) fn accepted(&self) -> usize {
        match &self.behind {
            Behind::Spawned(_) => self.stage.opened(ACCEPTED),
            _ => self.application().accepted.count(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.listening.main
    }

    /// A file in the server's directory, as this process sees it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.place.dir().join(name)
    }

    /// The same, as the server sees it.
    pub(crate) fn servers_file(&self, name: &str) -> String {
        self.place.path(name)
    }

    /// Whether the server is not known to fail a probe.
    pub(crate) fn can(&self, probe: &str) -> bool {
        self.variant.limit(probe).is_none()
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address()).await
    }

    pub(crate) async fn connect_raw(&self) -> RawClient {
        RawClient::connect(self.address()).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn fetch(&self, request: Request<Body>) -> Answer {
        self.connect().await.fetch(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.fetch(Request::get(path).body(Body::empty()).expect("a good path")).await
    }

    pub(crate) async fn see(&self, request: Request<Body>) -> Seen {
        self.fetch(request).await.seen()
    }

    /// Sends a request as it is and reads the answer.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect_raw().await;
        client.write(request.as_ref()).await;
        client.read_answer().await
    }

    /// Whether the server is there.
    pub(crate) fn runs(&self) -> bool {
        self.server.process().exited().is_none()
    }

    pub(crate) fn log_tail(&self) -> String {
        self.server.process().log_tail()
    }
}

/// Waits until a request through the server reaches this very application: someone else may answer on the port.
async fn is_ready(process: &mut Process, address: SocketAddr, expected: (&str, &str)) -> bool {
    let deadline = Instant::now() + START_BOUND;
    while Instant::now() < deadline && process.exited().is_none() {
        if reaches(address, expected).await {
            return true;
        }
        tokio::time::sleep(POLL).await;
    }
    false
}

async fn reaches(address: SocketAddr, (path, end): (&str, &str)) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    let done = tokio::time::timeout(START_BOUND, exchange).await;
    matches!(done, Ok(Ok(_))) && answer.ends_with(end.as_bytes())
}

/// How long to wait for what must not happen. Too short a wait makes the check weaker, never wrong.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_millis(300);
pub(crate) const START_ATTEMPTS: usize = 5;
pub(crate) const START_BOUND: Duration = Duration::from_secs(20);
