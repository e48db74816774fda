//! Sockets, and processes that they are passed to.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Duration, sleep};

use crate::application::ADDRESSES;
use crate::web_server::{WebServer, bounded};

/// A trial that is done within bounds.
pub(crate) fn trial<F>(name: &'static str, run: fn() -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(name, move || block_on(run()))
}

fn block_on(run: impl Future<Output = ()>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bounded(run));
    Ok(())
}

/// A listening Unix socket.
pub(crate) struct UnixPlace {
    directory: TempDir,
    listener: UnixListener,
}

impl UnixPlace {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("app.sock")).unwrap();
        Self { directory, listener }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("app.sock")
    }

    pub(crate) fn socket(&self) -> OwnedFd {
        self.listener.try_clone().unwrap().into()
    }

    pub(crate) async fn web_server(&self) -> WebServer<UnixStream> {
        WebServer::new(bounded(UnixStream::connect(self.path())).await.unwrap())
    }

    pub(crate) async fn get(&self, uri: &str) -> String {
        get(self.web_server().await, uri).await
    }
}

/// A listening TCP socket.
pub(crate) struct TcpPlace(TcpListener);

impl TcpPlace {
    pub(crate) fn new(ip: &str) -> Self {
        Self(TcpListener::bind((ip, 0)).unwrap())
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) fn socket(&self) -> OwnedFd {
        self.0.try_clone().unwrap().into()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        bounded(TcpStream::connect(self.addr())).await.unwrap()
    }

    pub(crate) async fn get(&self, uri: &str) -> String {
        get(WebServer::new(self.connect().await), uri).await
    }
}

async fn get<Io>(mut web_server: WebServer<Io>, uri: &str) -> String
where
    Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let response = web_server.get(uri).await;
    assert_eq!(response.status(), http::StatusCode::OK);
    String::from_utf8(response.body().to_vec()).unwrap()
}

/// This program again, listening on `addresses`. Standard output is that of no test.
pub(crate) fn application(addresses: &str) -> Command {
    prepared(Command::new(std::env::current_exe().unwrap()), addresses)
}

/// The same, with one or two sockets as systemd passes them.
pub(crate) fn activated(addresses: &str, sockets: impl IntoIterator<Item = OwnedFd>) -> Command {
    let mut sockets: Vec<_> = sockets.into_iter().collect();
    // The process id is that of the shell, which becomes the application.
    let script = match sockets.len() {
        1 => r#"exec env LISTEN_PID=$$ LISTEN_FDS=1 "$0" 3<&0 0</dev/null"#,
        2 => r#"exec env LISTEN_PID=$$ LISTEN_FDS=2 "$0" 3<&0 4<&1 0</dev/null 1>&2"#,
        other => panic!("one socket or two, not {other}"),
    };
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
    let mut command = prepared(command, addresses);
    if sockets.len() == 2 {
        command.stdout(sockets.remove(1));
    }
    command.stdin(sockets.remove(0));
    command
}

fn prepared(mut command: Command, addresses: &str) -> Command {
    for variable in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "FCGI_WEB_SERVER_ADDRS"] {
        command.env_remove(variable);
    }
    command.env(ADDRESSES, addresses).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A process that ends with this value.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.spawn().unwrap())
    }

    pub(crate) async fn stop(mut self) -> ExitStatus {
        let pid = self.0.id().to_string();
        let sent = Command::new("sh").args(["-c", r#"kill -TERM "$0""#, &pid]).status().unwrap();
        assert!(sent.success(), "{sent}");
        ended(&mut self.0).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What an application says that cannot start.
pub(crate) async fn failure(mut command: Command) -> String {
    let mut running = Running::start({
        command.stderr(Stdio::piped());
        command
    });
    let status = ended(&mut running.0).await;
    assert_eq!(status.code(), Some(1), "it ends with an error");
    let mut text = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

async fn ended(child: &mut Child) -> ExitStatus {
    let ended = async {
        loop {
            if let Some(status) = child.try_wait()? {
                return io::Result::Ok(status);
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    bounded(ended).await.unwrap()
}
