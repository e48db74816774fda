//! curl, for HTTP over TLS.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::site::Site;

/// What the server answers to `path`, as curl is told to ask by `options`, with `body` for what reads standard input.
pub(crate) async fn fetch(site: &Site, options: &[&str], path: &str, body: Vec<u8>) -> Vec<u8> {
    let tls = site.server.listening.tls;
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"]);
    command.arg(site.file("cert.pem"));
    command.args(["--resolve", &format!("localhost:{}:{}", tls.port(), tls.ip())]);
    command.args(options).arg(format!("https://localhost:{}{path}", tls.port()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().expect("scripts/test installs curl");
    let mut input = child.stdin.take().expect("it is a pipe");
    // A server that answers early makes curl stop reading.
    let write = tokio::spawn(async move { input.write_all(&body).await });
    let output = child.wait_with_output().await.expect("it ends");
    write.abort();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    output.stdout
}
