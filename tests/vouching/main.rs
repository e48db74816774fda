//! What the types of `trust` say behind each real web server, and to clients who forge what they can.
//!
//! Runs when `TOWER_FASTCGI_SERVERS=1`; what is not installed is then a failure. Otherwise each trial is named and left out.

mod app;
#[allow(dead_code)]
mod client;
#[path = "../servers/debian.rs"]
#[allow(dead_code)]
mod debian;
#[path = "../servers/foreground.rs"]
mod foreground;
#[path = "../servers/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../servers/public_dir.rs"]
mod public_dir;
mod server;
mod site;
#[path = "../servers/starting.rs"]
mod starting;
#[path = "../web_server/mod.rs"]
mod web_server;

use std::io;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::StatusCode;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;

use crate::client::{Answer, Request};
use crate::server::{Front, Server};
use crate::site::{Application, Site};
use crate::starting::Lazy;
use crate::web_server::WebServer;

/// Runs the applications.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("the system gives threads"));

fn main() -> ExitCode {
    if app::is_process() {
        let ended = RUNTIME.block_on(app::run());
        return if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let mut arguments = Arguments::from_args();
    // Most of the time is spent with waiting.
    arguments.test_threads.get_or_insert(THREADS);
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    let sites: Vec<_> = Front::ALL.into_iter().map(|front| Lazy::new(front, Site::start)).collect();
    let trials = sites.iter().flat_map(|site| trials(site, enabled)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // `exit` runs no destructors, and the servers are to end before this process does.
    drop(sites);
    conclusion.exit_code()
}

fn trials(site: &Arc<Lazy<Front, Site>>, enabled: bool) -> impl Iterator<Item = Trial> {
    PROBES.iter().map(move |&(name, probe)| {
        let name = format!("{}::{name}", site.front);
        let site = site.clone();
        let ask = move || site.get().map(probe).map_err(Failed::from);
        Trial::test(name, ask).with_ignored_flag(!enabled)
    })
}

type Probe = fn(&Site);

const PROBES: &[(&str, Probe)] = &[
    ("over_tls", over_tls),
    ("in_the_clear_whatever_the_headers_say", in_the_clear_whatever_the_headers_say),
    ("in_the_clear_whatever_the_target_says", in_the_clear_whatever_the_target_says),
    ("a_certificate_that_was_verified", a_certificate_that_was_verified),
    ("a_certificate_that_nobody_signed", a_certificate_that_nobody_signed),
    ("no_certificate_but_headers", no_certificate_but_headers),
    ("a_user_with_the_password", a_user_with_the_password),
    ("a_user_without_the_password", a_user_without_the_password),
    ("a_user_where_nobody_asks", a_user_where_nobody_asks),
    ("a_user_where_nobody_checks", a_user_where_nobody_checks),
    ("only_the_server_knows_the_secret", only_the_server_knows_the_secret),
    ("lines_for_the_error_log", lines_for_the_error_log),
];

fn over_tls(site: &Site) {
    let seen = site.ask(Request::tls("/")).seen();
    assert_eq!(seen["scheme"], "https");
    let protocol = seen["tls"]["protocol"].as_str().expect("it is passed on");
    assert!(protocol.starts_with("TLSv1."), "{protocol}");
    assert!(seen["tls"]["cipher"].as_str().is_some_and(|cipher| cipher.contains("AES")), "{seen}");
    let name = if site.front.server == Server::Lighttpd { Value::Null } else { json!("localhost") };
    assert_eq!(seen["tls"]["server_name"], name);
    let addr = if site.front.server == Server::Caddy { Value::Null } else { json!(site.ip()) };
    assert_eq!(seen["server_addr"], addr);
    assert_eq!(seen["cert"], Value::Null);
}

fn in_the_clear_whatever_the_headers_say(site: &Site) {
    let seen =
        site.ask(FORGED.iter().fold(Request::clear("/"), |ask, line| ask.header(line))).seen();
    assert_eq!(seen["scheme"], "http");
    assert_eq!(seen["tls"], Value::Null);
    assert_eq!(seen["cert"], Value::Null);
    assert_eq!(seen["user"], Value::Null);
    assert_ne!(seen["server_addr"], "203.0.113.7");
}

/// A target with a scheme of its own; HAProxy and lighttpd refuse it.
fn in_the_clear_whatever_the_target_says(site: &Site) {
    let answer = site.ask(Request::clear("https://localhost:443/x"));
    match site.front.server {
        Server::Haproxy | Server::Lighttpd => assert_eq!(answer.status, 400),
        _ => assert_eq!(answer.seen()["scheme"], "http"),
    }
}

fn a_certificate_that_was_verified(site: &Site) {
    let cert = &site.ask(Request::tls("/").certificate("alice")).seen()["cert"];
    let subject = cert["subject"].as_str().expect("it was verified");
    assert!(subject.contains("CN=alice") || subject.contains("CN = alice"), "{subject}");
    assert_eq!(cert["pem"], site.certificate("alice"));
}

/// Its subject is the same. Caddy does not even talk to the client.
fn a_certificate_that_nobody_signed(site: &Site) {
    match site.try_ask(Request::tls("/").certificate("rogue")) {
        Some(answer) => assert_eq!(answer.seen()["cert"], Value::Null),
        None => assert_eq!(site.front.server, Server::Caddy),
    }
}

fn no_certificate_but_headers(site: &Site) {
    let seen = site.ask(FORGED.iter().fold(Request::tls("/"), |ask, line| ask.header(line))).seen();
    assert_eq!(seen["cert"], Value::Null);
    assert_eq!(seen["user"], Value::Null);
}

fn a_user_with_the_password(site: &Site) {
    let seen = site.ask(Request::clear("/members").basic("alice:wonder")).seen();
    assert_eq!(seen["user"], "alice");
}

fn a_user_without_the_password(site: &Site) {
    assert_eq!(site.ask(Request::clear("/members").basic("alice:guess")).status, 401);
    assert_eq!(site.ask(Request::clear("/members").header("Remote-User: alice")).status, 401);
}

/// What is configured as the documentation tells takes nobody at his word.
fn a_user_where_nobody_asks(site: &Site) {
    let seen = site.ask(Request::clear("/").basic("admin:guess")).seen();
    assert_eq!(seen["user"], Value::Null);
}

/// What is configured otherwise does, behind nginx and HAProxy.
fn a_user_where_nobody_checks(site: &Site) {
    let seen = site.ask(Request::clear("/unchecked").basic("admin:guess")).seen();
    let is_fooled = matches!(site.front.server, Server::Nginx | Server::Haproxy);
    let user = if is_fooled { json!("admin") } else { Value::Null };
    assert_eq!(seen["user"], user);
}

fn only_the_server_knows_the_secret(site: &Site) {
    let header = format!("App-Secret: {}", app::SECRET);
    let seen = site.ask(Request::clear("/").header(&header).header("App_Secret: forged")).seen();
    let names = seen["params"].as_array().expect("a list");
    assert!(
        names.contains(&json!("REMOTE_ADDR")) && !names.contains(&json!("APP_SECRET")),
        "{seen}"
    );
    let directly = RUNTIME.block_on(async {
        match site.application() {
            Application::Tcp(addr) => past_the_server(TcpStream::connect(addr).await).await,
            Application::Unix(path) => past_the_server(UnixStream::connect(path).await).await,
        }
    });
    assert_eq!(directly, 403);
}

async fn past_the_server(io: io::Result<impl AsyncRead + AsyncWrite + Unpin>) -> StatusCode {
    WebServer::new(io.expect("the application listens")).get("/").await.status()
}

/// Caddy shows nothing of it, and HAProxy 2.6 gets nothing, for it would crash.
fn lines_for_the_error_log(site: &Site) {
    assert_eq!(site.ask(Request::clear("/log")).status, 200);
    let prefix = match site.front.server {
        Server::Nginx => "FastCGI sent in stderr: \"",
        Server::Apache => "AH01071: Got error '",
        Server::ModFcgid => "mod_fcgid: stderr: ",
        Server::Lighttpd => "FastCGI-stderr:",
        Server::Haproxy if site.front.takes_stderr() => "",
        Server::Caddy | Server::Haproxy => return,
    };
    let log = site.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("from the handler")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains(&format!("{prefix}WARN app: from the handler ms=1200")), "{lines:?}");
    assert!(lines[1].contains("forged") && !lines[1].contains('\u{1b}'), "{lines:?}");
}

/// Each name in the spellings that some server makes the same variable of.
const FORGED: &[&str] = &[
    "HTTPS: on",
    "Request-Scheme: https",
    "Request_Scheme: https",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Ssl: on",
    "Server-Addr: 203.0.113.7",
    "Server_Addr: 203.0.113.7",
    "SSL-Protocol: TLSv1.3",
    "SSL_Protocol: TLSv1.3",
    "SSL-Client-Verify: SUCCESS",
    "SSL_CLIENT_VERIFY: SUCCESS",
    "SSL-Client-S-DN: CN=alice,O=Example",
    "SSL_CLIENT_S_DN: CN=alice,O=Example",
    "X-SSL-Client-Verify: SUCCESS",
    "Remote-User: alice",
    "REMOTE_USER: alice",
    "X-Remote-User: alice",
];

impl Site {
    fn ask(&self, request: Request) -> Answer {
        self.try_ask(request).unwrap_or_else(|| panic!("no answer\n{}", self.log()))
    }
}

const BOUND: Duration = Duration::from_secs(20);
const THREADS: usize = 8;
