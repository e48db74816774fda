//! Running the command.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub(crate) async fn bench(arguments: &[&str]) -> Output {
    finish(start(arguments)).await
}

/// What it measured, and its exit status.
pub(crate) async fn measured(arguments: &[&str]) -> (Value, i32) {
    let output = bench(&[arguments, &["--json"]].concat()).await;
    read(&output)
}

pub(crate) fn read(output: &Output) -> (Value, i32) {
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (report, output.status.code().expect("no signal"))
}

pub(crate) fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fcgi"));
    command.arg("bench").args(arguments).env("COLUMNS", "60").env("LC_ALL", "C");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().expect("the command starts")
}

pub(crate) async fn finish(child: Child) -> Output {
    timeout(BOUND, child.wait_with_output()).await.expect("it ends").expect("it runs")
}

/// That a program fails with this status, and what it says.
#[track_caller]
pub(crate) fn assert_fails(output: &Output, code: i32, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in {stderr:?}");
    }
}

/// Far above what any of them takes on a slow machine.
const BOUND: Duration = Duration::from_secs(60);
