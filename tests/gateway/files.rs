use std::fs;

use tempfile::TempDir;
use tower_fastcgi::client::Environment;
use tower_fastcgi::gateway::Gateway;

use crate::application::app;
use crate::kit::{Front, body, status};

async fn front() -> (Front, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("style.css"), "a { b: c }").unwrap();
    fs::write(folder.path().join("hello"), "a file").unwrap();
    fs::write(folder.path().join("app.php"), "<?php secret").unwrap();
    fs::write(folder.path().join(".env"), "secret").unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    fs::write(folder.path().join("folder/index.html"), "an index").unwrap();
    let application = app().await.to_string();
    let gateway = Gateway::builder()
        .environment(Environment::new())
        .files(folder.path())
        .build([application])
        .unwrap();
    (Front::of(gateway).await, folder)
}

#[tokio::test]
async fn a_file_comes_before_the_application() {
    let (front, _folder) = front().await;
    let response = front.get("/style.css?x").await;
    assert_eq!(status(&response), 200);
    assert!(response.contains("content-type: text/css"), "{response}");
    assert_eq!(body(&response), "a { b: c }");
    assert_eq!(body(&front.get("/hello").await), "a file");
    let part = "GET /hello HTTP/1.1\r\nHost: a\r\nRange: bytes=2-5\r\nConnection: close\r\n\r\n";
    let response = front.talk(part).await;
    assert_eq!((status(&response), body(&response)), (206, "file"));
}

#[tokio::test]
async fn all_else_is_for_the_application() {
    let (front, _folder) = front().await;
    for path in
        ["/none", "/folder", "/folder/", "/app.php", "/app.php/x", "/.env", "/%2eenv", "/x/../.env"]
    {
        let response = front.get(path).await;
        assert!(body(&response).contains("\"params\""), "{path}: {response}");
    }
    let posted =
        "POST /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(body(&front.talk(posted).await), "hello");
}
