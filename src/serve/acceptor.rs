use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::sleep;

use super::connections::Connections;
use super::listener::{AnyAddr, Listener};
use super::service::SendService;
use super::transport::Transport;

/// Hands the connections of a listener over to be served.
pub(super) struct Acceptor<L: Listener, S> {
    listener: L,
    listener_addr: Option<Arc<AnyAddr>>,
    connections: Connections<L::Io, S>,
}

enum Event<L: Listener> {
    Accepted(L::Io, L::Addr),
    /// A response was cut short on this connection.
    Cut(L::Io),
}

impl<L: Listener, S: SendService> Acceptor<L, S> {
    pub(super) fn new(listener: L, connections: Connections<L::Io, S>) -> Self {
        let listener_addr = listener.any_addr().map(Arc::new);
        Self { listener, listener_addr, connections }
    }

    pub(super) async fn run(&mut self) -> Infallible {
        loop {
            match self.next_event().await {
                Event::Accepted(io, addr) => self.serve(io, &addr),
                Event::Cut(io) => self.listener.abort(io),
            }
        }
    }

    /// Accepts those who have connected already: to close the listener would reset them. All that is idle closes now, so it does
    /// not count.
    pub(super) async fn accept_waiting(&mut self) {
        self.listener.withdraw();
        // The runtime learns of them only when it looks, which it has done before it fires a timer. The first may fire in a look
        // that has begun before this.
        for _ in 0..2 {
            sleep(GLANCE).await;
        }
        for _ in 0..LONGEST_QUEUE.min(self.connections.room()) {
            let Some((io, addr)) = self.accept_now().await else { return };
            self.serve(io, &addr);
        }
    }

    /// Closes the listener.
    pub(super) fn close(self) -> Connections<L::Io, S> {
        self.connections
    }

    fn serve(&mut self, io: L::Io, addr: &L::Addr) {
        let peer = self.listener.peer(&io, addr);
        let transport = Transport::new(peer, self.listener_addr.clone());
        self.connections.serve(io, transport);
    }

    /// A connection that merely ends must not make the listener begin to accept anew: it may be in the middle of a handshake.
    async fn next_event(&mut self) -> Event<L> {
        let connections = &mut self.connections;
        let mut accepted = pin!(self.listener.accept());
        poll_fn(|cx| {
            while let Poll::Ready(Some(cut)) = connections.poll_end(cx) {
                if let Some(io) = cut {
                    return Poll::Ready(Event::Cut(io));
                }
            }
            ready!(connections.poll_room(cx));
            accepted.as_mut().poll(cx).map(|(io, addr)| Event::Accepted(io, addr))
        })
        .await
    }

    async fn accept_now(&mut self) -> Option<(L::Io, L::Addr)> {
        let mut accepted = pin!(unconstrained(self.listener.accept()));
        poll_fn(|cx| match accepted.as_mut().poll(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

/// The least that tokio's timers tell apart.
const GLANCE: Duration = Duration::from_millis(1);

/// So many are accepted at most when closing; a flood of connections must not hold the shutdown up.
const LONGEST_QUEUE: usize = 4096;
