//! Request bodies of every size and framing, compared by their digest.

use std::io;
use std::sync::Arc;

use axum::http::{Response, StatusCode, header};
use tokio::io::AsyncWriteExt;

use crate::client::{Answer, RawClient, request};
use crate::pattern::{KIB, MIB, Pattern};
use crate::site::Site;

pub(crate) async fn of_0_bytes(site: Arc<Site>) {
    let answer = site.exchange("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(answer.await.seen().get("body"), Pattern::digest(0).to_string());
}

pub(crate) async fn of_1_byte(site: Arc<Site>) {
    upload(&site, 1).await;
}

/// Around the size of a record, of nginx's buffers and of the crate's.
pub(crate) async fn around_64_kib(site: Arc<Site>) {
    for len in [64 * KIB - 9, 64 * KIB - 8, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 128 * KIB] {
        upload(&site, len).await;
    }
}

pub(crate) async fn of_1_mib(site: Arc<Site>) {
    upload(&site, MIB).await;
}

pub(crate) async fn of_64_mib(site: Arc<Site>) {
    upload(&site, 64 * MIB).await;
}

pub(crate) async fn chunked_of_1_mib(site: Arc<Site>) {
    upload_chunked(&site, MIB).await;
}

pub(crate) async fn chunked_of_64_mib(site: Arc<Site>) {
    upload_chunked(&site, 64 * MIB).await;
}

pub(crate) async fn chunked_and_empty(site: Arc<Site>) {
    let request =
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let seen = site.exchange(request).await.seen();
    assert_eq!(seen.get("body"), Pattern::digest(0).to_string());
}

/// The server asks for the body, and the application knows nothing of it.
pub(crate) async fn that_wait_for_100_continue(site: Arc<Site>) {
    let mut client = site.connect_raw().await;
    let head =
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    client.write(head.as_bytes()).await;
    let interim = client.read_head().await;
    assert!(interim.starts_with("HTTP/1.1 100 "), "{interim}");
    client.write(b"body").await;
    let seen = client.read_answer().await.seen();
    assert!(seen.get("body").starts_with("4 bytes "), "{seen:?}");
}

/// A part of the body reaches the application while the client still holds back the rest. (A part of some size: Caddy sends
/// in records of 64 KiB.)
pub(crate) async fn reach_the_application_as_they_come(site: Arc<Site>) {
    let (part, whole) = (200 * KIB, 400 * KIB);
    let body: Vec<u8> = Pattern::sized(whole).flatten().collect();
    let (first, rest) = body.split_at(part as usize);
    let mut client = site.connect_raw().await;
    client.write(post_head("/first-bytes/streamed", whole).as_bytes()).await;
    client.write(first).await;
    site.stage.pass("streamed").await;
    client.write(rest).await;
    assert_eq!(client.read_answer().await.text(), Pattern::digest(whole).to_string());
}

/// The handler of an upload whose client leaves is dropped, and the next request is served.
pub(crate) async fn that_the_client_leaves(site: Arc<Site>) {
    let mut client = site.connect_raw().await;
    client.write(post_head("/first-bytes/upload", MIB).as_bytes()).await;
    client.write(&Pattern::sized(200 * KIB).flatten().collect::<Vec<u8>>()).await;
    site.stage.pass("upload").await;
    drop(client);
    site.stage.pass("upload/left").await;
    assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
}

/// An answer that does not wait for 20 MiB of upload: it must arrive, and neither side may hang.
pub(crate) async fn answered_early(site: Arc<Site>) {
    let chunks = Pattern::sized(20 * MIB).map(Vec::from);
    answer_early(&site, post_head("/early", 20 * MIB), chunks).await;
}

pub(crate) async fn chunked_answered_early(site: Arc<Site>) {
    let head = "POST /early HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = Pattern::sized(20 * MIB)
        .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), &chunk, b"\r\n"].concat());
    answer_early(&site, head.to_owned(), chunks.chain([b"0\r\n\r\n".to_vec()])).await;
}

async fn answer_early<C>(site: &Site, head: String, chunks: C)
where
    C: Iterator<Item = Vec<u8>> + Send + 'static,
{
    let (read, mut write) = site.connect_raw().await.0.into_split();
    let upload = tokio::spawn(async move {
        write.write_all(head.as_bytes()).await?;
        for chunk in chunks {
            write.write_all(&chunk).await?;
        }
        // Dropped, it would tell the server that the client has gone.
        io::Result::Ok(write)
    });
    let answer = RawClient(read).read_answer().await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    // Whether the server reads the rest or closes is its own business, and the client does not wait for it.
    upload.abort();
    assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
}

async fn upload(site: &Site, len: u64) {
    let mut request = request("POST", "/", Pattern::sized(len));
    let type_ = "application/x-pattern".parse().expect("a value");
    request.headers_mut().insert(header::CONTENT_TYPE, type_);
    let seen = site.see(request).await;
    assert_eq!(seen.get("body"), Pattern::digest(len).to_string());
    assert_eq!(seen.header("content-length"), [len.to_string()]);
    assert_eq!(seen.header("content-type"), ["application/x-pattern"]);
}

/// The length of a chunked body is unknown, unless the server has gathered and counted it.
async fn upload_chunked(site: &Site, len: u64) {
    let answer = site.connect().await.try_send(request("POST", "/", Pattern::unsized_(len))).await;
    let is_ok = |answer: &Response<_>| answer.status() == StatusCode::OK;
    assert!(answer.as_ref().is_ok_and(is_ok), "{answer:?}");
    let seen = Answer::of(answer.expect("it is")).await.seen();
    assert_eq!(seen.get("body"), Pattern::digest(len).to_string());
    let announced = seen.header("content-length");
    assert!(announced.is_empty() || announced == [len.to_string()], "{announced:?}");
}

pub(super) fn post_head(path: &str, len: u64) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len}\r\n\r\n")
}
