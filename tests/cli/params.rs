//! What the application is told.

use tower_fastcgi::record::ProtocolStatus;

use crate::application::Application;
use crate::command::fcgi;
use crate::peer::{Peer, response};

#[track_caller]
fn assert_told(told: &str, lines: &[&str]) {
    for line in lines {
        let has_line = told.lines().any(|other| other == *line);
        assert!(has_line, "{line:?} is not in\n{told}");
    }
}

#[tokio::test]
async fn a_request_says_what_curl_says() {
    let app = Application::start().await;
    let told = app.ask(&[], "/params?x=%20").await;
    assert_told(
        &told,
        &[
            "method=GET",
            "REQUEST_URI=/params?x=%20",
            "QUERY_STRING=x=%20",
            "REMOTE_ADDR=127.0.0.1",
            "host=localhost",
            "accept=*/*",
            concat!("user-agent=fcgi/", env!("CARGO_PKG_VERSION")),
        ],
    );
    assert!(!told.contains("REMOTE_PORT") && !told.contains("HTTPS"), "{told}");
}

#[tokio::test]
async fn headers_are_added_replaced_and_left_out() {
    let app = Application::start().await;
    let headers =
        ["-H", "X-A: 1", "-H", "X-A:2", "-H", "Accept:", "-H", "User-Agent: me", "-H", "X-Empty;"];
    let told = app.ask(&headers, "/params").await;
    assert_told(&told, &["x-a=1, 2", "user-agent=me", "x-empty="]);
    assert!(!told.contains("accept"), "{told}");
}

#[tokio::test]
async fn headers_that_are_not_sent_are_told() {
    let app = Application::start().await;
    let headers = ["-H", "X_User: me", "-H", "Proxy: evil", "-H", "X-User: you"];
    let ran = fcgi(&[&["request"], &headers[..], &[&app.address, "/params"]].concat()).await;
    let ran = ran.assert_ok();
    assert_told(ran.stdout(), &["x-user=you"]);
    assert!(ran.stderr.contains("x_user is not sent"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--param HTTP_X_USER="), "{}", ran.stderr);
    assert!(ran.stderr.contains("proxy is not sent"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    assert!(!ran.stdout().contains("evil"), "{}", ran.stdout());
}

/// Whatever else is given is sent.
#[tokio::test]
async fn a_header_is_sent_or_told_not_to_be() {
    let app = Application::start().await;
    for name in [
        "accept-encoding",
        "connection",
        "cookie",
        "expect",
        "keep-alive",
        "origin",
        "proxy",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x.y",
    ] {
        let header = format!("{name}: told");
        let ran = fcgi(&["request", "-v", "-H", &header, &app.address, "/hello"]).await.assert_ok();
        let is_told = ran.stderr.contains(&format!("the header {name} is not sent"));
        let is_sent = ran.stderr.lines().any(|line| line.ends_with(" = told"));
        assert!(is_told != is_sent, "{name}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn a_url_sets_host_and_https() {
    let app = Application::start().await;
    let told = app.ask(&[], "https://example.org:8443/params").await;
    assert_told(
        &told,
        &["HTTPS=on", "REQUEST_SCHEME=https", "SERVER_PORT=8443", "SERVER_NAME=example.org"],
    );
    assert_told(&told, &["host=example.org:8443", "REQUEST_URI=/params"]);
    let told = app.ask(&[], "http://example.org/params").await;
    assert!(!told.contains("HTTPS"), "{told}");
}

#[tokio::test]
async fn params_replace_what_would_be_sent() {
    let app = Application::start().await;
    let params = ["--param", "REMOTE_ADDR=192.0.2.1", "--param", "X=a=b", "--param", "EMPTY="];
    let told = app.ask(&params, "/params").await;
    assert_told(&told, &["REMOTE_ADDR=192.0.2.1", "X=a=b", "EMPTY="]);
}

#[tokio::test]
async fn scripts_are_named() {
    let app = Application::start().await;
    let file = ["--script-filename", "/srv/www/app.php", "--script-name", ""];
    let told = app.ask(&file, "/params").await;
    assert_told(&told, &["SCRIPT_FILENAME=/srv/www/app.php", "DOCUMENT_ROOT=/srv/www"]);
    assert_told(&told, &["PATH_INFO=/params"]);
    let told = app.ask(&["--document-root", "/srv/www"], "/params").await;
    assert_told(&told, &["SCRIPT_FILENAME=/srv/www/index.php", "SCRIPT_NAME=/index.php"]);
    let told = app.ask(&["--script-name", "/params"], "/params").await;
    assert_told(&told, &["SCRIPT_NAME=/params", "PATH_INFO="]);
}

#[tokio::test]
async fn methods_follow_from_what_is_asked() {
    let app = Application::start().await;
    assert_eq!(app.ask(&["-X", "DELETE"], "/method").await, "DELETE");
    assert_eq!(app.ask(&["--request", "QUERY", "-d", "x"], "/method").await, "QUERY");
    assert_eq!(app.ask(&[], "/method").await, "GET");
}

#[tokio::test]
async fn an_authorizer_gets_the_params_alone() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "-v", "--role", "authorizer", &app.address, "/hello"]).await;
    let ran = ran.assert_ok();
    assert!(ran.stderr.contains("FCGI_AUTHORIZER"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("FCGI_STDIN"), "{}", ran.stderr);
}

#[tokio::test]
async fn an_authorizer_gets_no_body() {
    for body in [["-d", "x"], ["-T", "/dev/null"]] {
        let authorizer = ["request", "--role", "authorizer"];
        let ran = fcgi(&[&authorizer, &body[..], &["127.0.0.1:1", "/"]].concat()).await;
        ran.assert_fails(2, &["no body", "ask a responder"]);
    }
}

#[tokio::test]
async fn a_filter_gets_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "what is filtered").unwrap();
    let peer = Peer::answers(response(b"A: b\n\nfiltered", ProtocolStatus::RequestComplete)).await;
    let filter = ["--role", "filter", "--filter-data", file.to_str().unwrap()];
    let ran = fcgi(&[&["request", "-v"], &filter[..], &[&peer.address, "/"]].concat()).await;
    let ran = ran.assert_ok();
    assert_eq!(ran.stdout(), "filtered");
    assert_told(&ran.stderr, &[">     FCGI_DATA_LENGTH = 16"]);
    assert!(ran.stderr.contains("FCGI_FILTER"), "{}", ran.stderr);
    assert!(ran.stderr.contains("16 bytes  \"what is filtered\""), "{}", ran.stderr);
    assert!(ran.stderr.contains("FCGI_DATA_LAST_MOD = "), "{}", ran.stderr);
}

#[tokio::test]
async fn a_file_to_filter_needs_a_filter() {
    let arguments = ["request", "--filter-data", "/nowhere", "127.0.0.1:1", "/"];
    fcgi(&arguments).await.assert_fails(2, &["--filter-data is for filters", "--role filter"]);
    let arguments =
        ["request", "--role", "filter", "--filter-data", "/nowhere/x", "127.0.0.1:1", "/"];
    fcgi(&arguments).await.assert_fails(26, &["cannot read /nowhere/x"]);
}

#[tokio::test]
async fn keeping_the_connection_is_asked_for() {
    let app = Application::start().await;
    for (option, flag) in [("-i", false), ("--keep-conn", true)] {
        let ran = fcgi(&["request", "-v", option, &app.address, "/hello"]).await.assert_ok();
        assert_eq!(ran.stderr.contains("FCGI_KEEP_CONN"), flag, "{}", ran.stderr);
    }
}
