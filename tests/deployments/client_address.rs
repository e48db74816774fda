//! The client's address behind a CDN, over TLS and HTTP/2, with the files of `examples/behind_cdn/`.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::BOUND;
use crate::client::Answer;
use crate::site::Site;
use crate::software::Software;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    SETUPS.iter().map(|setup| {
        let name = format!("client_address::{:?}", setup.software).to_lowercase();
        Trial::test(name, || setup.check())
    })
}

struct Setup {
    software: Software,
    site: &'static str,
    /// From which the address is taken, if the peer is trusted.
    headers: &'static [&'static str],
    /// Instead of taking the peer for the client, refuses one that is not trusted.
    refuses: bool,
}

impl Setup {
    fn check(&self) -> Result<(), Failed> {
        let site = self.start("127.0.0.0/8")?;
        let seen = ask(&site, self.headers).seen();
        assert_eq!(seen["client"], "198.51.100.7", "{seen}");
        assert_eq!(seen["params"]["REMOTE_ADDR"], "198.51.100.7", "{seen}");
        assert_eq!(seen["headers"]["x-forwarded-for"], Value::Null, "{seen}");
        assert_eq!(seen["params"]["HTTPS"], "on", "{seen}");
        assert_eq!(seen["params"]["SERVER_PROTOCOL"], "HTTP/2.0", "{seen}");

        if self.software == Software::Nginx {
            let large = format!("X-Large: {}", "x".repeat(20 * 1024));
            assert_eq!(ask(&site, &[&large]).status, 200, "as large_client_header_buffers says");
        }

        let site = self.start("10.0.0.0/8")?;
        let answer = ask(&site, self.headers);
        if self.refuses {
            assert_eq!(answer.status, 403);
            return Ok(());
        }
        let seen = answer.seen();
        let client = seen["client"].as_str().expect("it is known");
        assert!(client.starts_with("127."), "{seen}");
        Ok(())
    }

    fn start(&self, cdn: &str) -> io::Result<Site> {
        let configure = |address, application, dir: &Path| {
            make_certificate(dir).expect("openssl is installed; scripts/test does it");
            let of = |name: &str| dir.join(name).display().to_string();
            let site = self.software.at(self.site, address).replace("10.0.0.0/8", cdn);
            let site = site.replace("/etc/ssl/app/cert.pem", &of("cert.pem"));
            let site = site.replace("/etc/ssl/app/key.pem", &of("key.pem"));
            let site = site.replace("/etc/haproxy/app.pem", &of("both.pem"));
            self.software.towards(&site, &[application])
        };
        let is_ready = |address| TcpStream::connect(address).is_ok();
        Site::start(self.software, configure, is_ready)
    }
}

fn make_certificate(dir: &Path) -> io::Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(' '));
    openssl.args("-days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split(' '));
    openssl.args(["-keyout", "key.pem", "-out", "cert.pem"]).current_dir(dir).output()?;
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| fs::read_to_string(dir.join(name)));
    fs::write(dir.join("both.pem"), cert? + &key?)
}

/// Over HTTP/2, for HTTP/1.1 is what most tests here speak.
fn ask(site: &Site, headers: &[&str]) -> Answer {
    let (ip, port) = (site.address.ip(), site.address.port());
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--disable", "--http2", "--noproxy", "*"]);
    curl.args(["--max-time", &BOUND.as_secs().to_string()]);
    curl.args(["--resolve", &format!("localhost:{port}:{ip}"), "--write-out", "\n%{http_code}"]);
    curl.arg("--cacert").arg(site.dir.path().join("cert.pem"));
    curl.args(headers.iter().flat_map(|line| ["--header", line]));
    let output = curl.arg(format!("https://localhost:{port}/")).output();
    let output = output.expect("curl is installed; scripts/test does it");
    let text = String::from_utf8_lossy(&output.stdout);
    let (body, status) = text.rsplit_once('\n').expect("curl writes the status last");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_ne!(status, "000", "{error}\n{}", site.server.log_tail());
    Answer::new(status.parse().expect("a status"), body)
}

const FORWARDED: &[&str] = &["X-Forwarded-For: 203.0.113.9, 198.51.100.7"];

const SETUPS: [Setup; 5] = [
    Setup {
        software: Software::Nginx,
        site: include_str!("../../examples/behind_cdn/nginx.conf"),
        headers: FORWARDED,
        refuses: false,
    },
    Setup {
        software: Software::Caddy,
        site: include_str!("../../examples/behind_cdn/Caddyfile"),
        headers: &["CF-Connecting-IP: 198.51.100.7", "X-Forwarded-For: 203.0.113.9"],
        refuses: true,
    },
    Setup {
        software: Software::Haproxy,
        site: include_str!("../../examples/behind_cdn/haproxy.cfg"),
        headers: FORWARDED,
        refuses: false,
    },
    Setup {
        software: Software::Apache,
        site: include_str!("../../examples/behind_cdn/apache.conf"),
        headers: FORWARDED,
        refuses: false,
    },
    Setup {
        software: Software::Lighttpd,
        site: include_str!("../../examples/behind_cdn/lighttpd.conf"),
        headers: FORWARDED,
        refuses: false,
    },
];
