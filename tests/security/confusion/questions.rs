//! What applications ask, and what clients send to be believed.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum_client_ip::{CfConnectingIp, RightmostXForwardedFor, TrueClientIp, XRealIp};
use futures_util::FutureExt;
use http::request::Parts;
use http::{Request, header};
use tower_fastcgi::Params;
use tower_fastcgi::trust::{ClientCert, RemoteUser, Scheme, TrustRemoteUser};
use tower_governor::key_extractor::{KeyExtractor, SmartIpKeyExtractor};

use crate::client::CLIENT;

pub(crate) struct Question {
    /// What is asked, or what the forged header is called.
    pub(crate) name: &'static str,
    /// Who asks, over HTTP and over FastCGI.
    pub(crate) asker: &'static str,
    /// What the client sends.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// What it wants to be believed.
    pub(crate) forged: &'static str,
    /// What is true, if anything is.
    pub(crate) truth: &'static str,
    pub(crate) over_http: Ask,
    pub(crate) over_fastcgi: Ask,
}

pub(crate) type Ask = fn(&Parts) -> Option<String>;

pub(crate) const QUESTIONS: &[Question] = &[
    address(
        "`True-Client-IP`",
        "axum-client-ip `TrueClientIp`",
        &[("True-Client-IP", FORGED)],
        |parts| extracted(parts, |TrueClientIp(ip)| ip),
    ),
    address(
        "`CF-Connecting-IP`",
        "axum-client-ip `CfConnectingIp`",
        &[("CF-Connecting-IP", FORGED)],
        |parts| extracted(parts, |CfConnectingIp(ip)| ip),
    ),
    address("`X-Real-IP`", "axum-client-ip `XRealIp`", &[("X-Real-IP", FORGED)], x_real_ip),
    address("`X_Real_IP`", "axum-client-ip `XRealIp`", &[("X_Real_IP", FORGED)], x_real_ip),
    address(
        "`X-Real-IP` twice, and `X_Real_IP`",
        "axum-client-ip `XRealIp`",
        &[("X-Real-IP", FORGED), ("X-Real-IP", FORGED), ("X_Real_IP", FORGED)],
        x_real_ip,
    ),
    address(
        "`X-Forwarded-For`",
        "axum-client-ip `RightmostXForwardedFor`",
        &[("X-Forwarded-For", FORGED)],
        |parts| extracted(parts, |RightmostXForwardedFor(ip)| ip),
    ),
    address(
        "`X-Forwarded-For`",
        "tower_governor `SmartIpKeyExtractor`",
        &[("X-Forwarded-For", FORGED)],
        smart_ip,
    ),
    address(
        "`X-Real-IP`",
        "tower_governor `SmartIpKeyExtractor`",
        &[("X-Real-IP", FORGED)],
        smart_ip,
    ),
    address(
        "`Forwarded`",
        "tower_governor `SmartIpKeyExtractor`",
        &[("Forwarded", "for=203.0.113.7")],
        smart_ip,
    ),
    Question {
        name: "`X-Forwarded-Proto`, `HTTPS`, `Request-Scheme`",
        asker: "`X-Forwarded-Proto`; `trust::Scheme`",
        headers: &[
            ("X-Forwarded-Proto", "https"),
            ("X_Forwarded_Proto", "https"),
            ("HTTPS", "on"),
            ("Request-Scheme", "https"),
            ("Request_Scheme", "https"),
        ],
        forged: "https",
        truth: "http",
        over_http: |parts| header(parts, "x-forwarded-proto"),
        over_fastcgi: |parts| Some(Scheme::from_params(params(parts)).to_string()),
    },
    Question {
        name: "`X-Forwarded-Host`",
        asker: "`X-Forwarded-Host`, else `Host`",
        headers: &[("X-Forwarded-Host", "forged.example"), ("X_Forwarded_Host", "forged.example")],
        forged: "forged.example",
        truth: "app.example",
        over_http: host,
        over_fastcgi: host,
    },
    Question {
        name: "`X-Remote-User`, `REMOTE_USER`, where nobody asks for a password",
        asker: "`X-Remote-User`; `trust::RemoteUser`",
        headers: &[
            ("X-Remote-User", "admin"),
            ("X_Remote_User", "admin"),
            ("Remote-User", "admin"),
            ("REMOTE_USER", "admin"),
        ],
        forged: "admin",
        truth: "",
        over_http: |parts| header(parts, "x-remote-user"),
        over_fastcgi: |parts| {
            RemoteUser::from_params(params(parts), TrustRemoteUser).map(|user| user.to_string())
        },
    },
    Question {
        name: "`X-SSL-Client-S-DN`, `SSL_CLIENT_S_DN`, without TLS",
        asker: "`X-SSL-Client-S-DN`; `trust::ClientCert`",
        headers: &[
            ("X-SSL-Client-S-DN", "CN=admin"),
            ("X-SSL-Client-Verify", "SUCCESS"),
            ("SSL-Client-S-DN", "CN=admin"),
            ("SSL-Client-Verify", "SUCCESS"),
            ("SSL_CLIENT_S_DN", "CN=admin"),
            ("SSL_CLIENT_VERIFY", "SUCCESS"),
        ],
        forged: "CN=admin",
        truth: "",
        over_http: |parts| header(parts, "x-ssl-client-s-dn"),
        over_fastcgi: |parts| ClientCert::from_params(params(parts))?.subject().map(Into::into),
    },
    Question {
        name: "`X-Tenant`, `X_Tenant`, `X.Tenant`, `TENANT`",
        asker: "`X-Tenant`; the param TENANT",
        headers: &[
            ("X-Tenant", "forged"),
            ("X_Tenant", "forged"),
            ("X.Tenant", "forged"),
            ("TENANT", "forged"),
            ("HTTP_TENANT", "forged"),
        ],
        forged: "forged",
        truth: "blue",
        over_http: |parts| header(parts, "x-tenant"),
        over_fastcgi: |parts| params(parts).get_str("TENANT").map(Into::into),
    },
    Question {
        name: "`Proxy`, which a CGI program takes for its environment's HTTP_PROXY",
        asker: "`Proxy`",
        headers: &[("Proxy", "http://forged.example")],
        forged: "http://forged.example",
        truth: "",
        over_http: |parts| header(parts, "proxy"),
        over_fastcgi: |parts| header(parts, "proxy"),
    },
];

