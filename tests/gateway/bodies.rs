use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tower_fastcgi::client::UnknownLength;
use tower_fastcgi::gateway::Gateway;

use crate::application::{app, dead};
use crate::kit::{Front, body, status};

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
async fn who_expects_100_gets_it_when_the_application_takes_the_body() {
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
