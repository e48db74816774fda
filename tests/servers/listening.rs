//! Where a web server listens.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::process::free_address;

/// The addresses of one server.
#[derive(Debug, Clone)]
pub(crate) struct Listening {
    pub(crate) main: SocketAddr,
    pub(crate) ipv6: SocketAddr,
    /// A socket of IPv6 that takes connections over IPv4.
    pub(crate) mapped: SocketAddr,
    /// HTTP/2 and HTTP/1.1.
    pub(crate) tls: SocketAddr,
}

impl Listening {
    pub(crate) fn new() -> io::Result<Self> {
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        Ok(Self {
            main: free_address()?,
            ipv6: free_port(Ipv6Addr::LOCALHOST.into())?,
            mapped: SocketAddr::new(mapped.into(), free_port(Ipv4Addr::LOCALHOST.into())?.port()),
            tls: free_address()?,
        })
    }

    /// Without TLS, in the words of configuration files.
    pub(crate) fn clear(&self) -> [String; 3] {
        [self.main, self.ipv6, self.mapped].map(|address| address.to_string())
    }
}

fn free_port(ip: IpAddr) -> io::Result<SocketAddr> {
    TcpListener::bind((ip, 0))?.local_addr()
}
