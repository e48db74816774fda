//! Bodies that come bit by bit.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, header};
use tokio::sync::{Mutex, mpsc};

use crate::both::Both;
use crate::in_memory::InMemory;
use crate::web_server::{Part, WebServer};

#[tokio::test]
async fn server_sent_events() {
    let events = || {
        stream::iter(1..=3)
            .map(|n| Ok::<_, Infallible>(Event::default().event("tick").data(n.to_string())))
    };
    let both = Both::of(Router::new().route("/", get(async move || Sse::new(events())))).await;
    let response = both.get("/").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let expected = "event: tick\ndata: 1\n\nevent: tick\ndata: 2\n\nevent: tick\ndata: 3\n\n";
    assert_eq!(response.body(), expected);
}

#[tokio::test(start_paused = true)]
async fn each_event_leaves_at_once() {
    let (events, receiver) = mpsc::channel::<Event>(1);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let handler = async move || {
        let receiver = receiver.lock().await.take().unwrap();
        let events = stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|event| (Ok::<_, Infallible>(event), receiver))
        });
        let keep_alive = KeepAlive::new().interval(Duration::from_secs(15)).text("still here");
        Sse::new(events).keep_alive(keep_alive)
    };
    let (listener, network) = InMemory::new();
    let server = tower_fastcgi::serve(listener, Router::new().route("/", get(handler)));
    let _server = tokio::spawn(server.into_future());
    let mut web_server = WebServer::new(network.connect());
    web_server.send(&Request::get("/").body(Bytes::new()).unwrap()).await;
    assert!(matches!(web_server.part().await, Part::Stdout(head) if head.ends_with(b"\r\n\r\n")));
    for data in ["one", "two"] {
        events.send(Event::default().data(data)).await.unwrap();
        let expected = format!("data: {data}\n\n");
        assert_eq!(web_server.part().await, Part::Stdout(expected.into()));
    }
    assert_eq!(web_server.part().await, Part::Stdout(b": still here\n\n".into()));
}

#[tokio::test]
async fn a_body_is_answered_while_it_comes() {
    let upper = async |body: Body| {
        let frames = body.into_data_stream();
        Body::from_stream(frames.map(|frame| frame.map(|bytes| bytes.to_ascii_uppercase())))
    };
    let both = Both::of(Router::new().route("/", post(upper))).await;
    let mut web_server = both.web_server();
    let request = Request::post("/").header(header::TRANSFER_ENCODING, "chunked");
    web_server.send_head(&request.body(Bytes::new()).unwrap()).await;
    assert!(matches!(web_server.part().await, Part::Stdout(head) if head.ends_with(b"\r\n\r\n")));
    for (sent, answered) in [("abc", "ABC"), ("def", "DEF")] {
        web_server.send_stdin(sent.as_bytes()).await;
        assert_eq!(web_server.part().await, Part::Stdout(answered.into()));
    }
    web_server.end_stdin().await;
    assert_eq!(web_server.part().await, Part::Stdout(Vec::new()));
    assert_eq!(web_server.part().await, Part::End);
}
