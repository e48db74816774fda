//! nginx and HAProxy, each with the same three backends behind it, and what they themselves say that they were asked.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use serde_json::Value;

use super::backends::{Backend, Kind};
use super::witness::{PATIENCE, Seen};
use crate::debian::{Debian, Place};
use crate::process::{Process, free_address};
use crate::program::Program;
use crate::{client, foreground, starting};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Nginx,
    Haproxy,
}

/// A server of a release.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) family: Family,
    program: Program,
}

impl Front {
    pub(crate) fn all() -> Vec<Self> {
        let families = [Family::Nginx, Family::Haproxy].into_iter();
        let find = |family: Family, debian| Self {
            family,
            program: Program::find(family.program(), debian),
        };
        families.flat_map(|family| Debian::ALL.map(|debian| find(family, debian))).collect()
    }
}

/// As in `nginx-1.22`.
impl fmt::Display for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program)
    }
}

impl Family {
    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    fn main(self, ways: &str) -> String {
        match self {
            Self::Nginx => foreground::nginx(&format!("{NGINX}{ways}")),
            Self::Haproxy => HAPROXY.to_owned() + ways,
        }
    }

    fn config(self, way: &Way) -> String {
        match (self, way.backend.kind) {
            (Self::Nginx, Kind::FastCgi) => NGINX_FASTCGI,
            (Self::Nginx, _) => NGINX_HTTP,
            (Self::Haproxy, Kind::FastCgi) => HAPROXY_FASTCGI,
            (Self::Haproxy, _) => HAPROXY_HTTP,
        }
        .replace("HTTP1", &way.http1.to_string())
        .replace("HTTP2", &way.http2.to_string())
        .replace("NAME", &way.name())
        .replace("BACKEND", &way.backend.addr.to_string())
    }
}

/// A server that runs. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) family: Family,
    pub(crate) ways: Vec<Way>,
    process: Process,
    place: Place,
}

/// Where clients of the server connect to reach one of the backends.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) http1: SocketAddr,
    pub(crate) http2: SocketAddr,
    pub(crate) backend: Backend,
}

impl Running {
    pub(crate) fn start(front: &Front) -> io::Result<Self> {
        starting::start(&front.to_string(), || Self::attempt(front), Self::is_ready, Self::log)
    }

    fn attempt(front: &Front) -> io::Result<Self> {
        let place = Place::new(front.program.debian)?;
        let ways: io::Result<Vec<Way>> = Kind::ALL.into_iter().map(Way::new).collect();
        let ways = ways?;
        let family = front.family;
        let wiring: String = ways.iter().map(|way| family.config(way)).collect();
        let main = family
            .main(&wiring)
            .replace("DIR", &place.home())
            .replace("PATIENCE", &format!("{}ms", PATIENCE.as_millis()));
        let config = place.write("config", &main)?;
        let mut command = place.web_server(family.program(), &config);
        let process = Process::spawn(&mut command, &place.dir().join("log"))?;
        Ok(Self { family, ways, process, place })
    }

    fn is_ready(&mut self) -> Option<bool> {
        if self.process.exited().is_some() {
            return Some(false);
        }
        let is_up = |way: &Way| client::is_answered(way.http1, "GET / HTTP/1.0");
        self.ways.iter().all(is_up).then_some(true)
    }

    fn log(&self) -> String {
        self.process.log_tail()
    }

    /// The requests that the server itself says it was asked on this way, since it was started.
    pub(crate) fn meant(&self, way: &Way) -> Vec<Meant> {
        let log = match self.family {
            Family::Nginx => std::fs::read_to_string(self.place.dir().join("meant")),
            Family::Haproxy => Ok(self.process.log()),
        };
        let log = log.unwrap_or_default();
        let values = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        let is_of_way = |value: &Value| value["way"] == way.name();
        values.filter(is_of_way).filter_map(|value| self.family.meant(&value)).collect()
    }
}

impl Way {
    fn new(kind: Kind) -> io::Result<Self> {
        Ok(Self { http1: free_address()?, http2: free_address()?, backend: Backend::start(kind)? })
    }

    fn name(&self) -> String {
        format!("{:?}", self.backend.kind).to_lowercase()
    }
}

/// A line of the server's log.
#[derive(Debug, Clone)]
pub(crate) struct Meant {
    pub(crate) request: Seen,
    /// Nobody but the backend says 200.
    pub(crate) is_answered: bool,
}

