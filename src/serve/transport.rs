use std::sync::Arc;

use super::listener::{AnyAddr, Peer};

/// The connection that a request came on: between the web server and this application, not the client's.
///
/// [`serve`](crate::serve()) puts it into the extensions of each request. What it says was said by the operating system. The
/// client's address is another matter: it is REMOTE_ADDR among the [`Params`](crate::Params).
///
/// It is cheap to clone.
///
/// # Examples
///
/// Only the web server's user may use a part of the application:
///
/// ```
/// use http::{Request, StatusCode};
/// use tower_fastcgi::Transport;
/// use tower_fastcgi::listener::Peer;
///
/// fn admit<B>(request: &Request<B>, uid: u32) -> Result<(), StatusCode> {
///     match request.extensions().get().map(Transport::peer) {
///         Some(Peer::Unix(process)) if process.uid == uid => Ok(()),
///         _ => Err(StatusCode::FORBIDDEN),
///     }
/// }
/// # assert_eq!(admit(&Request::new(()), 33), Err(StatusCode::FORBIDDEN));
/// ```
#[derive(Clone, Debug)]
pub struct Transport {
    peer: Peer,
    listener_addr: Option<Arc<AnyAddr>>,
}

impl Transport {
    pub(super) fn new(peer: Peer, listener_addr: Option<Arc<AnyAddr>>) -> Self {
        Self { peer, listener_addr }
    }

    /// The web server's end of the connection, as [`Listener::peer`](crate::listener::Listener::peer) tells it: a TCP address,
    /// or the user, group and process at the other end of a Unix socket.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The address of the listener that accepted the connection, as
    /// [`Listener::any_addr`](crate::listener::Listener::any_addr) tells it.
    pub fn listener_addr(&self) -> Option<&AnyAddr> {
        self.listener_addr.as_deref()
    }
}
