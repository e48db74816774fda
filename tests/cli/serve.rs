//! `fcgi serve`.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use crate::application::Application;
use crate::command::{BOUND, command, fcgi};

struct Gateway {
    address: String,
    child: Child,
    told: Lines<BufReader<ChildStderr>>,
}

impl Gateway {
    async fn start(arguments: &[&str]) -> Self {
        let mut command = command(&[&["serve", "--http", "127.0.0.1:0"], arguments].concat());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = timeout(BOUND, told.next_line()).await.unwrap().unwrap().unwrap();
        let (_, rest) = line.split_once(" on http://").unwrap_or_else(|| panic!("{line}"));
        let address = rest.strip_suffix(", for development only").unwrap().to_owned();
        Self { address, child, told }
    }

    async fn get(&self, target: &str) -> String {
        get(&self.address, target).await
    }

    async fn line(&mut self) -> String {
        timeout(BOUND, self.told.next_line()).await.unwrap().unwrap().expect("another line")
    }
}

/// The whole response.
async fn get(address: &str, target: &str) -> String {
    let mut io = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    io.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    timeout(BOUND, io.read_to_string(&mut response)).await.unwrap().unwrap();
    response
}

#[tokio::test]
async fn a_browser_gets_a_page_and_the_terminal_a_line() {
    let app = Application::start().await;
    let mut gateway = Gateway::start(&[&app.address]).await;
    let response = gateway.get("/hello").await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\nhello\n"), "{response}");
    let line = gateway.line().await;
    assert!(line.starts_with("127.0.0.1:") && line.ends_with(" ms"), "{line}");
    assert!(line.contains(" GET /hello 200 "), "{line}");
    gateway.get("/status/404?a=%1b").await;
    let line = gateway.line().await;
    assert!(line.contains(" GET /status/404?a=%1b 404 "), "{line}");
}

#[tokio::test]
async fn applications_are_asked_in_turn() {
    let apps = [Application::start().await, Application::start().await];
    let gateway = Gateway::start(&[&apps[0].address, &apps[1].address]).await;
    for _ in 0..4 {
        assert!(gateway.get("/hello").await.ends_with("hello\n"));
    }
    let [first, second] = apps;
    drop(first);
    for _ in 0..2 {
        assert!(gateway.get("/hello").await.ends_with("hello\n"));
    }
    drop(second);
}

#[tokio::test]
async fn params_say_what_the_options_say() {
    let app = Application::start().await;
    let options = ["--param", "APP_ENV=dev", "--script-name", "/params"];
    let told = Gateway::start(&[&options[..], &[&app.address]].concat()).await.get("/params").await;
    for line in ["APP_ENV=dev", "SCRIPT_NAME=/params", "REMOTE_ADDR=127.0.0.1"] {
        assert!(told.contains(&format!("\n{line}\n")), "{line} in {told}");
    }
    let options = ["--script-filename", "/srv/app.php"];
    let told = Gateway::start(&[&options[..], &[&app.address]].concat()).await.get("/params").await;
    assert!(told.contains("\nSCRIPT_FILENAME=/srv/app.php\n"), "{told}");
}

#[tokio::test]
async fn files_are_served_first() {
    let app = Application::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("style.css"), "p {}").unwrap();
    let path = folder.path().to_str().unwrap();
    for option in ["--files", "--document-root"] {
        let gateway = Gateway::start(&[option, path, &app.address]).await;
        assert!(gateway.get("/style.css").await.ends_with("\r\n\r\np {}"), "{option}");
        let told = gateway.get("/params").await;
        let script = format!("\nSCRIPT_FILENAME={path}/index.php\n");
        assert_eq!(told.contains(&script), option == "--document-root", "{told}");
    }
}

#[tokio::test]
async fn an_application_that_is_not_there_is_told() {
    let mut gateway = Gateway::start(&["unix:/no/such/socket"]).await;
    assert!(gateway.get("/").await.starts_with("HTTP/1.1 502 "));
    let (first, second) = (gateway.line().await, gateway.line().await);
    assert!(first.contains("WARN") && !first.contains('\x1b'), "{first}");
    assert!(second.contains(" GET / 502 "), "{second}");
}

#[tokio::test]
async fn a_reader_of_its_lines_that_goes_is_no_reason_to_end() {
    let Gateway { address, mut child, told } = Gateway::start(&["unix:/no/such/socket"]).await;
    drop(told);
    for _ in 0..2 {
        let response = get(&address, "/").await;
        assert!(response.starts_with("HTTP/1.1 502 "), "{response:?}");
    }
    assert_eq!(child.try_wait().unwrap(), None);
}

#[cfg(unix)]
#[tokio::test]
async fn it_says_nothing_if_asked_and_ends_when_told() {
    let app = Application::start().await;
    let mut gateway = Gateway::start(&["--silent", &app.address]).await;
    assert!(gateway.get("/hello").await.ends_with("hello\n"));
    let pid = rustix::process::Pid::from_raw(gateway.child.id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = timeout(BOUND, gateway.child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(gateway.told.next_line().await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_served_is_told() {
    let app = Application::start().await;
    let ran = fcgi(&["serve", "--http", &app.address, "127.0.0.1:1"]).await;
    ran.assert_fails(7, &["cannot listen on", "another program listens there"]);
    fcgi(&["serve", "nonsense"]).await.assert_fails(3, &["is no address"]);
    fcgi(&["serve"]).await.assert_fails(2, &["required"]);
}
