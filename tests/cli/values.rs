//! `--values`.

use tokio::io::AsyncReadExt;
use tower_fastcgi::record::{ProtocolStatus, RecordType, UnknownType, put_pair, put_record};

use crate::application::Application;
use crate::command::{Ran, fcgi};
use crate::peer::{Peer, response};

async fn ask(peer: &Peer) -> Ran {
    fcgi(&["request", "--values", &peer.address]).await
}

#[tokio::test]
async fn the_limits_are_a_table() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "--values", &app.address]).await.assert_ok();
    let table = ran.stdout();
    assert!(table.contains("FCGI_MPXS_CONNS       1  1: several requests"), "{table}");
    assert!(table.lines().all(|line| line.starts_with("FCGI_")), "{table}");
}

#[tokio::test]
async fn the_limits_as_json() {
    let app = Application::start().await;
    let told = fcgi(&["request", "--values", "--json", &app.address]).await.assert_ok().json();
    assert_eq!(told["values"]["FCGI_MPXS_CONNS"], "1");
    assert_eq!(told["address"], app.address.as_str());
}

#[tokio::test]
async fn question_and_answer_are_shown() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "--values", "-v", &app.address]).await.assert_ok();
    assert!(ran.stderr.contains("> FCGI_GET_VALUES "), "{}", ran.stderr);
    assert!(ran.stderr.contains("\n>     FCGI_MAX_REQS\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("< FCGI_GET_VALUES_RESULT "), "{}", ran.stderr);
    assert!(ran.stderr.contains("\n<     FCGI_MPXS_CONNS = 1\n"), "{}", ran.stderr);
}

#[tokio::test]
async fn an_answer_may_come_in_parts_and_be_followed_by_the_end() {
    let (mut pairs, mut wire) = (Vec::new(), Vec::new());
    put_pair(&mut pairs, b"FCGI_MAX_CONNS", b"7");
    put_pair(&mut pairs, b"X\x1b", b"\n");
    put_record(&mut wire, RecordType::GetValuesResult, None, &pairs);
    let ran = ask(&Peer::answers(wire).await).await.assert_ok();
    assert!(
        ran.stdout().starts_with("FCGI_MAX_CONNS        7  connections at a time\n"),
        "{ran:?}"
    );
    assert!(ran.stdout().contains("X\\u{1b}") && ran.stdout().contains("\\n"), "{ran:?}");
    let mut wire = Vec::new();
    put_record(&mut wire, RecordType::GetValuesResult, None, b"");
    let ran = ask(&Peer::answers(wire).await).await.assert_ok();
    assert_eq!(ran.stdout(), "The application says nothing about itself.\n");
}

#[tokio::test]
async fn other_answers_are_errors() {
    let mut unknown = Vec::new();
    put_record(&mut unknown, RecordType::UnknownType, None, &UnknownType(9).encode());
    let ran = ask(&Peer::answers(unknown).await).await;
    ran.assert_fails(8, &["does not know FCGI_GET_VALUES"]);
    let ran = ask(&Peer::answers("HTTP/1.1 400 Bad Request\r\n").await).await;
    ran.assert_fails(8, &["not FastCGI: \"HTTP/1.1"]);
    let wire = response(b"x", ProtocolStatus::RequestComplete);
    ask(&Peer::answers(wire).await).await.assert_fails(8, &["not what was asked for: FCGI_STDOUT"]);
    ask(&Peer::answers("").await).await.assert_fails(52, &["without an answer"]);
    ask(&Peer::answers([1, 10, 0, 0, 0, 5, 0, 0, 1]).await)
        .await
        .assert_fails(52, &["ends within FCGI_GET_VALUES_RESULT: 1 of 5 bytes"]);
}

#[tokio::test]
async fn no_answer_in_time() {
    let peer = Peer::with(|mut io| async move {
        let mut received = Vec::new();
        io.read_to_end(&mut received).await.unwrap();
        received
    })
    .await;
    let ran = fcgi(&["request", "--values", "--max-time", "0.3", &peer.address]).await;
    ran.assert_fails(28, &["within 0.3 s", "libfcgi never answer"]);
}

#[tokio::test]
async fn a_connection_that_is_reset() {
    let peer = Peer::with(|mut io| async move {
        let received = crate::peer::read_request(&mut io).await;
        io.set_zero_linger().unwrap();
        received
    })
    .await;
    ask(&peer).await.assert_fails(56, &["connection error"]);
}
