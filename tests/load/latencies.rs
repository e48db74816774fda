//! What is told of latencies.

use std::time::Duration;

use crate::application::{Application, text};
use crate::command::{bench, measured};

#[tokio::test]
async fn no_latency_is_below_what_the_application_takes() {
    let application = Application::start(|_, _| async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        text("slept")
    })
    .await;
    let (report, _) = measured(&["-c", "4", "-n", "20", &application.address, "/"]).await;
    let latency = |name: &str| report["latency"][name].as_f64().unwrap();
    assert!(latency("min") >= 0.0299, "{report:#}");
    let names = ["min", "p50", "p75", "p90", "p95", "p99", "p99.9", "max"];
    assert!(names.map(latency).is_sorted(), "{report:#}");
    assert!((latency("min")..=latency("max")).contains(&latency("mean")), "{report:#}");
    let buckets = report["histogram"].as_array().unwrap();
    let sum: u64 = buckets.iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, 20);
    // 20 requests by 4 at a time, each of 30 ms.
    assert!(report["elapsed"].as_f64().unwrap() >= 0.149, "{report:#}");
}

#[tokio::test]
async fn a_slow_response_is_the_longest_and_no_other() {
    let application = Application::start(|number, _| async move {
        if number == 50 {
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
        text("hello")
    })
    .await;
    let (report, _) = measured(&["-c", "1", "-n", "100", &application.address, "/"]).await;
    assert!(report["latency"]["max"].as_f64().unwrap() >= 1.49, "{report:#}");
    assert!(report["latency"]["p90"].as_f64().unwrap() < 1.49, "{report:#}");
}

#[tokio::test]
async fn the_text_has_percentiles_and_a_histogram_that_fits() {
    let application = Application::hello().await;
    let output = bench(&["-c", "2", "-n", "200", &application.address, "/x"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let first = format!(
        "GET /x at {}: 2 connections, kept\nanswered with 200, 5 B of body\n",
        application.address
    );
    assert!(text.starts_with(&first), "{text}");
    for part in ["200 responses in ", "0 errors", "99.9%", "closed loop", "coordinated omission"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("  < ")).collect();
    assert!(rows.iter().all(|row| row.len() <= 60), "{text}");
    assert!(rows.iter().any(|row| row.len() == 60 && row.ends_with("###")), "{text}");
}
