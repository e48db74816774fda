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
