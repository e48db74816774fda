//! The example and its units, with systemd's own tools.

use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use tokio::net::UnixStream;

use crate::application::{ADDRESSES, EXAMPLE};
use crate::passing::{Running, trial};
use crate::web_server::{WebServer, bounded};

pub(crate) fn trials(enabled: bool) -> Vec<Trial> {
    let with_tools = [
        trial("systemd_tools::socket_activate_starts_the_example", starts_the_example),
        trial("systemd_tools::analyze_finds_no_fault_in_the_units", units_are_valid),
    ];
    let with_tools = with_tools.map(|trial| trial.with_ignored_flag(!enabled));
    let without = trial("systemd_tools::the_application_ends_before_it_is_killed", ends_in_time);
    with_tools.into_iter().chain([without]).collect()
}

const SERVICE: &str = include_str!("../../examples/systemd/app.service");
const SOCKET: &str = include_str!("../../examples/systemd/app.socket");
const PROGRAM: &str = include_str!("../../examples/systemd/main.rs");

async fn starts_the_example() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let mut command = Command::new("systemd-socket-activate");
    command.arg("-l").arg(&path).arg("-E").arg(format!("{ADDRESSES}={EXAMPLE}"));
    command.arg(std::env::current_exe().unwrap()).stdin(Stdio::null()).stdout(Stdio::null());
    let running = Running::start(command);
    let mut web_server = WebServer::new(connected(&path).await);
    assert_eq!(web_server.get("/").await.body(), "Hello from a socket that systemd opened!\n");
    drop(web_server);
    assert!(running.stop().await.success());
}

/// Waits until the tool listens.
async fn connected(path: &Path) -> UnixStream {
    let connected = async {
        loop {
            match UnixStream::connect(path).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        }
    };
    bounded(connected).await
}

async fn units_are_valid() {
    let directory = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let service = SERVICE.replace("/usr/local/bin/app", program.to_str().unwrap());
    let units = [("app.service", &*service), ("app.socket", SOCKET)].map(|(name, text)| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    });
    let mut command = Command::new("systemd-analyze");
    let output = command.arg("verify").args(units).output().expect("systemd is installed");
    let faults = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{faults}");
    assert!(!faults.lines().any(|line| line.contains("app.s")), "{faults}");
}

async fn ends_in_time() {
    let timeout_stop = seconds(SERVICE, "TimeoutStopSec=");
    let own = seconds(PROGRAM, "with_shutdown_timeout(Duration::from_secs(");
    assert!(timeout_stop > own, "{timeout_stop} s leave no time after {own} s");
}

fn seconds(text: &str, before: &str) -> u32 {
    let (_, after) = text.split_once(before).expect("it is set");
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}
