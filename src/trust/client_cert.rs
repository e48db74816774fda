use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::pem;
use crate::cgi::Params;

/// The certificate by which the client authenticated itself to the web server.
///
/// There is one only if the web server says that it has verified it: SSL_CLIENT_VERIFY is `SUCCESS`, and at least one of the params
/// about the certificate is not empty. A certificate that failed, that was not checked (Apache's `optional_no_ca`) or that expired
/// makes none. That the client holds its key goes without saying: TLS proves it.
///
/// The params are those of Apache's mod_ssl unless [`ClientCertParams`] names others.
///
/// # Who vouches for it
///
/// - Apache (mod_proxy_fcgi and mod_fcgid) with `SSLVerifyClient` and `SSLOptions +StdEnvVars`; for the certificate itself
///   `+ExportCertData`. It is 16 KiB at most: Apache drops params above that.
/// - lighttpd with `ssl.verifyclient.activate`; for the certificate itself `ssl.verifyclient.exportcert`. It passes no issuer.
/// - nginx with `ssl_verify_client`, and in the location:
///   ```nginx
///   fastcgi_param SSL_CLIENT_VERIFY $ssl_client_verify;
///   fastcgi_param SSL_CLIENT_S_DN $ssl_client_s_dn;
///   fastcgi_param SSL_CLIENT_I_DN $ssl_client_i_dn;
///   fastcgi_param SSL_CLIENT_M_SERIAL $ssl_client_serial;
///   fastcgi_param SSL_CLIENT_FINGERPRINT $ssl_client_fingerprint;
///   fastcgi_param SSL_CLIENT_CERT $ssl_client_escaped_cert;
///   ```
/// - HAProxy with `verify optional` or `verify required` and `ca-file` on its `bind` line, and in the section `fcgi-app`:
///   ```text
///   set-param SSL_CLIENT_VERIFY SUCCESS if { ssl_c_used } { ssl_c_verify 0 }
///   set-param SSL_CLIENT_S_DN %[ssl_c_s_dn(,0,rfc2253)] if { ssl_c_used }
///   set-param SSL_CLIENT_I_DN %[ssl_c_i_dn(,0,rfc2253)] if { ssl_c_used }
///   set-param SSL_CLIENT_M_SERIAL %[ssl_c_serial,hex] if { ssl_c_used }
///   set-param SSL_CLIENT_FINGERPRINT %[ssl_c_sha1,hex] if { ssl_c_used }
///   set-param SSL_CLIENT_CERT %[ssl_c_der,base64] if { ssl_c_used }
///   ```
///   `ssl_c_verify` alone proves nothing: it is 0 as well when there was no certificate.
/// - Caddy does not tell whether it verified the certificate, so its configuration has to: with `client_auth` in the mode
///   `require_and_verify` or `verify_if_given`, and no other, put into the block `transport fastcgi`:
///   ```text
///   env SSL_CLIENT_VERIFY SUCCESS
///   env SSL_CLIENT_S_DN {http.request.tls.client.subject}
///   env SSL_CLIENT_I_DN {http.request.tls.client.issuer}
///   env SSL_CLIENT_M_SERIAL {http.request.tls.client.serial}
///   env SSL_CLIENT_FINGERPRINT {http.request.tls.client.fingerprint}
///   env SSL_CLIENT_CERT {http.request.tls.client.certificate_pem}
///   ```
///   Without a certificate the others are empty, and so there is none.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::Params;
/// use tower_fastcgi::trust::ClientCert;
///
/// let params = Params::from_iter([("SSL_CLIENT_VERIFY", "SUCCESS"), ("SSL_CLIENT_S_DN", "CN=alice,O=Example")]);
/// let cert = ClientCert::from_params(&params).expect("it was verified");
/// assert_eq!(cert.subject(), Some("CN=alice,O=Example"));
///
/// let params = Params::from_iter([("SSL_CLIENT_VERIFY", "FAILED:certificate has expired"), ("SSL_CLIENT_S_DN", "CN=alice")]);
/// assert!(ClientCert::from_params(&params).is_none());
/// ```
#[derive(Clone)]
pub struct ClientCert {
    params: Params,
    names: ClientCertParams,
}

impl ClientCert {
    /// The certificate that the web server verified, if it did, from the params that Apache's mod_ssl has.
    pub fn from_params(params: &Params) -> Option<Self> {
        Self::from_params_named(params, &ClientCertParams::new())
    }

