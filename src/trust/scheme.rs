use std::fmt;

use crate::cgi::{Params, is_https};

/// Whether the client came over TLS: `http` or `https`, as the web server itself received the request.
///
/// It is `https` if the param HTTPS is `on` or `1`, or REQUEST_SCHEME is `https`, and `http` otherwise. The header
/// `X-Forwarded-Proto` has no part in it, nor has the scheme of a URI that the client sent whole (`GET https://…`).
///
/// # Who vouches for it
///
/// - nginx with its file `fastcgi_params`, which sets both; Caddy, Apache (mod_proxy_fcgi and mod_fcgid) and lighttpd, which set both
///   unasked; HAProxy, which sets HTTPS alone.
/// - Where another proxy ends TLS before the web server, all of them say `http`, unless they are told to believe that proxy: then it
///   must not be possible to reach the web server past it. With Caddy it is `env HTTPS on`, with nginx `fastcgi_param HTTPS on;`.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::Params;
/// use tower_fastcgi::trust::Scheme;
///
/// let params = Params::from_iter([("HTTPS", "on")]);
/// assert_eq!(Scheme::from_params(&params), Scheme::Https);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// What the web server says; [`Http`](Self::Http) where it says nothing.
    pub fn from_params(params: &Params) -> Self {
        let value = |name| params.get(name).unwrap_or_default();
        match is_https(value("HTTPS"), value("REQUEST_SCHEME")) {
            true => Self::Https,
            false => Self::Http,
        }
    }

    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_params_count() {
        let scheme =
            |name: &str, value: &str| Scheme::from_params(&[(name, value)].into_iter().collect());
        assert_eq!(scheme("HTTPS", "on"), Scheme::Https);
        assert_eq!(scheme("REQUEST_SCHEME", "https"), Scheme::Https);
        assert_eq!(scheme("HTTP_X_FORWARDED_PROTO", "https"), Scheme::Http);
        assert_eq!(scheme("HTTP_HTTPS", "on"), Scheme::Http);
        assert_eq!(scheme("REQUEST_URI", "https://example.org/"), Scheme::Http);
        assert_eq!(scheme("https", "on"), Scheme::Http);
        assert_eq!(Scheme::from_params(&Params::default()).to_string(), "http");
    }
}
