//! Middleware that asks who the client is.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use axum_client_ip::{ClientIp, ClientIpSource};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tower_fastcgi::server::{Builder, Forwarded};
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::SmartIpKeyExtractor;

use crate::both::Both;
use crate::in_memory::{InMemory, Network};
use crate::web_server::WebServer;

/// A request of the client at `address` that claims to be another.
async fn ask(network: &Network, address: &str) -> Response<Bytes> {
    let mut web_server = WebServer::new(network.connect());
    web_server.client = vec![("REMOTE_ADDR", address.into()), ("REMOTE_PORT", "40000".into())];
    let request = Request::get("/").header("X-Forwarded-For", "198.51.100.9");
    web_server.exchange(&request.body(Bytes::new()).unwrap()).await
}

fn start(app: Router) -> Network {
    let (listener, network) = InMemory::new();
    tokio::spawn(tower_fastcgi::serve(listener, app).into_future());
    network
}

#[tokio::test]
async fn connect_info() {
    let tell = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string();
    let both = Both::of(Router::new().route("/", get(tell))).await;
    assert_eq!(both.get("/").await.body(), "127.0.0.1");
}

#[tokio::test]
async fn axum_client_ip() {
    let app = Router::new()
        .route("/", get(async |ClientIp(ip): ClientIp| ip.to_string()))
        .layer(ClientIpSource::ConnectInfo.into_extension());
    assert_eq!(Both::of(app.clone()).await.get("/").await.body(), "127.0.0.1");
    let network = start(app);
    for address in ["192.0.2.7", "2001:db8::7"] {
        assert_eq!(ask(&network, address).await.body(), address);
    }
}

#[tokio::test]
async fn tower_governor() {
    let config = GovernorConfigBuilder::default().per_second(3600).burst_size(2).finish().unwrap();
    let app = Router::new().route("/", get("hello")).layer(GovernorLayer::new(config));
    let network = start(app);
    for _ in 0..2 {
        assert_eq!(ask(&network, "192.0.2.7").await.body(), "hello");
    }
    assert_eq!(ask(&network, "192.0.2.7").await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask(&network, "192.0.2.8").await.body(), "hello");
}

/// It believes X-Forwarded-For first, which any client can send.
#[tokio::test]
async fn tower_governor_does_not_see_what_clients_claim_unless_it_is_kept() {
    let app = || {
        let mut config = GovernorConfigBuilder::default().key_extractor(SmartIpKeyExtractor);
        let config = config.per_second(3600).burst_size(1).finish().unwrap();
        Router::new().route("/", get("hello")).layer(GovernorLayer::new(config))
    };
    let network = start(app());
    for address in ["192.0.2.7", "192.0.2.8"] {
        assert_eq!(ask(&network, address).await.body(), "hello");
        assert_eq!(ask(&network, address).await.status(), StatusCode::TOO_MANY_REQUESTS);
    }

    let (listener, network) = InMemory::new();
    let mut builder = Builder::new();
    builder.forwarded(Forwarded::Keep);
    tokio::spawn(tower_fastcgi::serve(listener, app()).with_builder(builder).into_future());
    assert_eq!(ask(&network, "192.0.2.7").await.body(), "hello");
    assert_eq!(ask(&network, "192.0.2.8").await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn without_an_address_there_is_none_to_go_by() {
    let tell = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| IpAddr::to_string(&peer.ip());
    let network = start(Router::new().route("/", get(tell)));
    assert_eq!(ask(&network, "").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
