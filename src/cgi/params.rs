use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;

use super::decimal;
use crate::record::{Pairs, put_pair};

/// What the web server set for a request, apart from what the client sent.
///
/// It is in the extensions of every request. The client's headers are not in it: they are the request's headers, so a param
/// named `HTTP_*`, `CONTENT_TYPE` or `CONTENT_LENGTH` is never found here.
///
/// Not every param is the web server's own word. `REMOTE_ADDR`, `HTTPS` and the params you configure are; the parts of the
/// URI (`REQUEST_URI`, `QUERY_STRING`, ...) are the client's bytes, and so are `SERVER_NAME` behind all but nginx and `SERVER_PORT`
/// behind Caddy and Apache. `REMOTE_USER` proves nothing unless the web server checked the password: nginx and HAProxy fill it in
/// from an `Authorization` header that nobody verified. [`trust`](crate::trust) has types for what can be believed.
///
/// Cloning is cheap, and keeps the bytes of all params alive.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::Params;
///
/// async fn handler(request: http::Request<()>) -> String {
///     let params = request.extensions().get::<Params>().expect("served over FastCGI");
///     params.get_str("SSL_CLIENT_S_DN").unwrap_or("nobody").to_owned()
/// }
/// ```
///
/// A test of such a handler makes its own:
///
/// ```
/// use tower_fastcgi::Params;
///
/// let params: Params = [("SSL_CLIENT_S_DN", "CN=alice"), ("REMOTE_ADDR", "192.0.2.1")].into_iter().collect();
/// assert_eq!(params.get_str("SSL_CLIENT_S_DN"), Some("CN=alice"));
/// ```
#[derive(Clone, Default)]
pub struct Params {
    /// The content of FCGI_PARAMS; well-formed pairs.
    raw: Bytes,
}

impl Params {
    /// The bytes must have been read to their end as pairs.
    pub(super) fn new(raw: Bytes) -> Self {
        debug_assert!(Pairs::new(&raw).all(|pair| pair.is_ok()), "params are well-formed pairs");
        Self { raw }
    }

    /// The value of the param of this name, byte for byte as the web server sent it.
    ///
    /// Names are case-sensitive. If there are several of this name, the last one wins.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let name = name.as_bytes();
        if is_client_sent(name) {
            return None;
        }
        let mut found = None;
        for (other, value) in Pairs::new(&self.raw).map_while(Result::ok) {
            if other == name {
                found = Some(value);
            }
        }
        found
    }

    /// The value of the param of this name, if it is UTF-8; see [`get`](Self::get).
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All names and values in the order in which they came, duplicates included.
    pub fn iter(&self) -> ParamsIter<'_> {
        ParamsIter { pairs: Pairs::new(&self.raw) }
    }

    /// The client's address as the web server saw it: `REMOTE_ADDR` with `REMOTE_PORT`, or port 0 if that is missing.
    ///
    /// `None` if `REMOTE_ADDR` is missing or is no IP address, as when the client came over a Unix socket. A front server
    /// behind another proxy sees that proxy here, unless it is told whom to trust (nginx: `set_real_ip_from`).
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        remote_addr(self.get("REMOTE_ADDR"), self.get("REMOTE_PORT"))
    }
}

pub(super) fn remote_addr(addr: Option<&[u8]>, port: Option<&[u8]>) -> Option<SocketAddr> {
    let addr = parse_ip(addr?)?;
    let port = port.and_then(decimal::parse).and_then(|port| u16::try_from(port).ok());
    Some(SocketAddr::new(addr, port.unwrap_or(0)))
}

/// lighttpd writes IPv6 addresses in brackets.
pub(crate) fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    if let Some(addr) = parse_ipv4(text) {
        return Some(addr.into());
    }
    let ipv6 = match text {
        [b'[', ipv6 @ .., b']'] => ipv6,
        _ => text,
    };
    std::str::from_utf8(ipv6).ok()?.parse().ok().map(IpAddr::V6)
}

/// Takes what the standard library takes, at a third of the cost.
fn parse_ipv4(mut text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            text = text.strip_prefix(b".")?;
        }
        (*octet, text) = split_octet(text)?;
    }
    text.is_empty().then(|| octets.into())
}

/// A leading zero makes it invalid: some programs take that for a sign of octal digits.
fn split_octet(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9', rest @ ..] => {
            let digits = text[..3].iter().map(|&byte| u16::from(byte - b'0'));
            let number = digits.fold(0, |number, digit| number * 10 + digit);
            Some((u8::try_from(number).ok()?, rest))
        }
        [tens @ b'1'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
            Some(((tens - b'0') * 10 + (ones - b'0'), rest))
        }
        [ones @ b'0'..=b'9', rest @ ..] => Some((ones - b'0', rest)),
        _ => None,
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Params {
    /// # Panics
    ///
    /// If a name or a value is 2 GiB or longer, which FastCGI cannot express.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut raw = Vec::new();
        for (name, value) in pairs {
            put_pair(&mut raw, name.as_ref(), value.as_ref());
        }
        Self::new(raw.into())
    }
}

impl<'a> IntoIterator for &'a Params {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = ParamsIter<'a>;

    fn into_iter(self) -> ParamsIter<'a> {
        self.iter()
    }
}

/// Shows the names only: values may be secrets.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Params ")?;
        f.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

/// Iterates over the names and values of [`Params`]; see [`Params::iter`].
#[derive(Clone)]
pub struct ParamsIter<'a> {
    pairs: Pairs<'a>,
}

