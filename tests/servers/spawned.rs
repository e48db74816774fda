//! This very program as an application that someone else starts, with the socket as its standard input.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tower_fastcgi::listener::bind;
use tower_fastcgi::server::{Builder, Observer};

use crate::app::app;
use crate::debian::Place;
use crate::public_dir::public_dir;
use crate::responder::Responder;
use crate::stage::Stage;

/// The variable with the path of the probes' stage.
pub(crate) const STAGE: &str = "TOWER_FASTCGI_STAGE";

/// What a process is to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Application,
    Responder,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Application => "application",
            Self::Responder => "responder",
        })
    }
}

/// Who starts the processes of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spawner {
    /// The web server, which also starts another one when one has ended.
    WebServer,
    /// spawn-fcgi, so many.
    SpawnFcgi { processes: usize },
}

/// How a spawner gets at this program.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where it lies, as the spawner sees it.
    pub(crate) path: String,
    /// The value of [`STAGE`].
    pub(crate) stage: String,
    _copy: Arc<TempDir>,
}

impl Program {
    pub(crate) fn new(place: &Place, stage: &Path) -> io::Result<Self> {
        let copy = copy(place)?;
        let path = place.inside(&copy.path().join(NAME));
        Ok(Self { path, stage: place.inside(stage), _copy: copy })
    }
}

impl Program {
    /// The command that starts `processes` of it on one socket, and does not wait for their end when there are several.
    pub(crate) fn spawn_fcgi(&self, place: &Place, address: &str, processes: usize) -> Command {
        let mut command = place.command("spawn-fcgi");
        match address.strip_prefix("unix:") {
            Some(path) => command.args(["-M", "0666", "-s", &place.inside(Path::new(path))]),
            None => {
                let (host, port) = address.rsplit_once(':').expect("an address has a port");
                command.args(["-a", host, "-p", port])
            }
        };
        match processes {
            1 => command.arg("-n"),
            _ => command.args(["-F", &processes.to_string()]),
        };
        command.env(STAGE, &self.stage).args(["--", &self.path]);
        command
    }
}

/// Where servers of that release can run this program, whoever they run as. It is shared, for it is large.
fn copy(place: &Place) -> io::Result<Arc<TempDir>> {
    static COPIES: Mutex<Option<HashMap<PathBuf, Weak<TempDir>>>> = Mutex::new(None);
    let mut copies = COPIES.lock().expect("no holder panics");
    let copies = copies.get_or_insert_default();
    let parent = place.dir().parent().expect("a place is in a directory for such").to_owned();
    if let Some(copy) = copies.get(&parent).and_then(Weak::upgrade) {
        return Ok(copy);
    }
    let copy = Arc::new(public_dir(&parent)?);
    // Not by this process: a child that it starts meanwhile holds the file open for writing until it runs another program, and for so
    // long nobody can run this one (ETXTBSY).
    let done =
        Command::new("cp").arg(std::env::current_exe()?).arg(copy.path().join(NAME)).status()?;
    if !done.success() {
        return Err(io::Error::other(format!("cp: {done}")));
    }
    copies.insert(parent, Arc::downgrade(&copy));
    Ok(copy)
}

/// Serves on standard input until it is told to end, or until the probes are gone.
pub(crate) fn run(stage: &Path) -> ExitCode {
    match serve(stage) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the spawned application: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(path: &Path) -> io::Result<()> {
    let (kind, identity) = begin(path)?;
    let stage = Stage::at(path, &identity);
    tokio::runtime::Runtime::new()?.block_on(async {
        match &*kind {
            "responder" => Responder::on_stdin(stage)?.until(terminated()?).await,
            _ => {
                let mut builder = Builder::new();
                builder.observer(Connections(stage.clone()));
                tower_fastcgi::serve(bind("fd:0").await?, app(stage))
                    .with_builder(builder)
                    .with_graceful_shutdown(terminated()?)
                    .await
            }
        }
    })
}

/// Tells the probes of this process, and is told what it is.
fn begin(path: &Path) -> io::Result<(String, String)> {
    let mut stream = UnixStream::connect(path)?;
    stream.write_all(format!("live {}\n", std::process::id()).as_bytes())?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    std::thread::spawn(move || {
        let _ = stream.read(&mut [0]);
        // Nobody is left who would end it.
        std::process::exit(1);
    });
    let (kind, identity) = line.trim_end().split_once(' ').expect("two words");
    Ok((kind.to_owned(), identity.to_owned()))
}

fn terminated() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        terminate.recv().await;
    })
}

/// Counts connections where the probes can see it.
struct Connections(Stage);

impl Observer for Connections {
    fn connection_opened(&self) {
        self.0.open(ACCEPTED);
    }
}

/// The gate that opens with each connection.
pub(crate) const ACCEPTED: &str = "accepted";
const NAME: &str = "app";
