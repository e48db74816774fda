use std::net::Ipv6Addr;

use bytes::Bytes;

use super::decimal;
use super::variables::Variables;

/// What stands in for a missing `Host` header: SERVER_NAME and, unless it is the scheme's own, SERVER_PORT.
///
/// `None` if the server has no name that could be one: nginx sends `_`, or the text of a regular expression, when such is the
/// `server_name` of the block.
pub(super) fn server_authority(raw: &Bytes, variables: &Variables<'_>) -> Option<Bytes> {
    let server_name = variables.server_name.unwrap_or_default();
    let (name, own_port) = split_port(server_name);
    let port = own_port.or(variables.server_port).and_then(decimal::parse);
    let port = port.filter(|&port| port != default_port(variables) && u16::try_from(port).is_ok());
    match (kind(name)?, port) {
        (Kind::Name, None) => Some(raw.slice_ref(name)),
        (Kind::Name, Some(port)) => Some(with_port(&[name], port)),
        (Kind::Ipv6, None) => Some([b"[", name, b"]"].concat().into()),
        (Kind::Ipv6, Some(port)) => Some(with_port(&[b"[", name, b"]"], port)),
    }
}

/// HAProxy's SERVER_NAME is the client's `Host`, port and brackets included.
fn split_port(server_name: &[u8]) -> (&[u8], Option<&[u8]>) {
    if let Some(bracketed) = server_name.strip_prefix(b"[") {
        return match bracketed.iter().position(|&byte| byte == b']') {
            Some(end) => (&bracketed[..end], bracketed[end + 1..].strip_prefix(b":")),
            None => (server_name, None),
        };
    }
    let mut parts = server_name.splitn(3, |&byte| byte == b':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(port), None) => (name, Some(port)),
        _ => (server_name, None),
    }
}

enum Kind {
    /// A registered name or an IPv4 address.
    Name,
    Ipv6,
}

fn kind(name: &[u8]) -> Option<Kind> {
    let text = std::str::from_utf8(name).ok()?;
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some(Kind::Ipv6);
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (text.bytes().all(is_name) && !matches!(text, "" | "_")).then_some(Kind::Name)
}

fn with_port(parts: &[&[u8]], port: u64) -> Bytes {
    let mut authority = parts.concat();
    authority.push(b':');
    decimal::put(&mut authority, port);
    authority.into()
}

fn default_port(variables: &Variables<'_>) -> u64 {
    if variables.is_https() { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_authority(name: &str, port: &str, https: &str, expected: Option<&str>) {
        let raw = Bytes::copy_from_slice(name.as_bytes());
        let variables = Variables {
            server_name: Some(&raw),
            server_port: Some(port.as_bytes()),
            https: Some(https.as_bytes()),
            ..Variables::default()
        };
        let authority = server_authority(&raw, &variables);
        assert_eq!(authority.as_deref(), expected.map(str::as_bytes));
    }

    #[test]
    fn the_port_is_told_unless_it_is_the_schemes_own() {
        assert_authority("example.com", "8080", "", Some("example.com:8080"));
        assert_authority("example.com", "80", "", Some("example.com"));
        assert_authority("example.com", "443", "", Some("example.com:443"));
        assert_authority("example.com", "443", "on", Some("example.com"));
        assert_authority("example.com", "80", "on", Some("example.com:80"));
        assert_authority("192.0.2.1", "8080", "", Some("192.0.2.1:8080"));
        for port in ["", "http", "-1", "65536"] {
            assert_authority("example.com", port, "", Some("example.com"));
        }
    }

    #[test]
    fn the_name_may_hold_a_port() {
        assert_authority("example.com:8080", "80", "", Some("example.com:8080"));
        assert_authority("example.com:80", "8080", "", Some("example.com"));
        assert_authority("example.com:", "8080", "", Some("example.com"));
        assert_authority("[2001:db8::1]:8080", "80", "", Some("[2001:db8::1]:8080"));
    }

    #[test]
    fn ipv6_gets_brackets() {
        assert_authority("2001:db8::1", "8080", "", Some("[2001:db8::1]:8080"));
        assert_authority("2001:db8::1", "80", "", Some("[2001:db8::1]"));
        assert_authority("[2001:db8::1]", "8080", "", Some("[2001:db8::1]:8080"));
        assert_authority("::1", "80", "", Some("[::1]"));
    }

    #[test]
    fn what_is_no_host_gives_none() {
        for name in ["", "_", "~^(www\\.)?", "*.example.com", "a b", "a\r\nb", "[::1", "a:b:c", "é"]
        {
            assert_authority(name, "8080", "", None);
        }
    }
}
