//! Where the response goes, and in what form.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tower_fastcgi::record::ProtocolStatus;

use crate::application::Application;
use crate::command::{BOUND, command, fcgi, start};
use crate::peer::{Peer, read_request, response};

#[tokio::test]
async fn the_head_comes_first_if_it_is_wanted() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "-i", &app.address, "/status/404"]).await.assert_ok();
    let (head, body) = ran.stdout().split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
    assert!(head.contains("\r\nx-tried: yes\r\n"), "{head}");
    assert_eq!(body, "that status\n");
}

#[tokio::test]
async fn the_head_may_be_all() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "-I", &app.address, "/method"]).await.assert_ok();
    assert!(ran.stdout().starts_with("HTTP/1.1 200 OK\r\n"), "{ran:?}");
    assert!(ran.stdout().ends_with("\r\n\r\n"), "{ran:?}");
    assert!(ran.stdout().contains("content-length: 4\r\n"), "{ran:?}");
}

/// The application does not end the request, which is waited for, but not for ever, and without harm.
#[tokio::test]
async fn a_head_without_an_end_is_all() {
    let whole = response(b"A: b\n\n", ProtocolStatus::RequestComplete);
    let peer = Peer::with(move |mut io| async move {
        let mut received = read_request(&mut io).await;
        io.write_all(&whole[..16]).await.unwrap();
        let _ = io.read_to_end(&mut received).await;
        received
    })
    .await;
    let ran = fcgi(&["request", "-I", &peer.address, "/"]).await.assert_ok();
    assert!(ran.stdout().ends_with("a: b\r\n\r\n"), "{ran:?}");
}

#[tokio::test]
async fn a_status_above_400_fails_if_that_is_wanted() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "--fail", &app.address, "/status/400"]).await;
    ran.assert_fails(22, &["the application answered 400 Bad Request"]);
    assert_eq!(ran.stdout(), "");
    let ran = fcgi(&["request", "-f", "-i", &app.address, "/broken"]).await;
    ran.assert_fails(22, &["500 Internal Server Error"]);
    assert!(ran.stdout().starts_with("HTTP/1.1 500 "), "{ran:?}");
    let ran = fcgi(&["request", "-f", &app.address, "/status/399"]).await.assert_ok();
    assert_eq!(ran.stdout(), "that status\n");
}

#[tokio::test]
async fn the_body_goes_to_a_file() {
    let app = Application::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    let path = file.to_str().unwrap();
    let ran = fcgi(&["request", "-o", path, &app.address, "/hello"]).await.assert_ok();
    assert_eq!(ran.stdout(), "");
    assert_eq!(std::fs::read(&file).unwrap(), b"hello\n");
    fcgi(&["request", "-o", path, &app.address, "/status/204"]).await.assert_ok();
    assert_eq!(std::fs::read(&file).unwrap(), b"");
    let ran = fcgi(&["request", "-o", "-", &app.address, "/hello"]).await.assert_ok();
    assert_eq!(ran.stdout(), "hello\n");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_an_error() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "-o", "/no/such/folder", &app.address, "/hello"]).await;
    ran.assert_fails(23, &["cannot write to /no/such/folder", "does the folder exist"]);
    if cfg!(target_os = "linux") {
        let ran = fcgi(&["request", "-o", "/dev/full", &app.address, "/hello"]).await;
        ran.assert_fails(23, &["cannot write to /dev/full", "make room on the disk"]);
    }
}

#[tokio::test]
async fn a_reader_that_goes_ends_it_quietly() {
    let app = Application::start().await;
    let mut child = start(&["request", &app.address, "/large"]);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).await.unwrap();
    drop(stdout);
    let ran = crate::command::finish(child).await;
    assert_eq!((ran.code, &ran.stderr[..]), (23, ""));
}

#[tokio::test]
async fn help_for_nobody_ends_quietly() {
    let mut command = command(&["completions", "bash"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = timeout(BOUND, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.stderr, b"");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn help_that_cannot_be_written_is_an_error() {
    for arguments in [&["--help"][..], &["request", "--help"], &["--version"]] {
        let mut command = command(arguments);
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        command.stdout(full).stderr(Stdio::piped());
        let ran = crate::command::finish(command.spawn().unwrap()).await;
        ran.assert_fails(23, &["cannot write to standard output", "make room on the disk"]);
    }
}

#[tokio::test]
async fn the_error_stream_is_told_line_by_line() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "-s", &app.address, "/stderr"]).await.assert_ok();
    assert_eq!(ran.stdout(), "done\n");
    assert_eq!(ran.stderr, "stderr: a line\nstderr: another\n");
}

