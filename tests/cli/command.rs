//! Running the command.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// What became of it.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) body: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text on standard output")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON on standard output")
    }

    #[track_caller]
    pub(crate) fn assert_ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Fails with this status, and says these words on standard error.
    #[track_caller]
    pub(crate) fn assert_fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self:?}");
        }
    }
}

pub(crate) async fn fcgi(arguments: &[&str]) -> Ran {
    finish(start(arguments)).await
}

pub(crate) async fn fcgi_with_input(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = start(arguments);
    let mut stdin = child.stdin.take().expect("a pipe");
    let (_, ran) = tokio::join!(
        async {
            // It may end before it has read all.
            let _ = stdin.write_all(input).await;
            drop(stdin);
        },
        finish(child)
    );
    ran
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fcgi"));
    command.args(arguments).kill_on_drop(true).env_remove("NO_COLOR").env("TERM", "xterm");
    command
}

pub(crate) fn start(arguments: &[&str]) -> Child {
    let mut command = command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command starts")
}

pub(crate) async fn finish(child: Child) -> Ran {
    let output = timeout(BOUND, child.wait_with_output()).await;
    let output = output.expect("it ends").expect("it can be waited for");
    let stderr = String::from_utf8(output.stderr).expect("text on standard error");
    Ran { code: code(output.status), body: output.stdout, stderr }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| panic!("ended by a signal: {status}"))
}

/// Above what anything here takes on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
