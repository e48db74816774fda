//! What is sent as a body, and from where.

use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::application::Application;
use crate::command::{BOUND, command, fcgi, fcgi_with_input};
use crate::peer::Peer;

#[tokio::test]
async fn data_is_a_form() {
    let app = Application::start().await;
    let told = app.ask(&["-d", "a=1", "-d", "b=@2"], "/params").await;
    assert!(told.contains("\nbody=a=1&b=@2\n"), "{told}");
    assert!(told.contains("\nmethod=POST\n"), "{told}");
    assert!(told.contains("\ncontent-type=application/x-www-form-urlencoded\n"), "{told}");
    assert!(told.contains("\ncontent-length=8\n"), "{told}");
    let told = app.ask(&["-d", "", "-H", "Content-Type: text/plain"], "/params").await;
    assert!(told.contains("\ncontent-type=text/plain\n"), "{told}");
    assert!(told.contains("\ncontent-length=0\n"), "{told}");
}

#[tokio::test]
async fn files_lose_their_line_ends_as_a_form_only() {
    let app = Application::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("form");
    std::fs::write(&file, "a=1&\r\nb=2\n").unwrap();
    let at_file = format!("@{}", file.display());
    assert_eq!(app.ask(&["-d", &at_file, "--data", "c"], "/echo").await, "a=1&b=2&c");
    assert_eq!(app.ask(&["--data-binary", &at_file], "/echo").await, "a=1&\r\nb=2\n");
    assert_eq!(app.ask(&["--data-raw", &at_file], "/echo").await, at_file);
    let path = file.to_str().unwrap();
    assert_eq!(app.ask(&["-T", path], "/echo").await, "a=1&\r\nb=2\n");
    let told = app.ask(&["-T", path], "/params").await;
    assert!(told.contains("\nmethod=PUT\n") && told.contains("\ncontent-length=10\n"), "{told}");
    assert!(!told.contains("content-type"), "{told}");
    let told = app.ask(&["-T", path, "-X", "PATCH"], "/method").await;
    assert_eq!(told, "PATCH");
}

#[tokio::test]
async fn standard_input_is_gathered_by_default() {
    let app = Application::start().await;
    for source in [["-d", "@-"], ["--data-binary", "@-"], ["-T", "-"]] {
        let arguments = [&["request"], &source[..], &[&app.address, "/params"]].concat();
        let ran = fcgi_with_input(&arguments, b"from a pipe").await.assert_ok();
        let told = ran.stdout();
        assert!(told.contains("\nbody=from a pipe\n"), "{told}");
        assert!(told.contains("\ncontent-length=11\n"), "{told}");
    }
}

#[tokio::test]
async fn standard_input_that_is_a_file_has_a_length() {
    let app = Application::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "of a file").unwrap();
    let refuse = ["--unknown-length", "refuse", "-T", "-"];
    let arguments = [&["request"], &refuse[..], &[&app.address, "/echo"]].concat();
    let mut command = command(&arguments);
    command.stdin(std::fs::File::open(&path).unwrap());
    let output = timeout(BOUND, command.output()).await.unwrap().unwrap();
    assert_eq!(output.stdout, b"of a file");
}

#[tokio::test]
async fn a_body_of_unknown_length_may_be_refused() {
    let app = Application::start().await;
    let arguments = ["request", "--unknown-length", "refuse", "-T", "-", &app.address, "/echo"];
    let ran = fcgi_with_input(&arguments, b"x").await;
    ran.assert_fails(2, &["length of the body is not known", "send a file instead"]);
}

#[tokio::test]
async fn too_much_is_not_gathered() {
    let app = Application::start().await;
    let arguments = ["request", "-T", "-", &app.address, "/echo"];
    let ran = fcgi_with_input(&arguments, &vec![b'x'; 64 * 1024 * 1024 + 1]).await;
    ran.assert_fails(2, &["more than 64 MiB", "--unknown-length stream"]);
}

