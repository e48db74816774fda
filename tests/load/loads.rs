//! How many requests are made, and on which connections.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::Barrier;
use tower_fastcgi::server::Builder;

use crate::application::{Application, TRIAL, text};
use crate::command::{finish, measured, read, start};

#[tokio::test]
async fn as_many_requests_are_made_as_asked_for() {
    let application = Application::hello().await;
    let (report, exit) = measured(&["-c", "3", "-n", "100", &application.address, "/"]).await;
    assert_eq!(exit, 0, "{report:#}");
    assert_eq!(application.requests(), 100 + TRIAL);
    assert_eq!((&report["responses"], &report["error_count"]), (&100.into(), &0.into()));
    assert_eq!((&report["bytes"], &report["body_bytes"]), (&500.into(), &5.into()));
    assert_eq!((&report["status"], &report["connections_made"]), (&200.into(), &3.into()));
    assert_eq!(report["closed_loop"], true);
}

#[tokio::test]
async fn without_keep_each_request_has_a_connection() {
    let application = Application::hello().await;
    let arguments = ["-c", "2", "-n", "30", "--no-keep", &application.address, "/"];
    let (report, exit) = measured(&arguments).await;
    assert_eq!(exit, 0, "{report:#}");
    assert_eq!((&report["responses"], &report["connections_made"]), (&30.into(), &30.into()));
}

#[tokio::test]
async fn requests_are_made_for_a_time() {
    let application = Application::hello().await;
    let (report, exit) = measured(&["-z", "300ms", &application.address, "/"]).await;
    assert_eq!(exit, 0, "{report:#}");
    assert!(report["elapsed"].as_f64().unwrap() >= 0.3, "{report:#}");
    let responses = report["responses"].as_u64().unwrap() as usize;
    assert_eq!(application.requests(), responses + TRIAL);
}

/// Each request waits for three others, which are on the same connection.
#[tokio::test]
async fn a_connection_carries_several_requests() {
    let barrier = Arc::new(Barrier::new(4));
    let mut builder = Builder::new();
    builder.multiplexing(true);
    let application = Application::start_with(&builder, move |number, _| {
        let barrier = barrier.clone();
        async move {
            if number >= TRIAL {
                barrier.wait().await;
            }
            text("hello")
        }
    })
    .await;
    let arguments = ["-c", "1", "--multiplex", "4", "-n", "40", &application.address, "/"];
    let (report, exit) = measured(&arguments).await;
    assert_eq!(exit, 0, "{report:#}");
    assert_eq!((&report["responses"], &report["connections_made"]), (&40.into(), &1.into()));
}

#[tokio::test]
async fn bodies_and_headers_and_params_are_sent() {
    let application = Application::start(|_, request| async move {
        let header = request.headers()["x-a"].to_str().unwrap().to_owned();
        let params = request.extensions().get::<tower_fastcgi::Params>().unwrap();
        let param = String::from_utf8(params.get("REMOTE_USER").unwrap().to_vec()).unwrap();
        let head = format!("{} {} {header} {param} ", request.method(), request.uri());
        let body = axum::body::to_bytes(request.into_body(), 1000).await.unwrap();
        text(head + std::str::from_utf8(&body).unwrap())
    })
    .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "abc").unwrap();
    let data = format!("@{}", file.path().display());
    let arguments = ["-n", "5", "-H", "X-A: b", "--param", "REMOTE_USER=me", "-d", &data];
    let (report, exit) =
        measured(&[&arguments[..], &[&application.address, "/p?q"]].concat()).await;
    assert_eq!(exit, 0, "{report:#}");
    assert_eq!(report["body_bytes"], "POST /p?q b me abc".len());
}

#[tokio::test]
async fn an_interrupt_ends_it_with_what_was_measured() {
    let application = Application::hello().await;
    let child = start(&["-z", "1000s", "--json", &application.address, "/"]);
    while application.requests() < 50 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().unwrap())).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let (report, exit) = read(&finish(child).await);
    assert_eq!(exit, 0, "{report:#}");
    assert_eq!(report["interrupted"], true);
    assert!(report["responses"].as_u64().unwrap() > 0, "{report:#}");
}
