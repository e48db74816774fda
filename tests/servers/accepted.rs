//! A listener of one's own: it counts.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tower_fastcgi::listener::{AnyAddr, AnyIo, AnyListener, Listener, Peer};

/// How many connections were accepted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accepted(Arc<AtomicUsize>);

impl Accepted {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Counts what another listener accepts.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: AnyListener,
    accepted: Accepted,
}

impl Counted {
    pub(crate) fn new(inner: AnyListener) -> Self {
        Self { inner, accepted: Accepted::default() }
    }

    pub(crate) fn accepted(&self) -> Accepted {
        self.accepted.clone()
    }
}

impl Listener for Counted {
    type Io = AnyIo;
    type Addr = AnyAddr;

    async fn accept(&mut self) -> (AnyIo, AnyAddr) {
        let accepted = Listener::accept(&mut self.inner).await;
        self.accepted.0.fetch_add(1, Ordering::SeqCst);
        accepted
    }

    fn local_addr(&self) -> io::Result<AnyAddr> {
        self.inner.local_addr()
    }

    fn peer(&self, io: &AnyIo, addr: &AnyAddr) -> Peer {
        self.inner.peer(io, addr)
    }

    fn abort(&self, io: AnyIo) {
        self.inner.abort(io);
    }
}
