use std::env;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;

/// The addresses that a web server may connect from, as FCGI_WEB_SERVER_ADDRS lists them (FastCGI 1.0, section 3.2).
///
/// IP addresses with commas between them: no host names, no networks, no ports.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::listener::WebServerAddrs;
///
/// let addrs: WebServerAddrs = "192.0.2.1,2001:db8::1".parse()?;
/// assert!(addrs.contains("192.0.2.1".parse().unwrap()));
/// assert!(!addrs.contains("192.0.2.2".parse().unwrap()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebServerAddrs(Vec<IpAddr>);

impl WebServerAddrs {
    /// What the environment variable FCGI_WEB_SERVER_ADDRS lists; `None` if it is not set.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput): it is set to anything else than a list, such as nothing at all.
    pub fn from_env() -> io::Result<Option<Self>> {
        let Some(list) = env::var_os(VARIABLE) else { return Ok(None) };
        let parsed = list.to_string_lossy().parse();
        parsed.map(Some).map_err(|error: io::Error| {
            io::Error::new(error.kind(), format!("in the environment, {VARIABLE}: {error}"))
        })
    }

    /// Whether `ip` is one of them. An IPv4 address is the same in IPv6 notation (`::ffff:192.0.2.1`).
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip.to_canonical())
    }
}

/// Fails with [`InvalidInput`](io::ErrorKind::InvalidInput) if it is not a list of addresses, or an empty one.
impl FromStr for WebServerAddrs {
    type Err = io::Error;

    fn from_str(list: &str) -> io::Result<Self> {
        list.split(',').map(parse_ip).collect::<io::Result<_>>().map(Self)
    }
}

fn parse_ip(ip: &str) -> io::Result<IpAddr> {
    let parsed: Option<IpAddr> = ip.trim().parse().ok();
    parsed.map(|ip| ip.to_canonical()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{ip:?} is not an IP address"))
    })
}

const VARIABLE: &str = "FCGI_WEB_SERVER_ADDRS";

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(list: &str) -> WebServerAddrs {
        list.parse().unwrap()
    }

    #[test]
    fn addresses_of_both_families() {
        let addrs = addrs("199.170.183.28, 199.170.183.71,2001:db8::1");
        for ip in ["199.170.183.28", "199.170.183.71", "2001:db8::1", "::ffff:199.170.183.28"] {
            assert!(addrs.contains(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["199.170.183.29", "127.0.0.1", "2001:db8::2", "::"] {
            assert!(!addrs.contains(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_notation() {
        assert!(addrs("::ffff:192.0.2.1").contains("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn anything_else_is_an_error_that_names_it() {
        for (list, wrong) in [
            ("", "\"\""),
            ("192.0.2.1,", "\"\""),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.2"),
            ("192.0.2.1,localhost", "localhost"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            let error = list.parse::<WebServerAddrs>().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }
}