    /// The same from params of other names.
    pub fn from_params_named(params: &Params, names: &ClientCertParams) -> Option<Self> {
        let names_of = &*names.0;
        let is_verified = params
            .get(&names_of.verified)
            .is_some_and(|value| !value.is_empty() && value == names_of.verified_value.as_bytes());
        let cert = Self { params: params.clone(), names: names.clone() };
        (is_verified && cert.is_described()).then_some(cert)
    }

    /// Whom it was issued to, in the web server's notation: `CN=alice,O=Example` from Apache, Caddy, nginx and, as configured above,
    /// HAProxy; `O = Example, CN = alice` from lighttpd.
    ///
    /// To compare it with a fixed text is safe behind one web server, if the issuer's every subject is unique. To take it apart is
    /// not: names may hold commas.
    pub fn subject(&self) -> Option<&str> {
        self.get(&self.names.0.subject)
    }

    /// Who issued it, in the same notation.
    pub fn issuer(&self) -> Option<&str> {
        self.get(&self.names.0.issuer)
    }

    /// The serial number that its issuer gave it, in hexadecimal digits; decimal ones from Caddy.
    pub fn serial(&self) -> Option<&str> {
        self.get(&self.names.0.serial)
    }

    /// A hash of the whole certificate in hexadecimal digits: SHA-1 from nginx and HAProxy, SHA-256 from Caddy. Apache and lighttpd
    /// have none.
    pub fn fingerprint(&self) -> Option<&str> {
        self.get(&self.names.0.fingerprint)
    }

    /// The certificate in PEM, the same text whichever of the ways above the web server wrote it; `None` if it was not sent or is
    /// none.
    pub fn pem(&self) -> Option<String> {
        pem::normalize(self.get(&self.names.0.certificate)?)
    }

