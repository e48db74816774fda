use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use tokio::task::yield_now;

use super::{AllowedPeers, AnyAddr, Listener, Peer};
use crate::log_limit::LogLimit;
use crate::server::{Observer, Observers};
use crate::trace::warn;

/// A listener that accepts the connections of [`AllowedPeers`] only, and closes others before a byte of them is read.
///
/// It is for listeners of one's own and for tokio's; those that [`bind`](super::bind) makes have it built in
/// ([`AnyListener::only_from`](super::AnyListener::only_from)). Who the peer is, the listener has to say: see [`Listener::peer`].
///
/// # Examples
///
/// Only processes of one user may connect to a socket that has no file, whose mode would say so:
///
/// ```no_run
/// # #[cfg(target_os = "linux")]
/// # async fn listen() -> std::io::Result<()> {
/// use tokio::net::UnixListener;
/// use tower_fastcgi::listener::OnlyFrom;
///
/// let listener = OnlyFrom::new(UnixListener::bind("\0app")?, "uid:33".parse()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct OnlyFrom<L> {
    listener: L,
    gate: Gate,
}

impl<L: Listener> OnlyFrom<L> {
    /// Accepts from `listener` what comes from `peers`.
    pub fn new(listener: L, peers: AllowedPeers) -> Self {
        let mut gate = Gate::default();
        gate.add(peers);
        Self { listener, gate }
    }
}

impl<L: Listener> Listener for OnlyFrom<L> {
    type Io = L::Io;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (L::Io, L::Addr) {
        loop {
            let (io, addr) = self.listener.accept().await;
            if self.gate.admits(self.listener.peer(&io, &addr)) {
                return (io, addr);
            }
            drop(io);
            self.gate.rest().await;
        }
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }

    fn any_addr(&self) -> Option<AnyAddr> {
        self.listener.any_addr()
    }

    fn peer(&self, io: &L::Io, addr: &L::Addr) -> Peer {
        self.listener.peer(io, addr)
    }

    fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.gate.observe(observer.clone());
        self.listener.observe(observer);
    }

    fn withdraw(&mut self) {
        self.listener.withdraw();
    }

    fn abort(&self, io: L::Io) {
        self.listener.abort(io);
    }
}

/// Lets those pass who are on every list; all, if there is none.
#[derive(Debug, Default)]
pub(super) struct Gate {
    lists: Vec<AllowedPeers>,
    refused: LogLimit,
    observers: Observers,
    /// How many were refused since the last rest.
    in_a_row: AtomicUsize,
}

impl Gate {
    pub(super) fn add(&mut self, peers: AllowedPeers) {
        self.lists.push(peers);
    }

    pub(super) fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observers = observer.into();
    }

    /// Asked once for each connection: it logs and tells whom it refuses.
    pub(super) fn admits(&self, peer: Peer) -> bool {
        let is_admitted = self.lists.iter().all(|peers| peers.admits(peer));
        if !is_admitted {
            self.observers.refuse_connection();
            if let Some(withheld) = self.refused.pass() {
                warn!(%peer, others_since_the_last_line = withheld, "connection refused: its peer is not on the list");
            }
        }
        is_admitted
    }

    /// To be awaited after each refusal: with a flood of them, others must have their turn, and a shutdown its end.
    pub(super) async fn rest(&self) {
        if self.in_a_row.fetch_add(1, Relaxed) >= FLOOD {
            self.in_a_row.store(0, Relaxed);
            yield_now().await;
        }
    }
}

/// As many as wait in the usual queue.
const FLOOD: usize = super::BACKLOG as usize;
