use std::env;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use super::{Credentials, Peer};

/// Those who may connect: addresses and networks on TCP, users and groups on Unix sockets.
///
/// Whoever connects is believed in everything, so it should be the web server alone. Everybody else is closed the door on, before a
/// byte is read: with [`AnyListener::only_from`](super::AnyListener::only_from), with
/// [`TcpOptions::only_from`](super::TcpOptions::only_from), and with [`OnlyFrom`](super::OnlyFrom) on any other listener. A warning is
/// logged, once in 10 seconds at most.
///
/// As text it is a list with commas:
///
/// | | admits |
/// |---|---|
/// | `192.0.2.1`, `2001:db8::1` | an address |
/// | `192.0.2.0/24`, `2001:db8::/32` | a network; the bits behind the length must be 0 |
/// | `uid:33` | processes whose effective user is that one when they connect (`id -u www-data` tells) |
/// | `gid:33` | processes whose effective group is that one; of their other groups the system says nothing |
///
/// - One entry that fits is enough. Who has no address is on none, and who has no user neither: a list of addresses admits nobody to a
///   Unix socket, a list of users nobody over TCP, an empty list nobody at all.
/// - IPv4 addresses are the same in IPv6 notation (`::ffff:192.0.2.1`), and only IPv4 networks admit them: `::/0` does not.
/// - Addresses prove little beyond a network that you control: it must not be possible to send with the web server's address. All
///   processes of the web server's machine have it, too, as all of this machine have 127.0.0.1. Users prove more.
/// - A user is not excepted for being root. `uid:65534` is whoever has no user in this user namespace, which is to say
///   anybody outside of a container.
/// - Who has connected may pass the connection on to others.
///
/// # Examples
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use tower_fastcgi::listener::{TcpOptions, bind};
///
/// let web_server = "192.0.2.7,2001:db8:7::/64".parse()?;
/// let listener = TcpOptions::new("0.0.0.0:9000").only_from(web_server).bind().await?;
///
/// let www_data = "uid:33".parse()?;
/// let listener = bind("unix:/run/app.sock").await?.only_from(www_data);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedPeers {
    networks: Vec<IpNet>,
    users: Vec<u32>,
    groups: Vec<u32>,
}

impl AllowedPeers {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the environment variable FCGI_WEB_SERVER_ADDRS lists (FastCGI 1.0, section 3.2): addresses and nothing else. `None` if it
    /// is not set.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput): it is set to anything else than a list, such as nothing at all.
    pub fn from_env() -> io::Result<Option<Self>> {
        let Some(list) = env::var_os(VARIABLE) else { return Ok(None) };
        let parsed = parse_addresses(&list.to_string_lossy());
        parsed.map(Some).map_err(|error| {
            io::Error::new(error.kind(), format!("in the environment, {VARIABLE}: {error}"))
        })
    }

    /// Admits an address.
    pub fn ip(mut self, ip: IpAddr) -> Self {
        self.networks.push(ip.to_canonical().into());
        self
    }

    /// Admits processes whose effective user is that one.
    pub fn uid(mut self, uid: u32) -> Self {
        self.users.push(uid);
        self
    }

    /// Admits processes whose effective group is that one.
    pub fn gid(mut self, gid: u32) -> Self {
        self.groups.push(gid);
        self
    }

    /// Whether `peer` is one of them. [`Peer::Unknown`] never is.
    pub fn admits(&self, peer: Peer) -> bool {
        match peer {
            Peer::Tcp(addr) => self.admits_ip(addr.ip()),
            Peer::Unix(credentials) => self.admits_process(credentials),
            Peer::Unknown => false,
        }
    }

    fn admits_ip(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.networks.iter().any(|network| network.contains(&ip))
    }

    fn admits_process(&self, Credentials { uid, gid, .. }: Credentials) -> bool {
        let is_listed = |ids: &[u32], id| id != NOBODY && ids.contains(&id);
        is_listed(&self.users, uid) || is_listed(&self.groups, gid)
    }

