//! An application below a path: which URIs it sees, and how it builds its links.

mod in_memory;
mod web_server;

use axum::Router;
use axum::extract::{NestedPath, OriginalUri, Request};
use axum::response::Redirect;
use axum::routing::get;
use bytes::Bytes;
use http::{Response, StatusCode, Uri};
use tower::ServiceExt;
use tower_fastcgi::server::{Builder, UriSource};
use tower_fastcgi::{MountPrefix, serve};

use self::in_memory::InMemory;
use self::web_server::WebServer;

/// The path below the mount, the whole one, and a link.
fn app() -> Router {
    let tell = async |uri: Uri, OriginalUri(whole): OriginalUri, prefix: MountPrefix| {
        format!("{uri} of {whole}, {prefix}/login")
    };
    let nested = async |uri: Uri,
                        OriginalUri(whole): OriginalUri,
                        prefix: MountPrefix,
                        nested: NestedPath| {
        format!("{uri} of {whole}, {prefix}{}/login", nested.as_str())
    };
    Router::new()
        .route("/logout", get(async |prefix: MountPrefix| Redirect::to(&format!("{prefix}/"))))
        .nest("/nested", Router::new().route("/{name}", get(nested)))
        .fallback(tell)
}

/// Asks as a web server does that splits the path so.
async fn ask(source: UriSource, uri: &str, split: Option<(&str, &str)>) -> Response<Bytes> {
    let (listener, network) = InMemory::new();
    let mut builder = Builder::new();
    builder.uri_source(source);
    let server = tokio::spawn(serve(listener, app()).with_builder(builder).into_future());
    let mut web_server = WebServer::new(network.connect());
    if let Some((script_name, path_info)) = split {
        // The last of duplicates counts.
        web_server.client.push(("SCRIPT_NAME", script_name.to_owned()));
        web_server.client.push(("PATH_INFO", path_info.to_owned()));
    }
    let response = web_server.get(uri).await;
    server.abort();
    response
}

#[track_caller]
fn assert_text(response: Response<Bytes>, text: &str) {
    assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, text.as_bytes()));
}

#[tokio::test]
async fn a_mounted_application_sees_paths_below_its_mount() {
    let split = Some(("/app", "/a b"));
    let response = ask(UriSource::Mounted, "/app/a%20b?q=1", split).await;
    assert_text(response, "/a%20b?q=1 of /app/a%20b?q=1, /app/login");
    let response = ask(UriSource::Mounted, "/app?q", Some(("/app", ""))).await;
    assert_text(response, "/?q of /app?q, /app/login");
}

#[tokio::test]
async fn nested_routers_keep_to_their_conventions() {
    let split = Some(("/app", "/nested/a"));
    let response = ask(UriSource::Mounted, "/app/nested/a", split).await;
    assert_text(response, "/a of /app/nested/a, /app/nested/login");
}

#[tokio::test]
async fn a_redirect_stays_below_the_mount() {
    let response = ask(UriSource::Mounted, "/app/logout", Some(("/app", "/logout"))).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()["location"], "/app/");
    let response = ask(UriSource::Mounted, "/logout", Some(("", "/logout"))).await;
    assert_eq!(response.headers()["location"], "/");
}

#[tokio::test]
async fn nothing_is_stripped_unasked() {
    let response = ask(UriSource::RequestUri, "/app/a", Some(("/app", "/a"))).await;
    assert_text(response, "/app/a of /app/a, /login");
}

#[tokio::test]
async fn nothing_is_stripped_that_the_web_server_did_not_split_off() {
    let response = ask(UriSource::Mounted, "/app/a", None).await;
    assert_text(response, "/app/a of /app/a, /login");
    let response = ask(UriSource::Mounted, "/application", Some(("/app", "lication"))).await;
    assert_text(response, "/application of /application, /login");
    let response = ask(UriSource::Mounted, "/elsewhere/a", Some(("/app", "/a"))).await;
    assert_text(response, "/elsewhere/a of /elsewhere/a, /login");
}

#[tokio::test]
async fn path_info_alone_is_the_path_when_asked_to() {
    let response = ask(UriSource::PathInfo, "/old/a%2Fb?q", Some(("/app", "/a/b"))).await;
    assert_text(response, "/a/b?q of /a/b?q, /login");
}

#[tokio::test]
async fn the_same_handlers_work_over_http() {
    let request = Request::get("/a").body(axum::body::Body::empty()).unwrap();
    let response = app().oneshot(request).await.unwrap();
    let text = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    assert_eq!(text, "/a of /a, /login");
}
