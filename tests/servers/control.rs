//! Where applications in other processes find the probes' stage: a socket that takes one line per connection.
//!
//! | line | answer |
//! |---|---|
//! | `live PID` | `KIND IDENTITY` and a newline; who asked ends when the connection does |
//! | `open GATE` | a byte when it is open |
//! | `pass GATE` | a byte when it is passed |

use std::fs::{Permissions, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::spawned::Kind;
use crate::stage::Stage;

/// Serves a stage until it is dropped, which ends the processes that use it.
#[derive(Debug)]
pub(crate) struct Control(JoinHandle<()>);

impl Control {
    pub(crate) fn start(path: &Path, kind: Kind, stage: Stage) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        // For servers that run as another user.
        set_permissions(path, Permissions::from_mode(0o666))?;
        Ok(Self(tokio::spawn(accept(listener, kind, stage))))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: UnixListener, kind: Kind, stage: Stage) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(stream, kind, stage.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: UnixStream, kind: Kind, stage: Stage) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    match line.trim_end().split_once(' ') {
        Some(("live", id)) => live(stream, id, kind, &stage).await,
        Some(("open", name)) => {
            stage.open(name);
            stream.write_u8(b'\n').await
        }
        Some(("pass", name)) => pass(stream, name, &stage).await,
        _ => panic!("no line of ours: {line}"),
    }
}

async fn live(
    mut stream: BufReader<UnixStream>,
    id: &str,
    kind: Kind,
    stage: &Stage,
) -> io::Result<()> {
    let id = id.parse().expect("the id of a process");
    stage.begin_process(id);
    let answer = format!("{kind} {}\n", stage.identity());
    let ended = match stream.write_all(answer.as_bytes()).await {
        Ok(()) => stream.read_u8().await.map(drop),
        Err(error) => Err(error),
    };
    stage.end_process(id);
    ended
}

/// A handler that is dropped waits no longer.
async fn pass(mut stream: BufReader<UnixStream>, name: &str, stage: &Stage) -> io::Result<()> {
    let is_passed = tokio::select! {
        () = stage.pass(name) => true,
        _ = stream.read_u8() => false,
    };
    if is_passed { stream.write_u8(b'\n').await } else { Ok(()) }
}
