//! What the server itself says of a request.

use std::sync::Arc;

use axum::http::header;

use crate::client::request;
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

/// A name from a Basic header that nobody checked is not a user's.
pub(crate) async fn remote_user_is_checked(site: Arc<Site>) {
    let mut request = request("GET", "/", "");
    let basic = "Basic YWRtaW46Z3Vlc3NlZA==".parse().expect("a value");
    request.headers_mut().insert(header::AUTHORIZATION, basic);
    assert_eq!(site.see(request).await.param("REMOTE_USER").concat(), "");
}
