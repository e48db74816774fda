//! Peers that do not answer as they should, and what is said of them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_fastcgi::record::ProtocolStatus;

use crate::application::Application;
use crate::command::{Ran, fcgi};
use crate::peer::{Peer, read_request, response};

async fn ask(peer: &Peer) -> Ran {
    fcgi(&["request", &peer.address, "/"]).await
}

async fn answered(bytes: &[u8]) -> Ran {
    ask(&Peer::answers(bytes).await).await
}

#[tokio::test]
async fn a_connection_closed_without_an_answer() {
    answered(b"").await.assert_fails(52, &["without an answer", "listen.allowed_clients"]);
}

#[tokio::test]
async fn an_http_server() {
    let ran = answered(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n").await;
    ran.assert_fails(8, &["HTTP came back", "ask it with curl"]);
}

#[tokio::test]
async fn a_tls_server() {
    let ran = answered(&[0x15, 3, 1, 0, 2, 2, 70, 0, 0]).await;
    ran.assert_fails(8, &["a TLS server answers there"]);
}

#[tokio::test]
async fn a_server_of_another_kind() {
    let ran = answered(b"SSH-2.0-OpenSSH_9.2\x1b[2J\r\n").await;
    ran.assert_fails(8, &["it says \"SSH-2.0-OpenSSH_9.2\\u{1b}[2J"]);
}

#[tokio::test]
async fn a_response_that_is_no_cgi() {
    let wire = response(b"no head at all", ProtocolStatus::RequestComplete);
    answered(&wire).await.assert_fails(18, &["before the response was complete"]);
    let wire = response(b"Status: many\n\nbody", ProtocolStatus::RequestComplete);
    answered(&wire).await.assert_fails(8, &["Status", "-v shows what came"]);
}

#[tokio::test]
async fn a_response_that_ends_too_early() {
    let wire = response(b"Content-Length: 10\n\nfour", ProtocolStatus::RequestComplete);
    let ran = answered(&wire).await;
    ran.assert_fails(18, &["shorter than its Content-Length"]);
    assert_eq!(ran.stdout(), "four");
    let wire = response(b"A: b\n\nbody", ProtocolStatus::RequestComplete);
    answered(&wire[..20]).await.assert_fails(18, &["before the response was complete"]);
}

#[tokio::test]
async fn a_refusal() {
    answered(&response(b"", ProtocolStatus::Overloaded))
        .await
        .assert_fails(9, &["FCGI_OVERLOADED", "less busy"]);
    answered(&response(b"", ProtocolStatus::UnknownRole))
        .await
        .assert_fails(9, &["FCGI_UNKNOWN_ROLE", "--role"]);
    answered(&response(b"", ProtocolStatus::CantMpxConn))
        .await
        .assert_fails(9, &["FCGI_CANT_MPX_CONN"]);
    let app = Application::start().await;
    let ran = fcgi(&["request", "--role", "filter", &app.address, "/hello"]).await;
    ran.assert_fails(9, &["FCGI_UNKNOWN_ROLE"]);
}

#[tokio::test]
async fn a_connection_that_is_reset() {
    let peer = Peer::with(|mut io| async move {
        let received = read_request(&mut io).await;
        io.write_all(&response(b"A: b\n\npart", ProtocolStatus::RequestComplete)[..18])
            .await
            .unwrap();
        io.set_zero_linger().unwrap();
        received
    })
    .await;
    ask(&peer).await.assert_fails(56, &["connection error", "see the application's log"]);
}

#[tokio::test]
async fn no_answer_in_time() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "--max-time", "1.5", "-d", "abc", &app.address, "/never"]).await;
    ran.assert_fails(
        28,
        &["time is up after 1.5 s", "3 bytes of the body were sent", "workers busy"],
    );
    let ran = fcgi(&["request", "-m", "300ms", &app.address, "/never"]).await;
    ran.assert_fails(28, &["time is up after 0.3 s"]);
    let (router, gate) = crate::application::gated(None);
    let app = Application::serve("127.0.0.1:0", router).await;
    gate.notify_one();
    let ran = fcgi(&["request", "-m", "3", &app.address, "/gate"]).await;
    ran.assert_fails(28, &["1000 bytes of the response's body have come"]);
    assert_eq!(ran.body.len(), 1000);
}

/// A socket whose queue is full, for nobody accepts.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_connection_in_time() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let full = async {
        loop {
            waiting.push(tokio::net::TcpStream::connect(address).await);
        }
    };
    // Once the queue is full, connecting takes a second at least.
    let _ = tokio::time::timeout(Duration::from_millis(500), full).await;
    let address = address.to_string();
    let ran = fcgi(&["request", "--connect-timeout", "0.2", &address, "/"]).await;
    ran.assert_fails(28, &["no connection to", "within 0.2 s", "firewall"]);
    let ran = fcgi(&["request", "--max-time", "0.2", &address, "/"]).await;
    ran.assert_fails(28, &["there is no connection yet"]);
}

#[tokio::test]
async fn a_request_that_cannot_be_sent() {
    let app = Application::start().await;
    let lie = ["request", "-H", "Content-Length: 5", "-d", "abc", &app.address, "/echo"];
    fcgi(&lie).await.assert_fails(2, &["Content-Length is not the length of its body", "hint:"]);
    let large = format!("X: {}", "x".repeat(100_000));
    let ran = fcgi(&["request", "-H", &large, &app.address, "/echo"]).await;
    ran.assert_fails(2, &["longer than a record", "shorter headers"]);
}

#[tokio::test]
async fn php_that_does_not_find_its_script() {
    for complaint in ["File not found.\n", "No input file specified.\n"] {
        let wire = format!("Status: 404 Not Found\r\n\r\n{complaint}");
        let wire = response(wire.as_bytes(), ProtocolStatus::RequestComplete);
        let ran = answered(&wire).await.assert_ok();
        assert!(
            ran.stderr.contains("hint:") && ran.stderr.contains("--script-filename"),
            "{ran:?}"
        );
        assert_eq!(ran.stdout(), complaint);
        let peer = Peer::answers(wire.clone()).await;
        let ran = fcgi(&["request", "--fail", &peer.address, "/"]).await;
        ran.assert_fails(22, &["--script-filename"]);
        let peer = Peer::answers(wire).await;
        let ran = fcgi(&["request", "--silent", &peer.address, "/"]).await.assert_ok();
        assert_eq!(ran.stderr, "");
    }
}

/// An answer before the upload has ended ends the upload.
#[tokio::test]
async fn an_early_answer_is_enough() {
    let peer = Peer::with(|mut io| async move {
        let mut start = vec![0; 1000];
        io.read_exact(&mut start).await.unwrap();
        io.write_all(&response(b"Status: 413\n\ntoo much", ProtocolStatus::RequestComplete))
            .await
            .unwrap();
        let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
        start
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large");
    std::fs::write(&file, vec![0; 30_000_000]).unwrap();
    let ran = fcgi(&["request", "-i", "-T", file.to_str().unwrap(), &peer.address, "/"]).await;
    assert!(ran.assert_ok().stdout().starts_with("HTTP/1.1 413 "));
}