    fn is_described(&self) -> bool {
        let Names { subject, issuer, serial, fingerprint, certificate, .. } = &*self.names.0;
        [subject, issuer, serial, fingerprint, certificate]
            .iter()
            .any(|name| self.params.get(name).is_some_and(|value| !value.is_empty()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.params.get_str(name).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for ClientCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCert")
            .field("subject", &self.subject())
            .field("issuer", &self.issuer())
            .field("serial", &self.serial())
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

/// The names of the params that a [`ClientCert`] is made of, for web servers that have been configured to pass others.
///
/// The extractor looks for it in the extensions of the request, where `axum::Extension` puts it. It is cheap to clone.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::Params;
/// use tower_fastcgi::trust::{ClientCert, ClientCertParams};
///
/// let names = ClientCertParams::new().verified("TLS_CLIENT_CHECKED", "yes").subject("TLS_CLIENT_DN");
/// let params = Params::from_iter([("TLS_CLIENT_CHECKED", "yes"), ("TLS_CLIENT_DN", "CN=alice")]);
/// let cert = ClientCert::from_params_named(&params, &names).expect("it was verified");
/// assert_eq!(cert.subject(), Some("CN=alice"));
/// ```
#[derive(Clone, Debug)]
pub struct ClientCertParams(Arc<Names>);

#[derive(Clone, Debug)]
struct Names {
    verified: Name,
    verified_value: Name,
    subject: Name,
    issuer: Name,
    serial: Name,
    fingerprint: Name,
    certificate: Name,
}

type Name = Cow<'static, str>;

impl ClientCertParams {
    /// The names that Apache's mod_ssl and lighttpd use, and SSL_CLIENT_FINGERPRINT.
    pub fn new() -> Self {
        Self(Arc::new(Names {
            verified: "SSL_CLIENT_VERIFY".into(),
            verified_value: "SUCCESS".into(),
            subject: "SSL_CLIENT_S_DN".into(),
            issuer: "SSL_CLIENT_I_DN".into(),
            serial: "SSL_CLIENT_M_SERIAL".into(),
            fingerprint: "SSL_CLIENT_FINGERPRINT".into(),
            certificate: "SSL_CLIENT_CERT".into(),
        }))
    }

    /// Sets which param says that the certificate was verified, and what it then says.
    ///
    /// Default is SSL_CLIENT_VERIFY with the value `SUCCESS`. An empty value says nothing.
    pub fn verified(
        self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.with(|names| {
            names.verified = name.into();
            names.verified_value = value.into();
        })
    }

    /// Sets the param of [`ClientCert::subject`]. Default is SSL_CLIENT_S_DN.
    pub fn subject(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(|names| names.subject = name.into())
    }

    /// Sets the param of [`ClientCert::issuer`]. Default is SSL_CLIENT_I_DN.
    pub fn issuer(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(|names| names.issuer = name.into())
    }

    /// Sets the param of [`ClientCert::serial`]. Default is SSL_CLIENT_M_SERIAL.
    pub fn serial(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(|names| names.serial = name.into())
    }

    /// Sets the param of [`ClientCert::fingerprint`]. Default is SSL_CLIENT_FINGERPRINT.
    pub fn fingerprint(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(|names| names.fingerprint = name.into())
    }

    /// Sets the param of [`ClientCert::pem`]. Default is SSL_CLIENT_CERT.
    ///
    /// It may hold PEM, PEM with indented lines, percent-encoded PEM, or DER in base64.
    pub fn certificate(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(|names| names.certificate = name.into())
    }

    fn with(mut self, set: impl FnOnce(&mut Names)) -> Self {
        set(Arc::make_mut(&mut self.0));
        self
    }
}

impl Default for ClientCertParams {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cert(params: &[(&str, &str)]) -> Option<ClientCert> {
        ClientCert::from_params(&params.iter().copied().collect())
    }

    #[test]
    fn is_there_when_verified_only() {
        let with =
            |verify: &str| cert(&[("SSL_CLIENT_VERIFY", verify), ("SSL_CLIENT_S_DN", "CN=alice")]);
        assert!(with("SUCCESS").is_some());
        for verify in
            ["", "NONE", "GENEROUS", "FAILED:certificate has expired", "0", "success", "SUCCESS "]
        {
            assert!(with(verify).is_none(), "{verify}");
        }
        assert!(cert(&[("SSL_CLIENT_S_DN", "CN=alice")]).is_none());
    }

    /// Caddy's configuration says SUCCESS even of a client without a certificate, and HAProxy's `ssl_c_verify` says 0 of it.
    #[test]
    fn verified_but_empty_is_none() {
        assert!(cert(&[("SSL_CLIENT_VERIFY", "SUCCESS")]).is_none());
        assert!(
            cert(&[
                ("SSL_CLIENT_VERIFY", "SUCCESS"),
                ("SSL_CLIENT_S_DN", ""),
                ("SSL_CLIENT_CERT", "")
            ])
            .is_none()
        );
        assert!(
            cert(&[("SSL_CLIENT_VERIFY", "SUCCESS"), ("SSL_CLIENT_FINGERPRINT", "e504")]).is_some()
        );
    }

    #[test]
    fn no_header_makes_one() {
        assert!(
            cert(&[("HTTP_SSL_CLIENT_VERIFY", "SUCCESS"), ("HTTP_SSL_CLIENT_S_DN", "CN=alice")])
                .is_none()
        );
        let names = ClientCertParams::new().verified("HTTP_VERIFIED", "yes").subject("HTTP_DN");
        let params = [("HTTP_VERIFIED", "yes"), ("HTTP_DN", "CN=alice")].into_iter().collect();
        assert!(ClientCert::from_params_named(&params, &names).is_none());
    }

    #[test]
    fn of_two_values_the_last_counts() {
        let params = [
            ("SSL_CLIENT_VERIFY", "SUCCESS"),
            ("SSL_CLIENT_VERIFY", "NONE"),
            ("SSL_CLIENT_S_DN", "CN=alice"),
        ];
        assert!(cert(&params).is_none());
    }

    #[test]
    fn an_empty_value_never_says_verified() {
        let names = ClientCertParams::new().verified("VERIFIED", "");
        for params in
            [&[("SSL_CLIENT_S_DN", "CN=a")][..], &[("VERIFIED", ""), ("SSL_CLIENT_S_DN", "CN=a")]]
        {
            let params = params.iter().copied().collect();
            assert!(ClientCert::from_params_named(&params, &names).is_none());
        }
    }

    #[test]
    fn each_part_has_its_param() {
        let names = ClientCertParams::new()
            .verified("V", "1")
            .subject("S")
            .issuer("I")
            .serial("N")
            .fingerprint("F")
            .certificate("C");
        let params = [("V", "1"), ("S", "s"), ("I", "i"), ("N", "n"), ("F", "f"), ("C", "MIIC")];
        let cert = ClientCert::from_params_named(&params.into_iter().collect(), &names).unwrap();
        let parts = [cert.subject(), cert.issuer(), cert.serial(), cert.fingerprint()];
        assert_eq!(parts, ["s", "i", "n", "f"].map(Some));
        let pem = "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n";
        assert_eq!(cert.pem().as_deref(), Some(pem));
        let debug = format!("{cert:?}");
        assert!(
            debug.starts_with(r#"ClientCert { subject: Some("s"), issuer: Some("i")"#),
            "{debug}"
        );
    }
}
