//! The client's side: curl, with certificates and any header.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::BOUND;

/// A GET request.
pub(crate) struct Request {
    pub(crate) is_tls: bool,
    target: String,
    certificate: Option<&'static str>,
    arguments: Vec<String>,
}

impl Request {
    pub(crate) fn clear(target: &str) -> Self {
        Self { is_tls: false, target: target.into(), certificate: None, arguments: Vec::new() }
    }

    pub(crate) fn tls(target: &str) -> Self {
        Self { is_tls: true, ..Self::clear(target) }
    }

    pub(crate) fn header(mut self, line: &str) -> Self {
        self.arguments.extend(["--header".into(), line.into()]);
        self
    }

    pub(crate) fn basic(mut self, user_and_password: &str) -> Self {
        self.arguments.extend(["--user".into(), user_and_password.into()]);
        self
    }

    /// With an argument for curl.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With the certificate of that name.
    pub(crate) fn certificate(self, name: &'static str) -> Self {
        Self { certificate: Some(name), ..self }
    }

    /// Sends it to an address of this machine. `None` if there is no HTTP response.
    pub(crate) fn send(self, server: SocketAddr, certificates: &Path) -> Option<Answer> {
        let scheme = if self.is_tls { "https" } else { "http" };
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--disable", "--http1.1", "--noproxy", "*", "--max-time"]);
        curl.arg(BOUND.as_secs().to_string());
        let (ip, port) = (server.ip(), server.port());
        curl.args(["--resolve", &format!("localhost:{port}:{ip}")]);
        curl.arg("--cacert").arg(certificates.join("ca.pem"));
        if let Some(name) = self.certificate {
            curl.arg("--cert").arg(certificates.join(format!("{name}.pem")));
            curl.arg("--key").arg(certificates.join(format!("{name}.key")));
        }
        curl.args(["--request-target", &self.target, "--write-out", "\n%{http_code}"]);
        curl.args(self.arguments).arg(format!("{scheme}://localhost:{port}/"));
        let output = curl.output().expect("curl is installed; scripts/test does it");
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, status) = text.rsplit_once('\n').expect("curl writes the status last");
        let status = status.parse().expect("a status");
        (status != 0).then(|| Answer { status, body: body.to_owned() })
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// What the application says that it saw.
    pub(crate) fn seen(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
