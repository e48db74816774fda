//! What the server itself says of a request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderName, header};

use crate::client::{Client, request};
use crate::site::Site;

pub(crate) async fn describe_the_request(site: Arc<Site>) {
    let seen = site.see(request("PUT", "/a%20b/c?x=1&y=%41", "")).await;
    assert_eq!(seen.param("REQUEST_METHOD"), ["PUT"]);
    assert_eq!(seen.param("REQUEST_URI"), ["/a%20b/c?x=1&y=%41"]);
    let path = [seen.param("SCRIPT_NAME"), seen.param("PATH_INFO")].concat().concat();
    assert_eq!(path, "/a b/c");
    assert_eq!(seen.param("SERVER_PROTOCOL"), ["HTTP/1.1"]);
    assert_eq!(seen.param("GATEWAY_INTERFACE"), ["CGI/1.1"]);
    assert_eq!(seen.param("REMOTE_ADDR"), ["127.0.0.1"]);
    let software = seen.param("SERVER_SOFTWARE").concat();
    assert!(software.starts_with(site.variant.software), "{software}");
}

pub(crate) async fn query_string(site: Arc<Site>) {
    let seen = site.see(request("GET", "/?x=1&y=%41", "")).await;
    assert_eq!(seen.param("QUERY_STRING"), ["x=1&y=%41"]);
}

pub(crate) async fn scheme(site: Arc<Site>) {
    let seen = site.see(request("GET", "/", "")).await;
    assert_eq!(seen.param("REQUEST_SCHEME"), ["http"]);
    assert_eq!(seen.param("HTTPS"), [""; 0]);
}

pub(crate) async fn server_name(site: Arc<Site>) {
    assert_eq!(site.see(request("GET", "/", "")).await.param("SERVER_NAME"), ["localhost"]);
}

pub(crate) async fn server_port(site: Arc<Site>) {
    let port = site.address().port().to_string();
    assert_eq!(site.see(request("GET", "/", "")).await.param("SERVER_PORT"), [port]);
}

/// From the example's own configuration, and no header can say otherwise.
pub(crate) async fn of_ones_own(site: Arc<Site>) {
    let mut request = request("GET", "/", "");
    request.headers_mut().insert("deployment", "forged".parse().expect("a value"));
    let seen = site.see(request).await;
    assert_eq!(seen.param("DEPLOYMENT"), ["production"]);
    assert_eq!(seen.header("deployment"), ["forged"]);
}

pub(crate) async fn hold_no_client_headers(site: Arc<Site>) {
    let mut request = request("POST", "/", "body");
    request.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().expect("a value"));
    let seen = site.see(request).await;
    let of_the_client = |name: &&str| {
        name.starts_with("HTTP_") || ["CONTENT_TYPE", "CONTENT_LENGTH"].contains(name)
    };
    assert_eq!(seen.names("params").into_iter().find(of_the_client), None);
}

pub(crate) async fn debug_tells_names_only(site: Arc<Site>) {
    let seen = site.see(request("GET", "/secret-path?token=secret", "")).await;
    let debug = seen.get("params_debug");
    assert!(debug.contains("REQUEST_URI") && debug.contains("REMOTE_ADDR"), "{debug}");
    assert!(!debug.contains("secret") && !debug.contains("127.0.0.1"), "{debug}");
}

/// As with `axum::serve`: `ConnectInfo` is the client's socket, not the web server's.
pub(crate) async fn client_address(site: Arc<Site>) {
    let mut client = site.connect().await;
    let seen = client.fetch(request("GET", "/", "")).await.seen();
    assert_eq!(seen.get("peer"), client.address.to_string());
}

/// As a socket of IPv6 has it, without brackets.
pub(crate) async fn ipv6_client(site: Arc<Site>) {
    let mut client = Client::connect(site.server.listening.ipv6).await;
    let seen = client.fetch(request("GET", "/", "")).await.seen();
    assert_eq!(seen.param("REMOTE_ADDR"), ["::1"]);
    assert_eq!(seen.get("peer"), client.address.to_string());
}

/// On a socket that takes both, a client over IPv4 may look like one over IPv6.
pub(crate) async fn ipv4_client_of_an_ipv6_socket(site: Arc<Site>) {
    let address = site.server.listening.mapped;
    let mut client = Client::connect((Ipv4Addr::LOCALHOST, address.port()).into()).await;
    let seen = client.fetch(request("GET", "/", "")).await.seen();
    let peer: SocketAddr = seen.get("peer").parse().expect("an address");
    assert_eq!(peer.ip().to_canonical(), Ipv4Addr::LOCALHOST);
    assert_eq!(peer.port(), client.address.port());
}

/// Whatever a header is called, no param becomes another.
pub(crate) async fn cannot_be_forged(site: Arc<Site>) {
    let plain = site.see(request("GET", "/", "")).await;
    for name in plain.names("params") {
        let hyphens = name.replace('_', "-");
        let mut forged = request("GET", "/", "");
        for name in [name.to_owned(), hyphens, format!("HTTP_{name}")] {
            let name = name.parse::<HeaderName>().expect("a name");
            forged.headers_mut().insert(name, "forged".parse().expect("a value"));
        }
        let seen = site.see(forged).await;
        assert_eq!(sorted(seen.names("params")), sorted(plain.names("params")), "{name}");
        let changes = ["REMOTE_PORT", "SERVER_PORT"].contains(&name);
        assert!(changes || seen.param(name) == plain.param(name), "{name}: {seen:?}");
        let is_forged = |name: &&str| seen.param(name).contains(&"forged");
        assert_eq!(seen.names("params").into_iter().find(is_forged), None);
    }
}

/// Caddy's come in any order.
fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

/// A name from a Basic header that nobody checked is not a user's.
pub(crate) async fn remote_user_is_checked(site: Arc<Site>) {
    let mut request = request("GET", "/", "");
    let basic = "Basic YWRtaW46Z3Vlc3NlZA==".parse().expect("a value");
    request.headers_mut().insert(header::AUTHORIZATION, basic);
    assert_eq!(site.see(request).await.param("REMOTE_USER").concat(), "");
}
