//! A gateway on a port that the kernel chooses, and clients of it that speak HTTP byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_fastcgi::gateway::{self, Gateway, Serve};

/// A gateway that is being served, until it is dropped.
pub(crate) struct Front {
    pub(crate) addr: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Front {
    pub(crate) async fn of(gateway: Gateway) -> Self {
        Self::with(gateway, |serve| serve).await
    }

    pub(crate) async fn to(application: SocketAddr) -> Self {
        Self::of(Gateway::new(&application.to_string()).unwrap()).await
    }

    pub(crate) async fn with(
        gateway: Gateway,
        options: impl FnOnce(Serve<TcpListener, Gateway>) -> Serve<TcpListener, Gateway>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (shutdown, asked) = oneshot::channel();
        let serve = options(gateway::serve(listener, gateway));
        let serve = serve.with_graceful_shutdown(async { drop(asked.await) });
        Self { addr, shutdown: Some(shutdown), task: tokio::spawn(serve.into_future()) }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.addr).await.unwrap())
    }

    /// What comes back for these bytes until the gateway closes the connection.
    pub(crate) async fn talk(&self, bytes: &str) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }

    pub(crate) async fn get(&self, target: &str) -> String {
        self.talk(&format!("GET {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"))
            .await
    }

    pub(crate) fn shut_down(&mut self) {
        drop(self.shutdown.take());
    }

    pub(crate) async fn ended(&mut self) {
        bounded(&mut self.task).await.unwrap().unwrap();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Reads until that text has come, and no further.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(text.as_bytes()) {
            let byte = bounded(self.0.read_u8()).await;
            let so_far = String::from_utf8_lossy(&read).into_owned();
            read.push(byte.unwrap_or_else(|error| panic!("{error} after {so_far:?}")));
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads to the end of the connection, be it a reset.
    pub(crate) async fn rest(&mut self) -> String {
        self.try_rest().await.0
    }

    /// The same, and whether it ended without a reset.
    pub(crate) async fn try_rest(&mut self) -> (String, bool) {
        let mut read = Vec::new();
        let outcome = bounded(self.0.read_to_end(&mut read)).await;
        (String::from_utf8_lossy(&read).into_owned(), outcome.is_ok())
    }
}

pub(crate) fn status(response: &str) -> u16 {
    let status = response.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no status: {response:?}"))
}

pub(crate) fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// Anything that takes longer than this never comes.
pub(crate) async fn bounded<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("it should have come by now")
}