    fn entry(mut self, entry: &str) -> io::Result<Self> {
        let entry = entry.trim();
        if let Some(uid) = entry.strip_prefix("uid:") {
            return Ok(self.uid(parse_id(uid)?));
        }
        if let Some(gid) = entry.strip_prefix("gid:") {
            return Ok(self.gid(parse_id(gid)?));
        }
        if entry.contains('/') {
            self.networks.push(parse_network(entry)?);
            return Ok(self);
        }
        Ok(self.ip(parse_ip(entry)?))
    }
}

/// Fails with [`InvalidInput`](io::ErrorKind::InvalidInput) if an entry is none of those above, or if there is none.
impl FromStr for AllowedPeers {
    type Err = io::Error;

    fn from_str(list: &str) -> io::Result<Self> {
        list.split(',').try_fold(Self::new(), Self::entry)
    }
}

fn parse_addresses(list: &str) -> io::Result<AllowedPeers> {
    list.split(',')
        .try_fold(AllowedPeers::new(), |peers, entry| Ok(peers.ip(parse_ip(entry.trim())?)))
}

fn parse_ip(ip: &str) -> io::Result<IpAddr> {
    ip.parse().map_err(|_| invalid(format!("{ip:?} is not an IP address")))
}

/// A network with an address in it is more likely a mistake for that address than meant: `192.0.2.1/8` would admit 16 million.
fn parse_network(text: &str) -> io::Result<IpNet> {
    let network: IpNet =
        text.parse().map_err(|_| invalid(format!("{text:?} is not an IP network")))?;
    if network.addr() != network.network() {
        let meant = network.trunc();
        return Err(invalid(format!("{text:?} is not a network, but {meant} is one")));
    }
    Ok(canonical(network))
}

/// `::ffff:192.0.2.0/120` is 192.0.2.0/24.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    let v4 = v4.and_then(|(addr, prefix_len)| Ipv4Net::new(addr, prefix_len).ok());
    v4.map_or(network, IpNet::V4)
}