impl Family {
    fn meant(self, line: &Value) -> Option<Meant> {
        let text = |key: &str| Some(line.get(key)?.as_str()?.to_owned());
        let decoded = |text: String| match self {
            Self::Nginx => text.into_bytes(),
            Self::Haproxy => from_hex(&text),
        };
        let request = Seen {
            id: text("id"),
            method: text("method")?,
            target: String::from_utf8_lossy(&decoded(text("target")?)).into_owned(),
            body: Some(decoded(text("body")?)),
        };
        Some(Meant { request, is_answered: text("status")? == "200" })
    }
}

/// Of nothing HAProxy says `-`.
fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.filter_map(byte).collect()
}

const NGINX: &str = r#"
    log_format meant escape=json '{"way":"$server_name","status":"$status","id":"$request_id","method":"$request_method","target":"$request_uri","body":"$request_body"}';
    client_header_timeout PATIENCE;
    client_body_timeout PATIENCE;
    keepalive_timeout PATIENCE;
    lingering_timeout PATIENCE;
    proxy_read_timeout 2s;
    fastcgi_read_timeout 2s;
"#;

/// With the lines that the documentation of nginx has for connections that are kept, and for WebSocket.
const NGINX_HTTP: &str = "
    upstream NAME {
        server BACKEND;
        keepalive 4;
        keepalive_timeout PATIENCE;
    }
    server {
        server_name NAME;
        listen HTTP1;
        listen HTTP2 http2;
        access_log DIR/meant meant;
        proxy_http_version 1.1;
        proxy_set_header Connection \"\";
        proxy_set_header X-Front $request_id;
        location / { proxy_pass http://NAME; }
        location /decoded { proxy_pass http://NAME$uri; }
        location /header {
            proxy_set_header Connection \"\";
            proxy_set_header X-Front $request_id;
            proxy_set_header X-Path $uri;
            proxy_pass http://NAME;
        }
        location /socket {
            proxy_set_header X-Front $request_id;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_pass http://NAME;
        }
    }
";

const NGINX_FASTCGI: &str = "
    upstream NAME {
        server BACKEND;
        keepalive 4;
        keepalive_timeout PATIENCE;
    }
    server {
        server_name NAME;
        listen HTTP1;
        listen HTTP2 http2;
        access_log DIR/meant meant;
        fastcgi_keep_conn on;
        include /etc/nginx/fastcgi_params;
        fastcgi_param FRONT_ID $request_id;
        location / { fastcgi_pass NAME; }
        location /decoded {
            include /etc/nginx/fastcgi_params;
            fastcgi_param FRONT_ID $request_id;
            fastcgi_param REQUEST_URI $uri;
            fastcgi_pass NAME;
        }
        location /header {
            include /etc/nginx/fastcgi_params;
            fastcgi_param FRONT_ID $request_id;
            fastcgi_param HTTP_X_PATH $uri;
            fastcgi_pass NAME;
        }
    }
";

/// Bodies are gathered, so that they can be logged. Connections to a backend end with those of the clients.
const HAPROXY: &str = r#"
global
    log stdout format raw local0
defaults
    mode http
    log global
    log-format '{"way":"%f","status":"%ST","id":"%ID","method":"%HM","target":"%[var(txn.target),hex]","body":"%[var(txn.body),hex]"}'
    unique-id-format %pid-%rt
    option http-buffer-request
    timeout connect 5s
    timeout server 2s
    timeout client PATIENCE
    timeout http-request PATIENCE
    timeout http-keep-alive PATIENCE
    timeout tunnel PATIENCE
"#;

const HAPROXY_HTTP: &str = "
frontend NAME
    bind HTTP1
    bind HTTP2 proto h2
    http-request set-var(txn.target) pathq
    http-request set-var(txn.body) req.body
    http-request set-header X-Front %[unique-id]
    http-request set-path %[path,url_dec] if { path_beg /decoded }
    http-request set-header X-Path %[path,url_dec] if { path_beg /header }
    default_backend NAME
backend NAME
    server app BACKEND pool-max-conn 0
";

const HAPROXY_FASTCGI: &str = "
fcgi-app app
    docroot /
    option keep-conn
    set-param FRONT_ID %[unique-id]
frontend NAME
    bind HTTP1
    bind HTTP2 proto h2
    http-request set-var(txn.target) pathq
    http-request set-var(txn.body) req.body
    http-request set-path %[path,url_dec] if { path_beg /decoded }
    http-request set-header X-Path %[path,url_dec] if { path_beg /header }
    default_backend NAME
backend NAME
    use-fcgi-app app
    server app BACKEND proto fcgi pool-max-conn 0
";