impl<'a> Iterator for ParamsIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.pairs.by_ref().flatten().find(|&(name, _)| !is_client_sent(name))
    }
}

impl std::iter::FusedIterator for ParamsIter<'_> {}

impl fmt::Debug for ParamsIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParamsIter").finish_non_exhaustive()
    }
}

pub(crate) fn is_client_sent(name: &[u8]) -> bool {
    name.starts_with(b"HTTP_") || name == b"CONTENT_TYPE" || name == b"CONTENT_LENGTH"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        pairs.iter().copied().collect()
    }

    #[test]
    fn the_last_of_duplicates_wins_and_all_are_listed_in_order() {
        let params = params(&[("A", "1"), ("B", "2"), ("A", "3")]);
        assert_eq!(params.get("A"), Some(&b"3"[..]));
        assert_eq!(params.get_str("B"), Some("2"));
        assert_eq!(params.get("C"), None);
        assert_eq!(params.get("a"), None);
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [(&b"A"[..], &b"1"[..]), (b"B", b"2"), (b"A", b"3")]);
        assert_eq!((&params).into_iter().count(), 3);
    }

    #[test]
    fn what_the_client_sent_is_not_there() {
        let params = params(&[
            ("HTTP_COOKIE", "a=b"),
            ("HTTPS", "on"),
            ("CONTENT_TYPE", "text/plain"),
            ("HTTP_", ""),
            ("CONTENT_LENGTH", "5"),
            ("http_x", "kept"),
        ]);
        for name in ["HTTP_COOKIE", "HTTP_", "CONTENT_TYPE", "CONTENT_LENGTH"] {
            assert_eq!(params.get(name), None, "{name}");
        }
        let names: Vec<_> = params.iter().map(|(name, _)| name).collect();
        assert_eq!(names, [&b"HTTPS"[..], b"http_x"]);
    }

    #[test]
    fn values_are_bytes() {
        let params: Params = [(&b"A"[..], &b"\xff\0\n"[..]), (b"B", b"")].into_iter().collect();
        assert_eq!(params.get("A"), Some(&b"\xff\0\n"[..]));
        assert_eq!(params.get_str("A"), None);
        assert_eq!(params.get_str("B"), Some(""));
    }

    #[test]
    fn debug_shows_no_value() {
        let text = format!("{:?}", params(&[("PASSWORD", "hunter2"), ("HTTP_COOKIE", "secret")]));
        assert_eq!(text, r#"Params ["PASSWORD"]"#);
        let text = format!("{:?}", params(&[("PASSWORD", "hunter2")]).iter());
        assert_eq!(text, "ParamsIter { .. }");
    }

    #[test]
    fn remote_addr_is_an_address_or_nothing() {
        let of = |addr, port| params(&[("REMOTE_ADDR", addr), ("REMOTE_PORT", port)]).remote_addr();
        assert_eq!(of("192.0.2.1", "4711"), Some("192.0.2.1:4711".parse().unwrap()));
        assert_eq!(of("2001:db8::1", "80"), Some("[2001:db8::1]:80".parse().unwrap()));
        assert_eq!(of("[2001:db8::1]", "80"), Some("[2001:db8::1]:80".parse().unwrap()));
        assert_eq!(of("192.0.2.1", ""), Some("192.0.2.1:0".parse().unwrap()));
        assert_eq!(of("192.0.2.1", "65536"), Some("192.0.2.1:0".parse().unwrap()));
        for addr in ["", "unix:", "localhost", "[192.0.2.1]", "[::1", "192.0.2.1:80"] {
            assert_eq!(of(addr, "80"), None, "{addr}");
        }
        assert_eq!(params(&[]).remote_addr(), None);
        assert_eq!(
            params(&[("REMOTE_ADDR", "::1")]).remote_addr(),
            Some("[::1]:0".parse().unwrap())
        );
    }

    #[test]
    fn clones_share_the_bytes() {
        let params = params(&[("A", "1")]);
        assert_eq!(
            params.clone().get("A").map(<[u8]>::as_ptr),
            params.get("A").map(<[u8]>::as_ptr)
        );
    }

    #[test]
    fn ipv4_octets_are_what_the_standard_library_takes() {
        let two_digits = (0..=99).map(|octet| format!("{octet:02}"));
        let octets = (0..=1100).map(|octet| octet.to_string());
        let octets = octets.chain((0..=999).map(|octet| format!("{octet:03}"))).chain(two_digits);
        for octet in
            octets.chain(["", "+1", "-1", " 1", "1 ", "a", "/", ":", "1a"].map(str::to_owned))
        {
            for text in
                [format!("{octet}.2.3.4"), format!("1.{octet}.3.4"), format!("1.2.3.{octet}")]
            {
                assert_eq!(parse_ipv4(text.as_bytes()), text.parse().ok(), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn addresses_are_what_the_standard_library_takes(
            text in prop_oneof![
                "[0-9]{1,3}(\\.[0-9]{1,3}){2,4}",
                any::<Ipv4Addr>().prop_map(|address| address.to_string()),
                any::<std::net::Ipv6Addr>().prop_map(|address| address.to_string()),
                "[0-9a-f.:\\[\\]]{0,20}",
            ],
        ) {
            prop_assert_eq!(parse_ipv4(text.as_bytes()), text.parse().ok());
            if !text.starts_with('[') {
                prop_assert_eq!(parse_ip(text.as_bytes()), text.parse().ok());
            }
        }
    }
}
