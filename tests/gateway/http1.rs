use crate::application::{Does, Raw, app, end, stdout};
use crate::kit::{Front, body, status};
use tower_fastcgi::record::ProtocolStatus;

#[tokio::test]
async fn a_connection_is_kept() {
    let front = Front::to(app().await).await;
    let mut client = front.connect().await;
    for _ in 0..3 {
        client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let response = client.until("\r\n\r\nhello").await;
        assert_eq!(status(&response), 200);
        assert!(response.contains("content-length: 5\r\n"), "{response}");
        assert!(response.contains("\r\ndate: "), "{response}");
    }
}

#[tokio::test]
async fn requests_may_be_pipelined() {
    let front = Front::to(app().await).await;
    let mut client = front.connect().await;
    let one = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let last = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.send(&format!("{one}{one}{last}")).await;
    let all = client.rest().await;
    let bodies: Vec<_> = all.split("HTTP/1.1 200 OK").skip(1).map(body).collect();
    assert_eq!(bodies, ["3 of 3", "3 of 3", "hello"]);
}

#[tokio::test]
async fn head_has_a_length_and_no_body() {
    let front = Front::to(app().await).await;
    let mut client = front.connect().await;
    client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let response = client.until("\r\n\r\n").await;
    assert_eq!(status(&response), 200);
    assert!(response.contains("content-length: 5\r\n"), "{response}");
    // What follows is the next response, and no body.
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn of_head_the_application_may_send_a_body_all_the_same() {
    let mut wire = stdout("Content-Length: 5\r\n\r\nhello");
    wire.extend(end(ProtocolStatus::RequestComplete));
    let front = Front::to(Raw::that(Does::Says(wire)).await.addr).await;
    let request = "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let response = front.talk(request).await;
    assert!(response.contains("content-length: 5\r\n"), "{response}");
    assert_eq!(body(&response), "");
}

#[tokio::test]
async fn statuses_without_a_body() {
    let front = Front::to(app().await).await;
    let mut client = front.connect().await;
    for code in [204, 304] {
        client.send(&format!("GET /status/{code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let response = client.until("\r\n\r\n").await;
        assert_eq!(status(&response), code);
        assert!(!response.contains("content-length"), "{response}");
        assert!(!response.contains("transfer-encoding"), "{response}");
    }
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(body(&client.rest().await), "hello");
}

#[tokio::test]
async fn http_1_0_gets_no_chunks() {
    let front = Front::to(app().await).await;
    let response = front.talk("GET /stream HTTP/1.0\r\n\r\n").await;
    assert!(!response.contains("transfer-encoding"), "{response}");
    assert_eq!(body(&response), "0;1;2;");
}

#[tokio::test]
async fn what_concerns_the_applications_connection_is_dropped() {
    let mut wire = stdout(
        "Status: 200 OK\r\nConnection: X-Own, close\r\nX-Own: x\r\nKeep-Alive: timeout=5\r\n\
         Transfer-Encoding: chunked\r\nProxy-Authenticate: Basic\r\nProxy-Own: x\r\nUpgrade: h2c\r\n\
         Trailer: X\r\nX-Kept: x\r\nContent-Length: 2\r\n\r\nok",
    );
    wire.extend(end(ProtocolStatus::RequestComplete));
    let front = Front::to(Raw::that(Does::Says(wire)).await.addr).await;
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let response = client.until("\r\n\r\nok").await;
    let mut names: Vec<_> =
        response.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "date", "x-kept"]);
}

#[tokio::test]
async fn a_websocket_handshake_is_a_plain_request() {
    let front = Front::to(app().await).await;
    let response = front
        .talk(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    assert_eq!(status(&response), 200);
    assert!(!body(&response).contains("\"upgrade\""), "{response}");
    assert!(body(&response).contains("\"sec-websocket-version\""), "{response}");
}

#[tokio::test]
async fn not_modified_may_tell_the_length_of_what_it_does_not_send() {
    let mut wire = stdout("Status: 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello");
    wire.extend(end(ProtocolStatus::RequestComplete));
    let front = Front::to(Raw::that(Does::Says(wire)).await.addr).await;
    let response = front.get("/").await;
    assert_eq!((status(&response), body(&response)), (304, ""));
}
