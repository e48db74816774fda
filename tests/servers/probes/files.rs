//! Files that the application names and the server sends.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::site::Site;

pub(crate) async fn x_accel_redirect(site: Arc<Site>) {
    is_sent(&site, "x-accel-redirect", "/files/report.txt").await;
}

pub(crate) async fn x_sendfile(site: Arc<Site>) {
    is_sent(&site, "x-sendfile", &site.servers_file("report.txt")).await;
}

/// The header is for the server alone.
async fn is_sent(site: &Site, header: &str, file: &str) {
    std::fs::write(site.file("report.txt"), REPORT).expect("the directory can be written to");
    let answer = site.get(&format!("/status/200?{header}={file}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text(), REPORT);
    assert_eq!(answer.header(header), [""; 0]);
}

const REPORT: &str = "a file of the server";
