//! What is refused.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_fastcgi::server::Builder;

use crate::application::{Application, text};
use crate::command::{assert_fails, bench};

#[tokio::test]
async fn multiplexing_takes_an_application_that_allows_it() {
    let application = Application::hello().await;
    let output = bench(&["--multiplex", "2", "-n", "10", &application.address, "/"]).await;
    assert_fails(&output, 2, &["one request at a time", "FCGI_MPXS_CONNS is not 1", "-c"]);
    assert_eq!(application.requests(), 0);

    let mut builder = Builder::new();
    builder.multiplexing(true).max_requests(5);
    let application = Application::start_with(&builder, |_, _| async { text("hello") }).await;
    let output = bench(&["--multiplex", "6", "-n", "10", &application.address, "/"]).await;
    assert_fails(&output, 2, &["5 requests at a time (FCGI_MAX_REQS)", "--multiplex 5"]);
    let output = bench(&["--multiplex", "5", "-n", "10", &application.address, "/"]).await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn what_is_no_application_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut io, _) = listener.accept().await.unwrap();
            // The command looks first whether it can connect at all.
            if io.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {
                io.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            }
        }
    });
    for options in [&[][..], &["--multiplex", "2"]] {
        let output = bench(&[options, &[&address, "/"]].concat()).await;
        assert_fails(&output, 8, &["error: HTTP came back", "fcgi request -v"]);
    }
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    assert_fails(&bench(&[&address, "/"]).await, 7, &["is the application listening on"]);
}

#[tokio::test]
async fn options_that_exclude_each_other_are_refused() {
    for arguments in [
        &["-n", "1", "-z", "1s"][..],
        &["--multiplex", "2", "--no-keep"],
        &["-n", "0"],
        &["-c", "0"],
        &["-H", "no colon"],
        &["-z", "0"],
        &["--param", "x"],
    ] {
        let output = bench(&[arguments, &["127.0.0.1:9", "/"]].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {output:?}");
    }
    assert_fails(&bench(&["127.0.0.1:9", "x"]).await, 3, &["/PATH?QUERY"]);
    assert_fails(&bench(&["-d", "@/no/such", "127.0.0.1:9", "/"]).await, 26, &["/no/such"]);
}
