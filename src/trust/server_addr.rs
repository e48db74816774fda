use std::net::IpAddr;

use crate::cgi::{Params, parse_ip};

/// The web server's own address that the client connected to: SERVER_ADDR.
///
/// It is the address alone. The port is left out because SERVER_PORT is what the client wrote into its Host header behind Caddy and
/// Apache; where that is known not to be so (nginx, HAProxy, lighttpd; Apache with `UseCanonicalName On`) it is among the
/// [`Params`].
///
/// # Who vouches for it
///
/// - nginx with its file `fastcgi_params`; Apache (mod_proxy_fcgi and mod_fcgid) and lighttpd unasked.
/// - HAProxy with `set-param SERVER_ADDR %[dst]` in the `fcgi-app` section.
/// - Caddy 2.6 cannot say it.
///
/// A web server on a Unix socket has no such address.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::Params;
/// use tower_fastcgi::trust::ServerAddr;
///
/// let params = Params::from_iter([("SERVER_ADDR", "192.0.2.1")]);
/// let addr = ServerAddr::from_params(&params).expect("it was sent");
/// assert!(addr.ip().is_ipv4());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddr(IpAddr);

impl ServerAddr {
    /// What the web server says; `None` if it says nothing, or no IP address.
    pub fn from_params(params: &Params) -> Option<Self> {
        parse_ip(params.get("SERVER_ADDR")?).map(Self)
    }

    /// The address.
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_an_address_or_nothing() {
        let ip = |value: &str| {
            let params = [("SERVER_ADDR", value), ("HTTP_SERVER_ADDR", "203.0.113.7")];
            ServerAddr::from_params(&params.into_iter().collect()).map(ServerAddr::ip)
        };
        assert_eq!(ip("192.0.2.1"), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(ip("2001:db8::1"), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(ip("[2001:db8::1]"), Some("2001:db8::1".parse().unwrap()));
        for value in ["", "unix:", "unix:/run/nginx.sock", "localhost", "192.0.2.1:80"] {
            assert_eq!(ip(value), None, "{value}");
        }
    }
}
