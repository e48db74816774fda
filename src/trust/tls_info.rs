use std::fmt;

use super::scheme::Scheme;
use crate::cgi::Params;

/// The client's TLS connection to the web server, as the web server tells it.
///
/// It is there whenever [`Scheme`] is `https`. What it can tell beyond that is what the web server was configured to pass on.
///
/// # Who vouches for it
///
/// - Caddy passes SSL_PROTOCOL and SSL_CIPHER unasked, and the name with `env SSL_TLS_SNI {http.request.tls.server_name}` in
///   the block `transport fastcgi`.
/// - lighttpd passes SSL_PROTOCOL and SSL_CIPHER unasked; 1.4.69 and 1.4.79 cannot pass the name.
/// - Apache (mod_proxy_fcgi and mod_fcgid) passes all three with `SSLOptions +StdEnvVars`.
/// - nginx:
///   ```nginx
///   fastcgi_param SSL_PROTOCOL $ssl_protocol if_not_empty;
///   fastcgi_param SSL_CIPHER $ssl_cipher if_not_empty;
///   fastcgi_param SSL_TLS_SNI $ssl_server_name if_not_empty;
///   ```
/// - HAProxy, in the section `fcgi-app`:
///   ```text
///   set-param SSL_PROTOCOL %[ssl_fc_protocol] if { ssl_fc }
///   set-param SSL_CIPHER %[ssl_fc_cipher] if { ssl_fc }
///   set-param SSL_TLS_SNI %[ssl_fc_sni] if { ssl_fc }
///   ```
///
/// # Examples
///
/// ```
/// use tower_fastcgi::Params;
/// use tower_fastcgi::trust::TlsInfo;
///
/// let params = Params::from_iter([("HTTPS", "on"), ("SSL_PROTOCOL", "TLSv1.3")]);
/// let tls = TlsInfo::from_params(&params).expect("over TLS");
/// assert_eq!(tls.protocol(), Some("TLSv1.3"));
/// assert_eq!(tls.server_name(), None);
/// ```
#[derive(Clone)]
pub struct TlsInfo {
    params: Params,
}

impl TlsInfo {
    /// What the web server says; `None` if the client did not come over TLS.
    pub fn from_params(params: &Params) -> Option<Self> {
        match Scheme::from_params(params) {
            Scheme::Http => None,
            Scheme::Https => Some(Self { params: params.clone() }),
        }
    }

    /// The protocol's version: `TLSv1.2`, `TLSv1.3` (SSL_PROTOCOL).
    pub fn protocol(&self) -> Option<&str> {
        self.get("SSL_PROTOCOL")
    }

    /// The cipher suite (SSL_CIPHER). For those before TLS 1.3 web servers have two notations: `ECDHE-RSA-AES128-GCM-SHA256` of OpenSSL,
    /// and `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` of Caddy.
    pub fn cipher(&self) -> Option<&str> {
        self.get("SSL_CIPHER")
    }

    /// The host name that the client asked for when it connected (SSL_TLS_SNI).
    ///
    /// It is the client's choice, and need not be the host of the request, which the Host header names.
    pub fn server_name(&self) -> Option<&str> {
        self.get("SSL_TLS_SNI")
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.params.get_str(name).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("protocol", &self.protocol())
            .field("cipher", &self.cipher())
            .field("server_name", &self.server_name())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(params: &[(&str, &str)]) -> Option<TlsInfo> {
        TlsInfo::from_params(&params.iter().copied().collect())
    }

    #[test]
    fn is_there_over_tls_only() {
        assert!(tls(&[("SSL_PROTOCOL", "TLSv1.3")]).is_none());
        assert!(tls(&[("REQUEST_SCHEME", "https")]).is_some());
        let forged = [("HTTP_HTTPS", "on"), ("HTTP_SSL_PROTOCOL", "TLSv1.3")];
        assert!(tls(&forged).is_none());
    }

    #[test]
    fn what_is_empty_is_missing() {
        let tls = tls(&[
            ("HTTPS", "on"),
            ("SSL_PROTOCOL", "TLSv1.2"),
            ("SSL_CIPHER", ""),
            ("HTTP_SSL_TLS_SNI", "forged"),
        ]);
        let text = format!("{:?}", tls.unwrap());
        assert_eq!(
            text,
            r#"TlsInfo { protocol: Some("TLSv1.2"), cipher: None, server_name: None }"#
        );
    }
}
