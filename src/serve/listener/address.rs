use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// An address to listen at, as [`bind`](super::bind) takes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address<'a> {
    Tcp(Host<'a>),
    Unix(&'a Path),
    /// FCGI_LISTENSOCK_FILENO.
    Stdin,
    /// A socket that systemd passes, by name if there is one.
    Systemd(Option<&'a str>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host<'a> {
    Ip(SocketAddr),
    Name(&'a str, u16),
}

impl<'a> Address<'a> {
    pub(super) fn parse(address: &'a str) -> io::Result<Self> {
        let parsed = match address.split_once(':') {
            Some(("unix", path)) => parse_path(path).map(Self::Unix),
            Some(("fd", "0")) => cfg!(unix).then_some(Self::Stdin),
            Some(("fd", number)) if is_number(number) => return Err(not_stdin(address)),
            Some(("systemd", name)) => parse_name(name).map(|name| Self::Systemd(Some(name))),
            None if address == "systemd" => cfg!(unix).then_some(Self::Systemd(None)),
            _ => parse_host(address).map(Self::Tcp),
        };
        parsed.ok_or_else(|| invalid(address))
    }
}

fn parse_path(path: &str) -> Option<&Path> {
    let names_a_file = !path.ends_with('/') && !path.contains('\0');
    (cfg!(unix) && path.starts_with('/') && names_a_file).then(|| Path::new(path))
}

/// As `FileDescriptorName=` takes it.
fn parse_name(name: &str) -> Option<&str> {
    let is_inner = |byte: u8| byte.is_ascii() && !byte.is_ascii_control() && byte != b':';
    (cfg!(unix) && !name.is_empty() && name.bytes().all(is_inner)).then_some(name)
}

fn parse_host(address: &str) -> Option<Host<'_>> {
    if let Ok(ip) = address.parse() {
        return Some(Host::Ip(ip));
    }
    let (name, port) = address.rsplit_once(':')?;
    (is_number(port) && is_host_name(name)).then_some(())?;
    Some(Host::Name(name, port.parse().ok()?))
}

/// A last label of digits is a misspelt IPv4 address, which some resolvers would make another address of.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(is_inner)
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    name.split('.').all(is_label) && name.rsplit('.').next().is_some_and(|label| !is_number(label))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn invalid(address: &str) -> io::Error {
    let reason = format!("{address:?} is no address to listen at: {FORMS}");
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

fn not_stdin(address: &str) -> io::Error {
    let reason = format!(
        "{address:?} is no address to listen at: of the inherited descriptors only fd:0 can be named; sockets that systemd \
         passes have names (systemd:NAME)"
    );
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

const FORMS: &str = if cfg!(unix) {
    "use IP:PORT or HOST:PORT (127.0.0.1:9000, [::1]:9000, localhost:9000), an absolute path (unix:/run/app.sock), standard \
     input (fd:0), or the socket that systemd passes (systemd, systemd:NAME)"
} else {
    "use IP:PORT or HOST:PORT (127.0.0.1:9000, [::1]:9000, localhost:9000); paths (unix:/run/app.sock) and inherited sockets \
     (fd:0, systemd) are not supported on this platform"
};

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str, port: u16) -> Address<'_> {
        Address::Tcp(Host::Name(name, port))
    }

    #[test]
    fn ip_addresses() {
        for address in ["127.0.0.1:9000", "0.0.0.0:0", "[::1]:9000", "[fe80::1%2]:9000"] {
            let ip = address.parse().unwrap();
            assert_eq!(Address::parse(address).unwrap(), Address::Tcp(Host::Ip(ip)));
        }
    }

    #[test]
    fn host_names() {
        assert_eq!(Address::parse("localhost:9000").unwrap(), name("localhost", 9000));
        assert_eq!(Address::parse("my_app.example.:0").unwrap(), name("my_app.example.", 0));
        assert_eq!(Address::parse("3com.example:65535").unwrap(), name("3com.example", 65535));
    }

    #[cfg(unix)]
    #[test]
    fn paths() {
        let path = Path::new("/run/my app.sock");
        assert_eq!(Address::parse("unix:/run/my app.sock").unwrap(), Address::Unix(path));
    }

    #[cfg(unix)]
    #[test]
    fn inherited_sockets() {
        assert_eq!(Address::parse("fd:0").unwrap(), Address::Stdin);
        assert_eq!(Address::parse("systemd").unwrap(), Address::Systemd(None));
        let name = "app-2.socket";
        assert_eq!(Address::parse("systemd:app-2.socket").unwrap(), Address::Systemd(Some(name)));
    }

    #[test]
    fn other_descriptors_than_standard_input_are_refused() {
        for address in ["fd:1", "fd:3", "fd:00"] {
            let text = Address::parse(address).unwrap_err().to_string();
            assert!(text.contains(address) && text.contains("only fd:0"), "{text}");
        }
    }

    #[test]
    fn anything_else_is_an_error_that_names_the_forms() {
        for address in [
            "",
            ":",
            "9000",
            ":9000",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:+9000",
            "localhost:65536",
            "local host:9000",
            "a..b:9000",
            ".:9000",
            "127.0.0.1",
            "127.0.0:9000",
            "256.0.0.1:9000",
            "::1:9000",
            "[::1]",
            "[localhost]:9000",
            "http://127.0.0.1:9000",
            "tcp:127.0.0.1:9000",
            "/run/app.sock",
            "unix//run/app.sock",
            "unix:",
            "unix:app.sock",
            "unix:/run/",
            "unix:/run/\0",
            "unix:@app",
            "fd:x",
            "systemd:",
            "systemd:a:b",
            "systemd:\n",
        ] {
            let error = Address::parse(address).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address:?}");
            let text = error.to_string();
            for form in
                [&format!("{address:?}"), "127.0.0.1:9000", "[::1]:9000", "unix:/run/app.sock"]
            {
                assert!(text.contains(form), "{form} is not in: {text}");
            }
        }
    }
}
