#[cfg(feature = "http")]
use http::header::{HeaderMap, HeaderName};

/// What happens to request headers in which a proxy tells what it saw: `X-Forwarded-For`, `X-Real-IP` and the like.
///
/// Web servers hand these to a FastCGI application as the client sent them, unless they are told otherwise (Caddy alone sets
/// `X-Forwarded-For`, `-Host` and `-Proto` itself), while common middleware believes them before anything else. What the web
/// server saw is in [`Params`](crate::Params), where no client can write: `REMOTE_ADDR`, `REQUEST_SCHEME`, `HTTPS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forwarded {
    /// They are removed. This is the default.
    ///
    /// In detail, whatever their case and with `_` and `-` taken as the same:
    ///
    /// - `Forwarded` and `Forwarded-*`, `X-Forwarded` and `X-Forwarded-*`, `X-Original-Forwarded-For`,
    ///   `X-Vercel-Forwarded-For`, `CloudFront-Forwarded-Proto`;
    /// - the client's address: `X-Real-IP`, `X-Client-IP`, `Client-IP`, `True-Client-IP`, `X-Cluster-Client-IP`,
    ///   `X-ProxyUser-IP`, `X-Remote-IP`, `X-Remote-Addr`, `Remote-Addr`, `X-Originating-IP`, `X-Original-Remote-Addr`,
    ///   `Proxy-Client-IP`, `WL-Proxy-Client-IP`, `CF-Connecting-IP`, `CF-Connecting-IPv6`, `CF-Pseudo-IPv4`,
    ///   `CloudFront-Viewer-Address`, `Fastly-Client-IP`, `Fly-Client-IP`, `DO-Connecting-IP`, `Akamai-Client-IP`,
    ///   `Incap-Client-IP`, `X-Sucuri-ClientIP`, `Ali-CDN-Real-IP`, `AppEngine-User-IP`, `X-AppEngine-User-IP`,
    ///   `X-Azure-ClientIP`, `X-Azure-SocketIP`, `X-NF-Client-Connection-IP`, `X-Envoy-External-Address`,
    ///   `X-Envoy-Internal`;
    /// - the scheme and the host: `X-Scheme`, `X-URL-Scheme`, `Front-End-Https`, `X-ARR-SSL`, `CF-Visitor`, `X-Host`,
    ///   `X-Original-Host`, `X-Original-Proto`;
    /// - the path, which some frameworks let these override after the web server has checked access to another one:
    ///   `X-Original-URL`, `X-Original-URI`, `X-Rewrite-URL`, `X-Envoy-Original-Path`, `X-Script-Name`.
    #[default]
    Remove,
    /// They stay.
    ///
    /// For a front server that sets those which the application reads and removes the rest, on every request (nginx:
    /// `fastcgi_param HTTP_X_REAL_IP $remote_addr;`), or stands behind a proxy which does and cannot be passed by.
    Keep,
}

/// Removes what [`Forwarded::Remove`] names.
#[cfg(feature = "http")]
pub(crate) fn remove_forwarded(headers: &mut HeaderMap) {
    let is_named = |name: &HeaderName| match name.as_str() {
        name if name.contains('_') => is_forwarded(&name.replace('_', "-")),
        name => is_forwarded(name),
    };
    let named: Vec<_> = headers.keys().filter(|name| is_named(name)).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}

/// Whether [`Forwarded::Remove`] names this header; `name` is in lower case.
pub(super) fn is_forwarded(name: &str) -> bool {
    let unprefixed = name.strip_prefix("x-").unwrap_or(name);
    if let Some(rest) = unprefixed.strip_prefix("forwarded") {
        return rest.is_empty() || rest.starts_with('-');
    }
    NAMES.contains(&name)
}

/// What axum-client-ip, tower_governor, axum-extra, and the usual libraries of Node, Python, Ruby, PHP and Java read.
pub(super) const NAMES: &[&str] = &[
    "akamai-client-ip",
    "ali-cdn-real-ip",
    "appengine-user-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "cf-visitor",
    "client-ip",
    "cloudfront-forwarded-proto",
    "cloudfront-viewer-address",
    "do-connecting-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "front-end-https",
    "incap-client-ip",
    "proxy-client-ip",
    "remote-addr",
    "true-client-ip",
    "wl-proxy-client-ip",
    "x-appengine-user-ip",
    "x-arr-ssl",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-path",
    "x-host",
    "x-nf-client-connection-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-proto",
    "x-original-remote-addr",
    "x-original-uri",
    "x-original-url",
    "x-originating-ip",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-rewrite-url",
    "x-scheme",
    "x-script-name",
    "x-sucuri-clientip",
    "x-url-scheme",
    "x-vercel-forwarded-for",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_at_a_dash() {
        for name in ["forwarded", "forwarded-for", "x-forwarded", "x-forwarded-for", "x-forwarded-"]
        {
            assert!(is_forwarded(name), "{name}");
        }
        for name in
            ["forwardedfor", "x-forwardedfor", "x-forward", "y-forwarded-for", "x-x-forwarded", ""]
        {
            assert!(!is_forwarded(name), "{name}");
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn all_values_are_removed_however_they_are_written() {
        let mut headers = HeaderMap::new();
        for name in ["x-forwarded-for", "x_forwarded_for", "x_real-ip", "forwarded", "host", "x_y"]
        {
            let name = HeaderName::from_static(name);
            headers.append(&name, "1".parse().unwrap());
            headers.append(&name, "2".parse().unwrap());
        }
        remove_forwarded(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["host", "x_y"]);
    }

    #[test]
    fn the_documentation_names_all() {
        let documentation = include_str!("forwarded.rs").to_lowercase();
        for name in NAMES {
            assert!(documentation.contains(&format!("`{name}`")), "{name}");
        }
    }
}
