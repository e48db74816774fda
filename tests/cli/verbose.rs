//! `-v`.

use tower_fastcgi::record::{
    ProtocolStatus, RecordType, RequestId, UnknownType, put_record, put_stream,
};

use crate::application::Application;
use crate::command::fcgi;
use crate::peer::{Peer, response};

#[track_caller]
fn assert_lines(shown: &str, expected: &[&str]) {
    let mut lines = shown.lines();
    for line in expected {
        let found = lines.any(|other| other.starts_with(line));
        assert!(found, "{line:?} is missing, or not there, in\n{shown}");
    }
}

#[tokio::test]
async fn each_record_is_shown() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "-v", "-d", "a\u{1b}b", &app.address, "/echo"]).await.assert_ok();
    assert_lines(
        &ran.stderr,
        &[
            "* connected to 127.0.0.1:",
            "> FCGI_BEGIN_REQUEST      id 1       8 bytes  FCGI_RESPONDER",
            "> FCGI_PARAMS             id 1  ",
            ">     REQUEST_METHOD = POST",
            ">     CONTENT_LENGTH = 3",
            "> FCGI_PARAMS             id 1       0 bytes  end of the stream",
            "> FCGI_STDIN              id 1       3 bytes  \"a\\u{1b}b\"",
            "> FCGI_STDIN              id 1       0 bytes  end of the stream",
            "< FCGI_STDOUT             id 1  ",
            "< FCGI_STDOUT             id 1       0 bytes  end of the stream",
            "< FCGI_END_REQUEST        id 1       8 bytes  FCGI_REQUEST_COMPLETE, exit status 0",
            "* the connection is closed",
        ],
    );
    assert_eq!(ran.stdout(), "a\u{1b}b");
}

#[tokio::test]
async fn long_contents_are_cut() {
    let app = Application::start().await;
    let data = "x".repeat(300);
    let ran = fcgi(&["request", "-v", "-d", &data, &app.address, "/echo"]).await.assert_ok();
    let stdin = format!("300 bytes  \"{}\" and 100 more bytes", "x".repeat(200));
    assert!(ran.stderr.contains(&stdin), "{}", ran.stderr);
}

#[tokio::test]
async fn strange_records_are_shown() {
    let id = RequestId::new(1);
    let mut wire = Vec::new();
    put_record(&mut wire, RecordType::UnknownType, None, &UnknownType(77).encode());
    put_record(&mut wire, RecordType::Other(42), None, b"what");
    put_stream(&mut wire, RecordType::Stderr, id.unwrap(), b"oops\n");
    wire.extend([1, 6, 0, 1, 0, 6, 2, 0]);
    wire.extend(b"A: b\n\n\0\0");
    wire.extend(response(b"body", ProtocolStatus::RequestComplete));
    let ran = fcgi(&["request", "-v", &Peer::answers(wire).await.address, "/"]).await.assert_ok();
    assert_lines(
        &ran.stderr,
        &[
            "< FCGI_UNKNOWN_TYPE       id 0       8 bytes  type 77 is not known",
            "< record type 42          id 0       4 bytes  \"what\"",
            "< FCGI_STDERR             id 1       5 bytes  \"oops\\n\"",
            "< FCGI_STDOUT             id 1       6 bytes + 2 padding  \"A: b\\n\\n\"",
            "< FCGI_END_REQUEST        id 1       8 bytes  FCGI_REQUEST_COMPLETE, exit status 3",
        ],
    );
    assert!(!ran.stderr.contains("stderr:"), "it is shown once: {}", ran.stderr);
}

#[tokio::test]
async fn what_is_not_fastcgi_is_shown() {
    let peer = Peer::answers("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let ran = fcgi(&["request", "-v", &peer.address, "/"]).await;
    ran.assert_fails(
        8,
        &["< not FastCGI from byte 0 on: \"HTTP/1.1 400 Bad Request\\r\\n\\r\\n\""],
    );
}

#[tokio::test]
async fn records_of_a_wrong_length_are_shown() {
    let mut wire = Vec::new();
    put_record(&mut wire, RecordType::EndRequest, RequestId::new(1), b"four");
    let ran = fcgi(&["request", "-v", &Peer::answers(wire).await.address, "/"]).await;
    ran.assert_fails(8, &["malformed: its length is 8 by the specification; \"four\""]);
}
