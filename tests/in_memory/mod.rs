//! A listener whose connections are made in memory.

#![allow(dead_code, unreachable_pub)]

use std::future::pending;
use std::io;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tower_fastcgi::listener::Listener;

pub struct InMemory {
    connections: mpsc::UnboundedReceiver<DuplexStream>,
}

/// Where connections to an [`InMemory`] listener are made.
pub struct Network {
    connections: mpsc::UnboundedSender<DuplexStream>,
}

impl InMemory {
    pub fn new() -> (Self, Network) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { connections: receiver }, Network { connections: sender })
    }
}

impl Listener for InMemory {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.connections.recv().await {
            Some(io) => (io, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Network {
    pub fn connect(&self) -> DuplexStream {
        let (theirs, ours) = tokio::io::duplex(64 * 1024);
        self.connections.send(theirs).expect("somebody listens");
        ours
    }

    /// Nobody listens any more.
    pub fn is_closed(&self) -> bool {
        self.connections.is_closed()
    }
}
