//! The command itself.

use std::process::{Command, Output};

use serde_json::Value;

/// Runs `fcgi check` with these arguments.
pub(crate) fn check(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fcgi"));
    command.arg("check").args(arguments).env_remove("NO_COLOR");
    command.output().expect("the command runs")
}

/// What it found, and its exit status.
pub(crate) fn verdicts(arguments: &[&str]) -> (Value, i32) {
    let output = check(&[arguments, &["--json"]].concat());
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let report = serde_json::from_str(&stdout).unwrap_or_else(|error| {
        panic!("{error}: {stdout}\n{}", String::from_utf8_lossy(&output.stderr))
    });
    (report, output.status.code().expect("no signal"))
}

/// The cases with another verdict than this, and why.
pub(crate) fn others(report: &Value, verdict: &str) -> Vec<String> {
    let cases = report["cases"].as_array().expect("cases").iter();
    let others = cases.filter(|case| case["verdict"] != verdict);
    others.map(|case| format!("{} {}: {}", case["name"], case["verdict"], case["detail"])).collect()
}