#[tokio::test]
async fn the_error_stream_of_an_application_is_escaped() {
    let id = tower_fastcgi::record::RequestId::new(1).unwrap();
    let mut wire = Vec::new();
    for part in [&b"a \x1b[2J"[..], b" line\nno end"] {
        tower_fastcgi::record::put_stream(
            &mut wire,
            tower_fastcgi::record::RecordType::Stderr,
            id,
            part,
        );
    }
    wire.extend(response(b"A: b\n\nbody", ProtocolStatus::RequestComplete));
    let peer = Peer::answers(wire).await;
    let ran = fcgi(&["request", &peer.address, "/"]).await.assert_ok();
    assert_eq!(ran.stderr, "stderr: a \\u{1b}[2J line\nstderr: no end\n");
}

#[tokio::test]
async fn json_tells_all_in_one_object() {
    let app = Application::start().await;
    let ran = fcgi(&["request", "--json", "-d", "abc", &app.address, "/echo"]).await.assert_ok();
    let told = ran.json();
    assert_eq!(told["status"], 200);
    assert_eq!(told["body"], "abc");
    assert_eq!(told["address"], app.address.as_str());
    assert_eq!(told["bytes"], json!({ "sent": 3, "received": 3 }));
    assert_eq!(told["app_status"], 0);
    assert_eq!(told["protocol_status"], "FCGI_REQUEST_COMPLETE");
    assert_eq!(told["stderr"], "");
    assert_eq!(told["headers"]["content-length"], json!(["3"]));
    assert!(told["params"].as_array().unwrap().contains(&json!(["CONTENT_LENGTH", "3"])));
    let timing = &told["timing"];
    assert!(timing["connected"].as_f64().unwrap() <= timing["answered"].as_f64().unwrap());
    assert!(timing["answered"].as_f64().unwrap() <= timing["total"].as_f64().unwrap());
    assert!(told.get("error").is_none());
}

#[tokio::test]
async fn json_has_bytes_and_the_error_stream() {
    let app = Application::start().await;
    let told = fcgi(&["request", "--json", &app.address, "/bytes"]).await.assert_ok().json();
    assert_eq!(told["body_base64"], "/wAb");
    let ran = fcgi(&["request", "--json", &app.address, "/stderr"]).await.assert_ok();
    assert_eq!((&ran.json()["stderr"], &ran.stderr[..]), (&json!("a line\nanother\n"), ""));
}

#[tokio::test]
async fn json_leaves_the_body_to_a_file() {
    let app = Application::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    let arguments = ["request", "--json", "-o", file.to_str().unwrap(), &app.address, "/hello"];
    let told = fcgi(&arguments).await.assert_ok().json();
    assert!(told.get("body").is_none());
    assert_eq!(std::fs::read(&file).unwrap(), b"hello\n");
}

#[tokio::test]
async fn json_tells_of_failures() {
    let ran = fcgi(&["request", "--json", "unix:/no/such/socket", "/"]).await;
    assert_eq!((ran.code, &ran.stderr[..]), (7, ""));
    let error = &ran.json()["error"];
    assert_eq!(error["exit"], 7);
    assert!(error["message"].as_str().unwrap().contains("no such socket"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("no folder"), "{error}");
    let app = Application::start().await;
    let ran = fcgi(&["request", "--json", "--fail", &app.address, "/status/500"]).await;
    assert_eq!(ran.code, 22);
    let told = ran.json();
    assert_eq!((&told["status"], &told["error"]["exit"]), (&json!(500), &json!(22)));
    assert_eq!(told["body"], "that status\n");
}

#[tokio::test]
async fn silence_is_kept_unless_errors_are_wanted() {
    let silent = fcgi(&["request", "-s", "unix:/no/such/socket", "/"]).await;
    assert_eq!((silent.code, &silent.stderr[..]), (7, ""));
    let ran = fcgi(&["request", "-s", "--show-error", "unix:/no/such/socket", "/"]).await;
    ran.assert_fails(7, &["no such socket"]);
    let ran = fcgi(&["request", "-s", "-H", "X_Y: z", "unix:/no/such/socket", "/"]).await;
    assert_eq!(ran.stderr, "");
}
