use std::time::Duration;

use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tower_fastcgi::client::UnknownLength;
use tower_fastcgi::gateway::Gateway;

use crate::application::{app, dead, serve_app};
use crate::kit::{Front, body, bounded, status};

#[tokio::test]
async fn a_body_has_its_length() {
    let front = Front::to(app().await).await;
    let request =
        "POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(body(&front.talk(request).await), "5 of 5");
}

#[tokio::test]
async fn chunks_are_streamed_without_one() {
    let front = Front::to(app().await).await;
    let mut client = front.connect().await;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.send("5\r\nhello\r\n").await;
    // It comes back before there is more.
    client.until("\r\n5\r\nhello\r\n").await;
    client.send("1\r\n!\r\n0\r\n\r\n").await;
    client.until("1\r\n!\r\n0\r\n\r\n").await;
    let request = "POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n0\r\n\r\n";
    client.send(request).await;
    assert_eq!(body(&client.rest().await), "3 of -");
}

#[tokio::test]
async fn chunks_may_be_gathered_or_refused() {
    let application = app().await.to_string();
    let answer = async |what, chunk: &str| {
        let mut builder = Gateway::builder();
        builder.client().unknown_length(what);
        let front = Front::of(builder.build([&application]).unwrap()).await;
        let request = format!(
            "POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
             {:x}\r\n{chunk}\r\n0\r\n\r\n",
            chunk.len()
        );
        front.talk(&request).await
    };
    assert_eq!(body(&answer(UnknownLength::Buffer(3), "abc").await), "3 of 3");
    assert_eq!(status(&answer(UnknownLength::Buffer(3), "abcd").await), 413);
    assert_eq!(status(&answer(UnknownLength::Refuse, "abc").await), 411);
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let front = Front::to(app().await).await;
    let size = 3_000_000;
    let client = front.connect().await;
    let (mut read, mut write) = client.0.into_split();
    let upload = async move {
        let head = format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        );
        write.write_all(head.as_bytes()).await.unwrap();
        write.write_all(&vec![b'x'; size]).await.unwrap();
        write
    };
    let download = async {
        let mut all = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut read, &mut all).await.unwrap();
        String::from_utf8(all).unwrap()
    };
    let (_write, response) = crate::kit::bounded(async { tokio::join!(upload, download) }).await;
    assert_eq!(status(&response), 200);
    assert_eq!(response.bytes().filter(|&byte| byte == b'x').count(), size);
}

#[tokio::test]
async fn who_expects_100_gets_it_when_there_is_an_application() {
    let front = Front::to(app().await).await;
    let mut client = front.connect().await;
    client
        .send(
            "POST /length HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        )
        .await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc").await;
    assert_eq!(status(&client.until("3 of 3").await), 200);
}

#[tokio::test]
async fn who_expects_100_is_told_at_once_that_there_is_no_application() {
    let (_bound, addr) = dead();
    let front = Front::to(addr).await;
    let mut client = front.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .await;
    let response = client.rest().await;
    assert_eq!(status(&response), 502, "{response}");
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let application = app().await.to_string();
    let gateway =
        Gateway::builder().body_timeout(Duration::from_millis(100)).build([application]).unwrap();
    let front = Front::of(gateway).await;
    let mut client = front.connect().await;
    client.send("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na").await;
    let response = client.rest().await;
    assert_eq!(status(&response), 408, "{response}");
}

#[tokio::test]
async fn an_early_answer_arrives_whatever_is_left_of_the_body() {
    let front = Front::to(app().await).await;
    let mut client = front.connect().await;
    client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc").await;
    assert_eq!(status(&client.until("\r\n\r\nearly").await), 200);
}

/// Uploads that end early, at their length or not, by an end of the connection or a reset of the stream.
#[tokio::test]
async fn an_upload_that_is_broken_off_is_never_whole_to_the_application() {
    let (begun, mut uploads) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |request: axum::extract::Request| async move {
        let (told, outcome) = tokio::sync::oneshot::channel();
        begun.send(outcome).unwrap();
        let _nobody_may_wait = told.send(request.into_body().collect().await.is_ok());
    };
    let application = serve_app(axum::Router::new().route("/", axum::routing::post(handler))).await;
    let front = Front::to(application).await;
    let sized = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc".to_vec();
    let chunked =
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".to_vec();
    let stream = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\0\0\0\x04\0\0\0\0\0",
        b"\0\0\x08\x01\x04\0\0\0\x01\x83\x86\x04\x01/\x01\x01a",
        b"\0\0\x01\0\0\0\0\0\x01x",
    ]
    .concat();
    let no_error = &b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\0"[..];
    let cancel = &b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08"[..];
    for (begin, end) in [
        (&sized, &b""[..]),
        (&chunked, b""),
        (&chunked, b"0\r\n"),
        (&stream, no_error),
        (&stream, cancel),
    ] {
        let mut client = front.connect().await;
        client.0.write_all(begin).await.unwrap();
        let outcome = bounded(uploads.recv()).await.unwrap();
        client.0.write_all(end).await.unwrap();
        drop(client);
        // A handler that is dropped says nothing.
        assert_ne!(bounded(outcome).await, Ok(true), "{:?}", String::from_utf8_lossy(begin));
    }
}
