use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_fastcgi::gateway::Gateway;

use crate::application::app;
use crate::kit::{Front, bounded, status};

async fn gateway() -> Gateway {
    Gateway::new(&app().await.to_string()).unwrap()
}

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn who_sends_no_request_is_closed() {
    let front = Front::with(gateway().await, |serve| serve.with_header_timeout(SHORT)).await;
    for begun in ["", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX:"] {
        let mut client = front.connect().await;
        client.send(begun).await;
        client.rest().await;
    }
    let mut client = front.connect().await;
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let response = client.rest().await;
    assert_eq!(status(&response), 200);
}

#[tokio::test]
async fn a_request_may_take_longer_than_its_head() {
    let front = Front::with(gateway().await, |serve| serve.with_header_timeout(SHORT)).await;
    let mut client = front.connect().await;
    client.send("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n").await;
    tokio::time::sleep(SHORT * 3).await;
    client.send("x").await;
    client.until("1 of 1").await;
}

#[tokio::test]
async fn who_takes_nothing_of_a_response_is_cut() {
    let front = Front::with(gateway().await, |serve| serve.with_send_timeout(SHORT * 5)).await;
    let mut client = front.connect().await;
    let size = 30_000_000;
    let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
    client.send(&head).await;
    let (mut read, mut write) = client.0.into_split();
    // The upload comes to a stop since nobody takes the echo, and fails when the gateway cuts the connection.
    let body = vec![b'x'; size];
    let outcome = bounded(write.write_all(&body)).await;
    assert!(outcome.is_err());
    let mut all = Vec::new();
    let _ = bounded(read.read_to_end(&mut all)).await;
    assert!(all.len() < size);
}

#[tokio::test]
async fn heads_are_bounded() {
    let front = Front::with(gateway().await, |serve| {
        serve.with_max_header_size(8 * 1024).with_max_headers(10)
    })
    .await;
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(status(&front.talk(&large).await), 431);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(10));
    assert_eq!(status(&front.talk(&many).await), 431);
}

#[tokio::test]
async fn an_idle_connection_makes_room() {
    let front = Front::with(gateway().await, |serve| serve.with_max_connections(1)).await;
    let mut first = front.connect().await;
    first.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    first.until("hello").await;
    assert_eq!(status(&front.get("/hello").await), 200);
    assert_eq!(first.rest().await, "");
}

#[tokio::test]
async fn a_shutdown_serves_what_is_live() {
    let mut front = Front::of(gateway().await).await;
    let mut idle = front.connect().await;
    idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    idle.until("hello").await;
    let mut live = front.connect().await;
    live.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .await;
    live.until("1\r\na\r\n").await;
    front.shut_down();
    assert_eq!(idle.rest().await, "");
    live.send("1\r\nb\r\n0\r\n\r\n").await;
    assert_eq!(live.rest().await, "1\r\nb\r\n0\r\n\r\n");
    front.ended().await;
    assert!(tokio::net::TcpStream::connect(front.addr).await.is_err());
}

#[tokio::test]
async fn a_shutdown_answers_those_who_have_asked_already() {
    let mut front = Front::of(gateway().await).await;
    let mut client = front.connect().await;
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // The gateway has not run since: it finds the signal and the request at the same time.
    front.shut_down();
    assert!(client.rest().await.ends_with("\r\n\r\nhello"));
    front.ended().await;
}

#[tokio::test]
async fn a_shutdown_ends_at_its_deadline() {
    let mut front = Front::with(gateway().await, |serve| serve.with_shutdown_timeout(SHORT)).await;
    let mut live = front.connect().await;
    live.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut other = front.connect().await;
    other.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    other.until("hello").await;
    front.shut_down();
    front.ended().await;
    // Over HTTP/1.0 a plain end would be the end of a response.
    assert_eq!(live.try_rest().await, (String::new(), false));
}
