//! What axum's extractors see.

mod in_memory;
mod web_server;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tower::ServiceExt;
use tower_fastcgi::{Params, serve};

use self::in_memory::InMemory;
use self::web_server::WebServer;

/// Asks `app` as a web server does that knows so much about its client.
async fn ask(app: Router, client: &[(&'static str, &str)]) -> Response<Bytes> {
    let (listener, network) = InMemory::new();
    let server = tokio::spawn(serve(listener, app).into_future());
    let mut web_server = WebServer::new(network.connect());
    web_server.client = client.iter().map(|(name, value)| (*name, value.to_string())).collect();
    let response = web_server.get("/").await;
    server.abort();
    response
}

fn peer() -> Router {
    let handler = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string();
    Router::new().route("/", get(handler))
}

fn param() -> Router {
    let handler = async |params: Params| params.get_str("REMOTE_ADDR").unwrap().to_owned();
    Router::new().route("/", get(handler))
}

fn optional_param() -> Router {
    let handler = async |params: Option<Params>| params.is_some().to_string();
    Router::new().route("/", get(handler))
}

#[tokio::test]
async fn connect_info_is_the_client_that_the_web_server_names() {
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[("REMOTE_ADDR", "192.0.2.7"), ("REMOTE_PORT", "40000")], "192.0.2.7:40000"),
        (&[("REMOTE_ADDR", "2001:db8::7"), ("REMOTE_PORT", "40000")], "[2001:db8::7]:40000"),
        (&[("REMOTE_ADDR", "192.0.2.7")], "192.0.2.7:0"),
        (&[("REMOTE_ADDR", "192.0.2.7"), ("REMOTE_PORT", "")], "192.0.2.7:0"),
    ];
    for (client, expected) in cases {
        assert_eq!(ask(peer(), client).await.body(), expected, "{client:?}");
    }
}

#[tokio::test]
async fn there_is_no_connect_info_unless_the_web_server_names_a_client() {
    let cases: [&[(&str, &str)]; 4] = [
        &[],
        &[("REMOTE_ADDR", "")],
        &[("REMOTE_ADDR", ""), ("REMOTE_PORT", "40000")],
        &[("REMOTE_ADDR", "unix:"), ("REMOTE_PORT", "")],
    ];
    for client in cases {
        let response = ask(peer(), client).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{client:?}");
    }
}

#[tokio::test]
async fn params_are_an_extractor() {
    let client = [("REMOTE_ADDR", "192.0.2.7")];
    assert_eq!(ask(param(), &client).await.body(), "192.0.2.7");
    assert_eq!(ask(optional_param(), &client).await.body(), "true");
}

#[tokio::test]
async fn a_request_over_http_has_no_params() {
    let over_http = || Request::get("/").body(axum::body::Body::empty()).unwrap();
    let text = async |response: Response<axum::body::Body>| {
        axum::body::to_bytes(response.into_body(), 1024).await.unwrap()
    };
    let response = param().oneshot(over_http()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let reason = text(response).await;
    assert!(reason.starts_with(b"the request has no FastCGI params"), "{reason:?}");

    let response = optional_param().oneshot(over_http()).await.unwrap();
    assert_eq!(text(response).await, "false");
}
