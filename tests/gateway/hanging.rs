//! Applications to which no connection comes about.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;
use tower::ServiceExt;
use tower_fastcgi::gateway::Gateway;

use crate::application::app;
use crate::kit::{Front, body, status};

/// Nobody accepts on this port, and to whoever connects to a queue that is full, Linux answers nothing.
struct Full {
    addr: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<std::net::TcpStream>,
}

impl Full {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        let connect = || std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(200));
        let waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).take(10).collect();
        assert!(waiting.len() < 10, "the queue is full by now");
        Self { addr, _listener: listener, _waiting: waiting }
    }
}

#[tokio::test(start_paused = true)]
async fn the_default_timeout_is_504() {
    let full = Full::new();
    let gateway = Gateway::new(&full.addr.to_string()).unwrap();
    let request = Request::get("/").header("host", "a").body(Body::empty()).unwrap();
    let start = Instant::now();
    let response = gateway.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 504);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn the_next_application_is_asked_then() {
    let full = Full::new();
    let mut builder = Gateway::builder();
    builder.client().connect_timeout(Duration::from_millis(100)).max_connections(1);
    let front = Front::of(builder.build([full.addr.to_string()]).unwrap()).await;
    // An attempt that was given up counts as a connection no longer: that would be a 503.
    for _ in 0..2 {
        let response = front.get("/hello").await;
        assert_eq!((status(&response), body(&response)), (504, "504 Gateway Timeout\n"));
    }
    let addresses = [full.addr, app().await].map(|addr| addr.to_string());
    let front = Front::of(builder.build(addresses).unwrap()).await;
    for _ in 0..2 {
        assert_eq!(body(&front.get("/hello").await), "hello");
    }
}