/// The client's address, asked in the same way over both: what the middleware finds, else what axum knows.
const fn address(
    name: &'static str,
    asker: &'static str,
    headers: &'static [(&'static str, &'static str)],
    ask: Ask,
) -> Question {
    Question {
        name,
        asker,
        headers,
        forged: FORGED,
        truth: CLIENT,
        over_http: ask,
        over_fastcgi: ask,
    }
}

fn x_real_ip(parts: &Parts) -> Option<String> {
    extracted(parts, |XRealIp(ip)| ip)
}

/// What an extractor says that has nothing to wait for.
fn extracted<E: FromRequestParts<()>>(parts: &Parts, ip: fn(E) -> IpAddr) -> Option<String> {
    let mut parts = parts.clone();
    let extracted = E::from_request_parts(&mut parts, &()).now_or_never()?;
    extracted.ok().map(|extractor| ip(extractor).to_string())
}

fn smart_ip(parts: &Parts) -> Option<String> {
    let request = Request::from_parts(parts.clone(), ());
    SmartIpKeyExtractor.extract(&request).ok().map(|ip| ip.to_string())
}

/// What axum calls the client's address.
pub(crate) fn connected(parts: &Parts) -> Option<String> {
    parts.extensions.get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip().to_string())
}

fn host(parts: &Parts) -> Option<String> {
    header(parts, "x-forwarded-host").or_else(|| header(parts, header::HOST.as_str()))
}

fn header(parts: &Parts, name: &str) -> Option<String> {
    parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn params(parts: &Parts) -> &Params {
    parts.extensions.get().expect("over FastCGI each request has them")
}

const FORGED: &str = "203.0.113.7";
