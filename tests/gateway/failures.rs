use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_fastcgi::gateway::Gateway;
use tower_fastcgi::record::ProtocolStatus;

use crate::application::{Does, Raw, app, dead, end, serve_app, stdout};
use crate::kit::{Front, body, bounded, status};

#[tokio::test]
async fn no_connection_is_502() {
    let (_bound, addr) = dead();
    let response = Front::to(addr).await.get("/").await;
    assert_eq!(status(&response), 502);
    assert!(response.contains("content-type: text/plain; charset=utf-8\r\n"), "{response}");
    assert_eq!(body(&response), "502 Bad Gateway\n");
}

#[tokio::test]
async fn what_is_no_response_is_502() {
    let answers: [(&str, Vec<u8>); 6] = [
        ("nothing", Vec::new()),
        ("no head", end(ProtocolStatus::RequestComplete)),
        ("half a head", stdout("Content-Type: te")),
        ("a malformed head", stdout("no header\r\n\r\n")),
        ("an informational status", stdout("Status: 101 Switching Protocols\r\n\r\n")),
        ("HTTP", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
    ];
    for (what, answer) in answers {
        let front = Front::to(Raw::that(Does::Says(answer)).await.addr).await;
        let response = front.get("/").await;
        assert_eq!(status(&response), 502, "{what}: {response}");
        assert_eq!(body(&response), "502 Bad Gateway\n", "{what}");
    }
}

#[tokio::test]
async fn a_refusal_is_503() {
    let raw = Raw::that(Does::Says(end(ProtocolStatus::Overloaded))).await;
    let response = Front::to(raw.addr).await.get("/").await;
    assert_eq!(status(&response), 503);
    assert_eq!(body(&response), "503 Service Unavailable\n");
    assert_eq!(raw.connections(), 2, "asked again once");
    let raw = Raw::that(Does::Says(end(ProtocolStatus::UnknownRole))).await;
    assert_eq!(status(&Front::to(raw.addr).await.get("/").await), 502);
}

#[tokio::test]
async fn no_head_in_time_is_504() {
    let application = app().await.to_string();
    let mut builder = Gateway::builder();
    builder.client().conn().head_timeout(Duration::from_millis(100));
    let front = Front::of(builder.build([application]).unwrap()).await;
    let response = front.get("/never").await;
    assert_eq!(status(&response), 504);
    assert_eq!(body(&response), "504 Gateway Timeout\n");
}

#[tokio::test]
async fn no_free_connection_in_time_is_503() {
    let application = app().await.to_string();
    let mut builder = Gateway::builder();
    builder.client().max_connections(1).connect_timeout(Duration::from_millis(100));
    let front = Front::of(builder.build([application]).unwrap()).await;
    let mut first = front.connect().await;
    first.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // Until the first has the connection, the second may get it.
    while status(&front.get("/hello").await) == 200 {}
    assert_eq!(status(&front.get("/hello").await), 503);
}

#[tokio::test]
async fn one_request_too_many_is_503() {
    let application = app().await.to_string();
    let gateway = Gateway::builder().max_requests(1).build([application]).unwrap();
    let front = Front::of(gateway).await;
    let mut first = front.connect().await;
    first.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await;
    while status(&front.get("/hello").await) == 200 {}
    drop(first);
    while status(&front.get("/hello").await) == 503 {}
    // Given back with the end of the response.
    assert_eq!(status(&front.get("/hello").await), 200);
}

#[tokio::test]
async fn a_cut_body_never_looks_complete() {
    let front = Front::to(app().await).await;
    let (chunked, _) = {
        let mut client = front.connect().await;
        client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.try_rest().await
    };
    assert!(!chunked.ends_with("0\r\n\r\n"), "{chunked}");

    let mut client = front.connect().await;
    client.send("GET /cut/10 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (sized, _) = client.try_rest().await;
    assert!(body(&sized).len() < 10, "{sized}");

    // Here nothing but a reset can show it.
    let mut client = front.connect().await;
    client.send("GET /cut HTTP/1.0\r\n\r\n").await;
    let (_, is_whole) = client.try_rest().await;
    assert!(!is_whole);
}

#[tokio::test]
async fn an_application_that_dies_in_the_middle_cuts_the_response_over_http_1_0_too() {
    let part = stdout("Content-Type: text/plain\r\n\r\nbegun");
    let front = Front::to(Raw::that(Does::Says(part)).await.addr).await;
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    assert!(!client.try_rest().await.1);
}

#[tokio::test]
async fn of_a_body_that_is_longer_than_its_length_no_more_comes_than_that() {
    let mut wire = stdout("Content-Length: 2\r\n\r\nok, and HTTP/1.1 200 OK\r\n\r\n");
    wire.extend(end(ProtocolStatus::RequestComplete));
    let front = Front::to(Raw::that(Does::Says(wire)).await.addr).await;
    let response = front.get("/").await;
    assert!("ok".starts_with(body(&response)) || status(&response) == 502, "{response}");
}

#[tokio::test]
async fn an_application_that_dies_in_the_middle_cuts_the_response() {
    let part = stdout("Content-Type: text/plain\r\n\r\nbegun");
    let front = Front::to(Raw::that(Does::Says(part)).await.addr).await;
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (response, _) = client.try_rest().await;
    assert!(!response.ends_with("0\r\n\r\n"), "{response}");
}

#[tokio::test]
async fn an_application_that_stops_in_the_middle_cuts_the_response() {
    let part = stdout("Content-Type: text/plain\r\n\r\nbegun");
    let raw = Raw::that(Does::SaysAndWaits(part)).await;
    let mut builder = Gateway::builder();
    builder.client().conn().body_timeout(Duration::from_millis(100));
    let front = Front::of(builder.build([raw.addr.to_string()]).unwrap()).await;
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (response, _) = client.try_rest().await;
    assert!(!response.ends_with("0\r\n\r\n"), "{response}");
}

#[tokio::test]
async fn the_next_application_is_asked_when_there_is_no_connection() {
    let (_bound, down) = dead();
    let addresses = [down, app().await].map(|addr| addr.to_string());
    let front = Front::of(Gateway::builder().build(addresses).unwrap()).await;
    let request =
        "POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    for _ in 0..4 {
        assert_eq!(body(&front.talk(request).await), "3 of 3");
    }
}

#[tokio::test]
async fn the_next_application_is_asked_when_one_refuses() {
    let overloaded = Raw::that(Does::Says(end(ProtocolStatus::Overloaded))).await;
    let addresses = [overloaded.addr, app().await].map(|addr| addr.to_string());
    let front = Front::of(Gateway::builder().build(addresses).unwrap()).await;
    for _ in 0..4 {
        assert_eq!(body(&front.get("/hello").await), "hello");
    }
    assert_eq!(overloaded.connections(), 4, "twice for each other request");
}

#[tokio::test]
async fn a_request_that_was_sent_is_never_sent_again() {
    let broken = Raw::that(Does::Says(stdout("Content-Type: te"))).await;
    let other = Raw::that(Does::Says(Vec::new())).await;
    let addresses = [broken.addr, other.addr].map(|addr| addr.to_string());
    let front = Front::of(Gateway::builder().build(addresses).unwrap()).await;
    assert_eq!(status(&front.get("/").await), 502);
    assert_eq!((broken.connections(), other.connections()), (1, 0));
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_is_not_tried_elsewhere() {
    let applications =
        [Raw::that(Does::Says(Vec::new())).await, Raw::that(Does::Says(Vec::new())).await];
    let addresses = applications.each_ref().map(|application| application.addr.to_string());
    let front = Front::of(Gateway::builder().build(addresses).unwrap()).await;
    assert_eq!(status(&front.get("/a%00b").await), 400);
    assert!(applications.iter().map(Raw::connections).sum::<usize>() <= 1);
}

#[tokio::test]
async fn requests_go_to_the_applications_in_turn() {
    let named = async |name: &'static str| {
        serve_app(Router::new().route("/", get(move || async move { name }))).await.to_string()
    };
    let addresses = [named("a").await, named("b").await, named("c").await];
    let front = Front::of(Gateway::builder().build(addresses).unwrap()).await;
    let mut names = String::new();
    for _ in 0..6 {
        names.push_str(body(&front.get("/").await));
    }
    assert_eq!(names, "abcabc");
}

#[tokio::test]
async fn a_client_that_leaves_aborts_its_request() {
    let (dropped, mut is_dropped) = tokio::sync::mpsc::unbounded_channel::<()>();
    let handler = move || {
        let dropped = dropped.clone();
        async move {
            let _told_when_dropped = dropped.clone();
            dropped.send(()).unwrap();
            std::future::pending::<()>().await;
        }
    };
    let application = serve_app(Router::new().route("/", get(handler))).await;
    let front = Front::to(application).await;
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    bounded(is_dropped.recv()).await.unwrap();
    drop(client);
    let gone = is_dropped;
    bounded(async {
        while gone.sender_strong_count() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[test]
fn a_gateway_needs_an_application() {
    let none: [&str; 0] = [];
    for addresses in [&none[..], &["nowhere"], &["127.0.0.1:1", "http://127.0.0.1:2"]] {
        let error = Gateway::builder().build(addresses).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}