fn parse_id(id: &str) -> io::Result<u32> {
    let is_decimal = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = is_decimal.then(|| id.parse().ok()).flatten();
    parsed.ok_or_else(|| invalid(format!("{id:?} is not the number of a user or a group")))
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

const VARIABLE: &str = "FCGI_WEB_SERVER_ADDRS";

/// What the system says where it knows of no user.
const NOBODY: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn list(list: &str) -> AllowedPeers {
        list.parse().unwrap()
    }

    fn tcp(ip: &str) -> Peer {
        Peer::Tcp((ip.parse::<IpAddr>().unwrap(), 50_000).into())
    }

    fn unix(uid: u32, gid: u32) -> Peer {
        Peer::Unix(Credentials { uid, gid, pid: Some(1) })
    }

    #[test]
    fn addresses_of_both_families() {
        for peers in [
            list("199.170.183.28, 199.170.183.71,2001:db8::1"),
            parse_addresses("199.170.183.28, 199.170.183.71,2001:db8::1").unwrap(),
        ] {
            for ip in ["199.170.183.28", "199.170.183.71", "2001:db8::1", "::ffff:199.170.183.28"] {
                assert!(peers.admits(tcp(ip)), "{ip}");
            }
            for ip in ["199.170.183.29", "127.0.0.1", "2001:db8::2", "::", "::199.170.183.28"] {
                assert!(!peers.admits(tcp(ip)), "{ip}");
            }
        }
    }

    #[test]
    fn networks_of_both_families() {
        let peers = list("10.0.0.0/8,192.0.2.64/26,2001:db8::/32");
        for ip in ["10.0.0.0", "10.255.255.255", "192.0.2.64", "192.0.2.127", "2001:db8:ffff::1"] {
            assert!(peers.admits(tcp(ip)), "{ip}");
        }
        for ip in
            ["11.0.0.0", "9.255.255.255", "192.0.2.63", "192.0.2.128", "2001:db9::", "::a00:1"]
        {
            assert!(!peers.admits(tcp(ip)), "{ip}");
        }
    }

    #[test]
    fn ipv4_in_ipv6_notation_is_ipv4() {
        assert!(list("::ffff:192.0.2.1").admits(tcp("192.0.2.1")));
        assert!(list("10.0.0.0/8").admits(tcp("::ffff:10.1.2.3")));
        assert!(list("::ffff:10.0.0.0/104").admits(tcp("10.1.2.3")));
        assert!(list("::ffff:10.0.0.0/104").admits(tcp("::ffff:10.1.2.3")));
        assert!(!list("::ffff:10.0.0.0/104").admits(tcp("11.1.2.3")));
        for everybody in ["::/0", "::/80", "::1"] {
            assert!(!list(everybody).admits(tcp("127.0.0.1")), "{everybody}");
            assert!(!list(everybody).admits(tcp("::ffff:127.0.0.1")), "{everybody}");
        }
        assert!(!list("0.0.0.0/0").admits(tcp("2001:db8::1")));
    }

    #[test]
    fn the_scope_of_a_link_local_address_is_another_matter() {
        let peer = Peer::Tcp("[fe80::1%3]:50000".parse().unwrap());
        assert!(list("fe80::1").admits(peer));
    }

    #[test]
    fn users_and_groups() {
        let peers = list("uid:33, gid:1000");
        assert!(peers.admits(unix(33, 0)));
        assert!(peers.admits(unix(0, 1000)));
        assert!(!peers.admits(unix(1000, 33)), "a group is not a user");
        assert!(!peers.admits(unix(0, 0)), "root is nobody special");
        assert!(list("uid:0").admits(unix(0, 33)));
        assert!(!list("uid:33").admits(unix(34, 33)));
    }

    #[test]
    fn no_user_is_on_no_list() {
        assert!(!list("uid:4294967295,gid:4294967295").admits(unix(u32::MAX, u32::MAX)));
    }

    #[test]
    fn each_kind_of_peer_needs_an_entry_of_its_kind() {
        assert!(!list("0.0.0.0/0,::/0").admits(unix(0, 0)));
        assert!(!list("uid:0,gid:0").admits(tcp("127.0.0.1")));
        let everybody = list("0.0.0.0/0,::/0,uid:0,gid:0");
        assert!(!everybody.admits(Peer::Unknown));
        for peer in [tcp("127.0.0.1"), tcp("::1"), unix(0, 0), Peer::Unknown] {
            assert!(!AllowedPeers::new().admits(peer), "{peer}");
        }
    }

    #[test]
    fn anything_else_is_an_error_that_names_it() {
        for (entries, wrong) in [
            ("", "\"\""),
            ("192.0.2.1,", "\"\""),
            ("192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.2"),
            ("192.0.2.1,localhost", "localhost"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("*", "*"),
            ("192.0.2", "192.0.2"),
            ("010.0.0.1", "010.0.0.1"),
            ("192.0.2.0/33", "192.0.2.0/33"),
            ("192.0.2.0/", "192.0.2.0/"),
            ("192.0.2.0/255.255.255.0", "192.0.2.0/255.255.255.0"),
            ("192.0.2.1/8", "192.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("uid:", "\"\""),
            ("uid:www-data", "www-data"),
            ("uid:-1", "-1"),
            ("uid:+33", "+33"),
            ("uid:4294967296", "4294967296"),
            ("gid: 33", " 33"),
            ("UID:33", "UID:33"),
        ] {
            let error = entries.parse::<AllowedPeers>().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    /// FastCGI 1.0 knows nothing but addresses.
    #[test]
    fn the_variable_lists_addresses_only() {
        for (entries, wrong) in [
            ("", "\"\""),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("uid:33", "uid:33"),
            ("192.0.2.1,localhost", "localhost"),
        ] {
            let error = parse_addresses(entries).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }
}
