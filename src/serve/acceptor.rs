use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::task::{unconstrained, yield_now};

use super::connections::Connections;
use super::listener::Listener;
use super::service::SendService;

/// Hands the connections of a listener over to be served.
pub(super) struct Acceptor<L: Listener, S> {
    listener: L,
    connections: Connections<L::Io, S>,
}

enum Event<L: Listener> {
    Accepted(L::Io, L::Addr),
    /// A response was cut short on this connection.
    Cut(L::Io),
}

impl<L: Listener, S: SendService> Acceptor<L, S> {
    pub(super) fn new(listener: L, connections: Connections<L::Io, S>) -> Self {
        Self { listener, connections }
    }

    pub(super) async fn run(&mut self) -> Infallible {
        loop {
            match self.next_event().await {
                Event::Accepted(io, addr) => self.serve(io, &addr),
                Event::Cut(io) => self.listener.abort(io),
            }
        }
    }

    /// Accepts those who have connected already: to close the listener would reset them.
    pub(super) async fn accept_waiting(&mut self) {
        // The runtime learns of them only when it looks.
        yield_now().await;
        for _ in 0..LONGEST_QUEUE {
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
        self.connections.serve(io, peer);
    }

    /// A connection that merely ends must not make the listener begin to accept anew: it may be in the middle of a handshake.
    async fn next_event(&mut self) -> Event<L> {
        let mut accepted = pin!(self.listener.accept());
        loop {
            tokio::select! {
                (io, addr) = &mut accepted => return Event::Accepted(io, addr),
                Some(cut) = self.connections.next_end() => {
                    if let Some(io) = cut {
                        return Event::Cut(io);
                    }
                }
            }
        }
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

/// So many are accepted at most when closing; a flood of connections must not hold the shutdown up.
const LONGEST_QUEUE: usize = 4096;
