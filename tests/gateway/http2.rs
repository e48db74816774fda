use bytes::Bytes;
use futures_util::stream;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::application::{Does, Raw, app, stdout};
use crate::kit::{Front, bounded};

type Body = BoxBody<Bytes, std::io::Error>;

async fn connect(front: &Front) -> SendRequest<Body> {
    let io = TokioIo::new(TcpStream::connect(front.addr).await.unwrap());
    let (send, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    send
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("http://a.example{path}"))
        .version(Version::HTTP_2)
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

async fn text(response: http::Response<Incoming>) -> String {
    let body = bounded(response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn the_application_is_told_the_same() {
    let front = Front::to(app().await).await;
    let mut send = connect(&front).await;
    let request =
        request("GET", "/a%20b?c").header("x-forwarded-for", "6.6.6.6").header("cookie", "a=1");
    let request = request.header("cookie", "b=2").body(empty()).unwrap();
    let response = bounded(send.send_request(request)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.version(), Version::HTTP_2);
    let told: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(told["params"]["SERVER_PROTOCOL"], "HTTP/2.0");
    assert_eq!(told["params"]["REQUEST_URI"], "/a%20b?c");
    assert_eq!(told["params"]["SERVER_NAME"], "a.example");
    assert_eq!(told["params"]["REMOTE_ADDR"], "127.0.0.1");
    assert_eq!(told["headers"]["host"], "a.example");
    assert_eq!(told["headers"]["cookie"], "a=1; b=2");
    assert_eq!(told["headers"].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn bodies_with_and_without_a_length() {
    let front = Front::to(app().await).await;
    let mut send = connect(&front).await;
    let known = Full::new(Bytes::from("hello")).map_err(|never| match never {}).boxed();
    let response =
        bounded(send.send_request(request("POST", "/length").body(known).unwrap())).await;
    assert_eq!(text(response.unwrap()).await, "5 of 5");

    let parts = ["he", "llo"].map(|part| Ok(Frame::data(Bytes::from(part))));
    let unknown = BodyExt::boxed(StreamBody::new(stream::iter(parts)));
    let response =
        bounded(send.send_request(request("POST", "/length").body(unknown).unwrap())).await;
    assert_eq!(text(response.unwrap()).await, "5 of -");

    let none = request("POST", "/length").body(empty()).unwrap();
    let response = bounded(send.send_request(none)).await.unwrap();
    assert_eq!(text(response).await, "0 of 0");
}

#[tokio::test]
async fn many_at_a_time_on_one_connection() {
    let front = Front::to(app().await).await;
    let send = connect(&front).await;
    let mut never = send.clone();
    let stuck = tokio::spawn(async move {
        never.send_request(request("GET", "/never").body(empty()).unwrap()).await.map(drop)
    });
    let answers = (0..50).map(|_| {
        let mut send = send.clone();
        async move {
            let request = request("GET", "/stream").body(empty()).unwrap();
            text(send.send_request(request).await.unwrap()).await
        }
    });
    for answer in bounded(futures_util::future::join_all(answers)).await {
        assert_eq!(answer, "0;1;2;");
    }
    assert!(!stuck.is_finished());
    stuck.abort();
}

#[tokio::test]
async fn head_keeps_its_length() {
    let front = Front::to(app().await).await;
    let mut send = connect(&front).await;
    let request = request("HEAD", "/hello").body(empty()).unwrap();
    let response = bounded(send.send_request(request)).await.unwrap();
    assert_eq!(response.headers()["content-length"], "5");
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn a_cut_body_resets_its_stream_alone() {
    let front = Front::to(app().await).await;
    let mut send = connect(&front).await;
    let cut = request("GET", "/cut").body(empty()).unwrap();
    // The reset may overtake the head.
    if let Ok(response) = bounded(send.send_request(cut)).await {
        assert!(bounded(response.into_body().collect()).await.is_err());
    }
    let whole = request("GET", "/hello").body(empty()).unwrap();
    assert_eq!(text(bounded(send.send_request(whole)).await.unwrap()).await, "hello");
}

#[tokio::test]
async fn another_host_than_the_authority_is_refused() {
    let front = Front::to(app().await).await;
    let mut send = connect(&front).await;
    let two = request("GET", "/").header("host", "b.example").body(empty()).unwrap();
    assert_eq!(bounded(send.send_request(two)).await.unwrap().status(), 400);
}

#[tokio::test]
async fn an_application_that_dies_in_the_middle_resets_the_stream() {
    for head in ["Content-Type: text/plain\r\n\r\n", "Content-Length: 9\r\n\r\n"] {
        let part = stdout(&format!("{head}begun"));
        let front = Front::to(Raw::that(Does::Says(part)).await.addr).await;
        let mut send = connect(&front).await;
        let request = request("GET", "/").body(empty()).unwrap();
        // The reset may overtake the head.
        if let Ok(response) = bounded(send.send_request(request)).await {
            assert!(bounded(response.into_body().collect()).await.is_err(), "{head:?}");
        }
    }
}
