//! What is counted as an error.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;

use crate::application::{Application, TRIAL, text};
use crate::command::{assert_fails, bench, measured};

#[tokio::test]
async fn another_status_is_an_error() {
    let application = Application::start(|number, _| async move {
        let mut response = text("hello");
        if number % 3 == 2 {
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    })
    .await;
    let (report, exit) = measured(&["-n", "30", &application.address, "/"]).await;
    assert_eq!(exit, 1);
    assert_eq!((&report["responses"], &report["error_count"]), (&20.into(), &10.into()));
    assert_eq!(report["errors"]["status"]["count"], 10);
    assert_eq!(report["errors"]["status"]["example"], "503 instead of 200");
    let (report, exit) = measured(&["-n", "30", "--any", &application.address, "/"]).await;
    assert_eq!((&report["responses"], exit), (&30.into(), 0));
}

#[tokio::test]
async fn so_is_another_body() {
    for (body, example) in
        [("hullo", "another body than the first one"), ("hello!", "6 bytes instead of 5")]
    {
        let application = Application::start(move |number, _| async move {
            text(if number == 7 { body } else { "hello" })
        })
        .await;
        let (report, exit) = measured(&["-n", "30", &application.address, "/"]).await;
        assert_eq!(exit, 1);
        assert_eq!(report["responses"], 29, "{report:#}");
        assert_eq!(report["errors"]["body"]["example"], example);
    }
}

#[tokio::test]
async fn so_is_one_that_does_not_come() {
    let application = Application::start(|number, _| async move {
        if number == 9 {
            std::future::pending::<()>().await;
        }
        text("hello")
    })
    .await;
    let arguments = ["-c", "1", "-n", "30", "--timeout", "2s", &application.address, "/"];
    let (report, exit) = measured(&arguments).await;
    assert_eq!(exit, 1);
    assert_eq!(report["responses"], 29, "{report:#}");
    assert_eq!(report["errors"]["timeout"]["example"], "no complete response within 2 s");
}

#[tokio::test]
async fn so_is_one_that_is_cut() {
    let application = Application::start(|number, _| async move {
        if number != 5 {
            return text("hello");
        }
        let frames = [Ok(Bytes::from_static(b"he")), Err("the body failed")];
        Response::new(Body::from_stream(stream::iter(frames)))
    })
    .await;
    let (report, exit) = measured(&["-c", "1", "-n", "30", &application.address, "/"]).await;
    assert_eq!(exit, 1);
    assert_eq!(report["responses"], 29, "{report:#}");
    assert_eq!(report["error_count"], 1, "{report:#}");
    assert_eq!(report["connections_made"], 2, "{report:#}");
}

#[tokio::test]
async fn the_text_tells_errors_by_kind() {
    let application = Application::start(|number, _| async move {
        text(if number > TRIAL { "hullo" } else { "hello" })
    })
    .await;
    let output = bench(&["-c", "1", "-n", "10", &application.address, "/"]).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("9 errors\n         9 body: another body than the first one\n"),
        "{text}"
    );
}

#[tokio::test]
async fn responses_that_differ_are_told_before_anything_is_measured() {
    let application =
        Application::start(|number, _| async move { text(format!("hello {number}")) }).await;
    let output = bench(&["-n", "10", &application.address, "/"]).await;
    assert_fails(&output, 1, &["two responses differ", "--any"]);
    assert_eq!(application.requests(), TRIAL);
    let (report, exit) = measured(&["-n", "10", "--any", &application.address, "/"]).await;
    assert_eq!((&report["responses"], exit), (&10.into(), 0));
}

#[tokio::test]
async fn an_error_page_is_not_measured_unasked() {
    let application = Application::start(|_, _| async {
        let mut response = text("nothing");
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        response
    })
    .await;
    let output = bench(&["-n", "10", &application.address, "/x"]).await;
    assert_fails(&output, 22, &["GET /x is answered with 404", "--any"]);
    let (report, exit) = measured(&["-n", "10", "--any", &application.address, "/x"]).await;
    assert_eq!((&report["status"], &report["responses"], exit), (&404.into(), &10.into(), 0));
}
