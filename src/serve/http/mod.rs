//! HTTP/1.1 and HTTP/2, in place of FastCGI or beside it on the same socket.

mod activity;
mod connection;
mod service;
mod transport;

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::listener::{AnyIo, Peer};
use crate::cgi::Forwarded;
use crate::log_limit::LogLimit;
use crate::trace::warn;

pub(in crate::serve) use self::connection::HttpConnection;

/// Who may speak HTTP on the socket of a FastCGI server; see [`Serve::with_http`](crate::Serve::with_http).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http {
    is_from_anywhere: bool,
}

impl Http {
    /// Clients on this machine: those whose TCP address is a loopback address, and those of Unix sockets.
    ///
    /// Others are answered with 403, and a warning is logged, once in 10 seconds at most. A proxy on this machine that forwards
    /// HTTP makes everybody a client on this machine. So is every page in a browser on this machine: it can send requests here, and
    /// under a host name of its own that resolves to 127.0.0.1 even read the answers.
    pub fn loopback() -> Self {
        Self { is_from_anywhere: false }
    }

    /// Everybody who can connect.
    ///
    /// HTTP vouches for nothing, and there is no TLS: this is for a network in which everybody is trusted.
    pub fn from_anywhere() -> Self {
        Self { is_from_anywhere: true }
    }

    fn admits(self, peer: Peer) -> bool {
        match peer {
            Peer::Tcp(addr) => self.is_from_anywhere || addr.ip().to_canonical().is_loopback(),
            Peer::Unix(_) => true,
            Peer::Unknown => self.is_from_anywhere,
        }
    }
}

/// Whether a server serves HTTP.
#[derive(Clone, Debug, Default)]
pub(crate) enum Mode {
    #[default]
    No,
    /// Where a connection does not begin as FastCGI does.
    Beside { http: Http, refused: Arc<LogLimit> },
    /// And nothing else.
    #[cfg_attr(not(feature = "gateway"), allow(dead_code))]
    Only(Arc<Options>),
}

impl Mode {
    pub(crate) fn beside(http: Http) -> Self {
        Self::Beside { http, refused: Arc::default() }
    }

    pub(super) fn is_beside(&self) -> bool {
        matches!(self, Self::Beside { .. })
    }

    pub(super) fn is_only(&self) -> bool {
        matches!(self, Self::Only(_))
    }

    /// How a connection of `peer` is served if it speaks HTTP.
    pub(super) fn terms<I: 'static>(
        &self,
        io: &I,
        peer: Peer,
        forwarded: Forwarded,
    ) -> Option<Terms> {
        let remote = if let Peer::Tcp(remote) = peer { Some(remote) } else { None };
        match self {
            Self::No => None,
            Self::Beside { http, refused } => {
                let refused = Some(refused.clone()).filter(|_| !http.admits(peer));
                let endpoints = Endpoints { remote, local: None };
                Some(Terms { options: Arc::default(), forwarded, endpoints, refused })
            }
            Self::Only(options) => Some(Terms {
                options: options.clone(),
                forwarded: Forwarded::Keep,
                endpoints: Endpoints { remote, local: local_addr(io) },
                refused: None,
            }),
        }
    }
}

/// How one connection is served.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Terms {
    options: Arc<Options>,
    forwarded: Forwarded,
    endpoints: Endpoints,
    /// There if its requests are refused.
    refused: Option<Arc<LogLimit>>,
}

impl Terms {
    fn log_refusal(&self) {
        let Some(withheld) = self.refused.as_ref().and_then(|refused| refused.pass()) else {
            return;
        };
        warn!(
            peer = self.endpoints.remote.map(tracing::field::display),
            others_since_the_last_line = withheld,
            "HTTP refused: its client is not on this machine, see Http::loopback"
        );
    }
}

/// Both ends of a TCP connection, as far as they are asked for, in the extensions of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoints {
    pub(crate) remote: Option<SocketAddr>,
    #[cfg_attr(not(feature = "gateway"), allow(dead_code))]
    pub(crate) local: Option<SocketAddr>,
}

fn local_addr<I: 'static>(io: &I) -> Option<SocketAddr> {
    tcp(io).and_then(|tcp| tcp.local_addr().ok())
}

/// Listeners of one's own may have transports of any type.
fn tcp<I: 'static>(io: &I) -> Option<&TcpStream> {
    let io: &dyn Any = io;
    io.downcast_ref::<TcpStream>().or_else(|| io.downcast_ref::<AnyIo>().and_then(AnyIo::tcp))
}

/// Limits of the HTTP side.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) header_timeout: Option<Duration>,
    pub(crate) send_timeout: Option<Duration>,
    pub(crate) max_header_size: usize,
    pub(crate) max_headers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            header_timeout: Some(Duration::from_secs(30)),
            send_timeout: Some(Duration::from_secs(60)),
            max_header_size: 64 * 1024,
            max_headers: 128,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_several_addresses() {
        let admits = |http: Http, addr: &str| http.admits(Peer::Tcp(addr.parse().unwrap()));
        for own in ["127.0.0.1:1", "127.9.8.7:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(admits(Http::loopback(), own), "{own}");
        }
        for other in [
            "192.0.2.1:1",
            "0.0.0.0:1",
            "[::]:1",
            "[::2]:1",
            "[::127.0.0.1]:1",
            "[::ffff:192.0.2.1]:1",
        ] {
            assert!(!admits(Http::loopback(), other), "{other}");
            assert!(admits(Http::from_anywhere(), other), "{other}");
        }
        assert!(!Http::loopback().admits(Peer::Unknown));
        assert!(Http::from_anywhere().admits(Peer::Unknown));
    }
}