/// Each line comes back before the next one is written.
#[tokio::test]
async fn bodies_stream_both_ways() {
    let app = Application::start().await;
    for source in [["-d", "@-"], ["--data-binary", "@-"], ["-T", "-"]] {
        let stream = ["request", "--unknown-length", "stream"];
        let mut command = command(&[&stream, &source[..], &[&app.address, "/echo"]].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        for line in ["first", "second"] {
            stdin.write_all(line.as_bytes()).await.unwrap();
            let mut back = vec![0; line.len()];
            timeout(BOUND, stdout.read_exact(&mut back)).await.unwrap().unwrap();
            assert_eq!(back, line.as_bytes());
        }
        drop(stdin);
        assert!(timeout(BOUND, child.wait()).await.unwrap().unwrap().success());
    }
}

#[tokio::test]
async fn a_large_file_comes_back() {
    let app = Application::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let content: Vec<u8> = (0..5_000_000u32).map(|index| (index % 251) as u8).collect();
    std::fs::write(&path, &content).unwrap();
    let ran = fcgi(&["request", "-T", path.to_str().unwrap(), &app.address, "/echo"]).await;
    assert!(ran.assert_ok().body == content);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error() {
    let app = Application::start().await;
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    let at_missing = format!("@{missing}");
    let at_folder = folder.path().to_str().unwrap();
    for source in
        [["-T", missing], ["-d", &at_missing], ["--data-binary", &at_missing], ["-T", at_folder]]
    {
        let arguments = [&["request"], &source[..], &[&app.address, "/echo"]].concat();
        fcgi(&arguments).await.assert_fails(26, &["cannot read", "is the path right"]);
    }
    // Opened, but not to be read: a process has no memory at address 0.
    if cfg!(target_os = "linux") {
        let memory = ["request", "-T", "/proc/self/mem", &app.address, "/echo"];
        fcgi(&memory).await.assert_fails(26, &["cannot read /proc/self/mem"]);
    }
}

/// The system says of files in /proc that they are empty.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn files_that_do_not_tell_their_length_are_sent() {
    let app = Application::start().await;
    let sent = app.ask(&["-T", "/proc/sys/kernel/ostype"], "/echo").await;
    assert_eq!(sent, "Linux\n");
}

#[cfg(unix)]
#[tokio::test]
async fn input_that_breaks_off_is_an_error() {
    let app = Application::start().await;
    // One answers before it has read all.
    for target in ["/length", "/echo"] {
        let peer = Peer::with(|io| async move {
            io.set_zero_linger().unwrap();
            Vec::new()
        })
        .await;
        let input = std::net::TcpStream::connect(&peer.address).unwrap();
        peer.task.await.unwrap();
        let stream = ["request", "--unknown-length", "stream", "-T", "-", &app.address, target];
        let mut command = command(&stream);
        let output = command.stdin(std::os::fd::OwnedFd::from(input)).output();
        let output = timeout(BOUND, output).await.unwrap().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(26), "{target}: {stderr}");
        assert!(stderr.contains("cannot read what is to be sent: -: "), "{target}: {stderr}");
    }
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_an_error() {
    for changed in [1_000_000, 40_000_000] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        std::fs::write(&path, vec![0; 30_000_000]).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let peer = Peer::with(move |mut io| async move {
            io.read_exact(&mut [0; 1000]).await.unwrap();
            file.set_len(changed).unwrap();
            let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
            Vec::new()
        })
        .await;
        let ran = fcgi(&["request", "-T", path.to_str().unwrap(), &peer.address, "/"]).await;
        ran.assert_fails(26, &["its length changed meanwhile"]);
    }
}

#[tokio::test]
async fn only_one_kind_of_body_may_be_given() {
    for arguments in [["-d", "a", "-T", "b"], ["-d", "a", "--data-raw", "b"]] {
        let arguments = [&["request"], &arguments[..], &["127.0.0.1:1", "/"]].concat();
        fcgi(&arguments).await.assert_fails(2, &["cannot be used with"]);
    }
}
