//! What an Authorizer's answers do behind Apache and lighttpd: who gets what is behind it, and who does not.
//!
//! Runs when `TOWER_FASTCGI_SERVERS=1`; what is not installed is then a failure. Otherwise each trial is named and left out.

mod app;
#[path = "../vouching/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../servers/debian.rs"]
#[allow(dead_code)]
mod debian;
mod example;
#[path = "../servers/foreground.rs"]
#[allow(dead_code)]
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

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::client::{Answer, Request};
use crate::server::Server;
use crate::site::Site;
use crate::starting::Lazy;

/// Runs the applications.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("the system gives threads"));

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    let sites: Vec<_> =
        Server::ALL.into_iter().map(|server| Lazy::new(server, Site::start)).collect();
    let trials = sites.iter().flat_map(|site| trials(site, enabled)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // `exit` runs no destructors, and the servers are to end before this process does.
    drop(sites);
    conclusion.exit_code()
}

fn trials(site: &Arc<Lazy<Server, Site>>, enabled: bool) -> impl Iterator<Item = Trial> {
    let apaches = APACHES.iter().filter(|_| site.front == Server::Apache);
    PROBES.iter().chain(apaches).map(move |&(name, probe)| {
        let name = format!("{}::{name}", site.front.name());
        let site = site.clone();
        let ask = move || site.get().map(probe).map_err(Failed::from);
        Trial::test(name, ask).with_ignored_flag(!enabled)
    })
}

type Probe = fn(&Site);

const PROBES: &[(&str, Probe)] = &[
    ("an_allow_lets_pass", an_allow_lets_pass),
    ("an_allow_lets_pass_to_a_file", an_allow_lets_pass_to_a_file),
    ("variables_reach_what_is_behind", variables_reach_what_is_behind),
    ("no_header_is_a_variable", no_header_is_a_variable),
    ("an_upload_reaches_what_is_behind", an_upload_reaches_what_is_behind),
    ("nothing_else_of_an_allow_reaches_the_client", nothing_else_of_an_allow_reaches_the_client),
    ("a_denial_reaches_the_client", a_denial_reaches_the_client),
    ("a_denial_may_redirect", a_denial_may_redirect),
    ("a_denial_that_says_success_denies", a_denial_that_says_success_denies),
    ("an_error_denies", an_error_denies),
    ("a_panic_denies", a_panic_denies),
    ("an_answer_that_takes_too_long_denies", an_answer_that_takes_too_long_denies),
    ("a_variable_that_cannot_be_denies", a_variable_that_cannot_be_denies),
    ("an_authorizer_that_is_not_there_denies", an_authorizer_that_is_not_there_denies),
    ("an_authorizer_that_closes_at_once_denies", an_authorizer_that_closes_at_once_denies),
    ("an_authorizer_that_is_killed_denies", an_authorizer_that_is_killed_denies),
    ("an_app_that_is_no_authorizer_denies", an_app_that_is_no_authorizer_denies),
    ("an_app_that_knows_of_no_role_denies", an_app_that_knows_of_no_role_denies),
    ("the_example_does_as_it_says", the_example_does_as_it_says),
];

const APACHES: &[(&str, Probe)] = &[
    ("a_password_is_checked", a_password_is_checked),
    ("a_user_is_authorized", a_user_is_authorized),
    ("both_in_one_question", both_in_one_question),
];

fn an_allow_lets_pass(site: &Site) {
    let seen = site.ask(Request::clear("/app/allow")).seen();
    assert_eq!(seen["path"], "/app/allow");
}

fn an_allow_lets_pass_to_a_file(site: &Site) {
    let answer = site.ask(Request::clear("/file/allow"));
    assert_eq!((answer.status, answer.body.as_str()), (200, site::SECRET));
    assert!(!site.ask(Request::clear("/file/deny")).body.contains(site::SECRET));
}

fn variables_reach_what_is_behind(site: &Site) {
    let seen = site.ask(Request::clear("/app/variables")).seen();
    assert_eq!(seen["params"]["AUTH_USER"], "alice");
    assert_eq!(seen["params"]["AUTH_GROUPS"], "staff, wheel; \"ops\" 100%");
}

fn no_header_is_a_variable(site: &Site) {
    for path in ["/app/allow", "/app/variables"] {
        let forged = FORGED.iter().fold(Request::clear(path), |ask, line| ask.header(line));
        let seen = site.ask(forged).seen();
        let expected = if path == "/app/allow" { Value::Null } else { json!("alice") };
        assert_eq!(seen["params"]["AUTH_USER"], expected, "{path}");
        assert_eq!(seen["params"]["API_USER"], Value::Null);
    }
}

fn an_upload_reaches_what_is_behind(site: &Site) {
    let body = "x".repeat(100_000);
    let request = Request::clear("/app/allow").argument("--data-raw").argument(&body);
    let seen = site.ask(request).seen();
    assert_eq!((&seen["method"], &seen["body"]), (&json!("POST"), &json!(body.len())));
    let denied = Request::clear("/app/deny").argument("--data-raw").argument(&body);
    assert_eq!(site.ask(denied).status, 403);
}

fn nothing_else_of_an_allow_reaches_the_client(site: &Site) {
    for path in ["/app/variables", "/file/variables"] {
        let answer = site.ask(Request::clear(path).argument("--include"));
        assert_eq!(answer.status, 200);
        let text = answer.body.to_lowercase();
        for word in ["leak", "variable", "wheel"] {
            // The application tells what its params are.
            let head = text.split("\r\n\r\n").next().expect("a head");
            assert!(!head.contains(word), "{word} in {head}");
        }
    }
}

fn a_denial_reaches_the_client(site: &Site) {
    for (path, status) in [("deny", 403), ("teapot", 418), ("busy", 503)] {
        for place in ["app", "file"] {
            let target = format!("/{place}/{path}");
            let answer = site.ask(Request::clear(&target).argument("--include"));
            assert_eq!(answer.status, status, "{answer:?}");
            assert!(answer.body.contains("\r\n\r\nnot you\n"), "{answer:?}");
            assert!(answer.body.to_lowercase().contains("x-why: because"), "{answer:?}");
        }
    }
}

fn a_denial_may_redirect(site: &Site) {
    let answer = site.ask(Request::clear("/app/login").argument("--include"));
    assert_eq!(answer.status, 302);
    assert!(answer.body.to_lowercase().contains("\r\nlocation: https://example.com/login"));
}

fn a_denial_that_says_success_denies(site: &Site) {
    assert_denied(site, "success", &[403]);
}

fn an_error_denies(site: &Site) {
    assert_denied(site, "error", &[500]);
}

fn a_panic_denies(site: &Site) {
    assert_denied(site, "panic", &[500]);
}

fn an_answer_that_takes_too_long_denies(site: &Site) {
    assert_denied(site, "slow", &[503]);
}

fn a_variable_that_cannot_be_denies(site: &Site) {
    assert_denied(site, "invalid", &[500]);
}

fn an_authorizer_that_is_not_there_denies(site: &Site) {
    let answer = site.ask(Request::clear("/dead/allow"));
    assert!(matches!(answer.status, 500 | 503), "{answer:?}");
    assert!(!answer.body.contains(site::SECRET));
}

fn an_authorizer_that_closes_at_once_denies(site: &Site) {
    let answer = site.ask(Request::clear("/closing/allow"));
    assert!(matches!(answer.status, 500 | 503), "{answer:?}");
    assert!(!answer.body.contains(site::SECRET));
}

/// It has answered before, and is in the middle of an answer.
fn an_authorizer_that_is_killed_denies(site: &Site) {
    let answer = site.ask_while_killing(Request::clear("/killed/allow"));
    assert!(matches!(answer.status, 500 | 503), "{answer:?}");
    assert!(!answer.body.contains(site::SECRET));
}

fn an_app_that_is_no_authorizer_denies(site: &Site) {
    let answer = site.ask(Request::clear("/refusing/allow"));
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(!answer.body.contains(site::SECRET));
}

fn an_app_that_knows_of_no_role_denies(site: &Site) {
    let answer = site.ask(Request::clear("/unaware/allow"));
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(!answer.body.contains(site::SECRET) && !answer.body.contains("some may see"));
}

/// With its configuration, word for word but for the address and the folder.
fn the_example_does_as_it_says(site: &Site) {
    let answer = site.ask(Request::clear("/private/"));
    assert_eq!(answer.status, 403);
    assert_eq!(answer.body, "Show your API key in the header X-Api-Key.\n");
    assert_eq!(site.ask(Request::clear("/private/").header("X-Api-Key: open")).status, 403);
    let answer = site.ask(Request::clear("/private/").header("X-Api-Key: open sesame"));
    assert_eq!((answer.status, answer.body.as_str()), (200, site::SECRET));
}

/// By `AuthBasicProvider`: what is denied is asked for a password again.
fn a_password_is_checked(site: &Site) {
    let right = site.ask(Request::clear("/basic/credentials").basic("alice:wonder")).seen();
    assert_eq!(right["params"]["REMOTE_USER"], "alice");
    assert_eq!(right["params"]["ROLE_SEEN"], "Authenticator");
    assert_eq!(right["params"]["REMOTE_PASSWD"], Value::Null);
    for wrong in ["alice:guess", "alice:", "root:wonder"] {
        assert_eq!(site.ask(Request::clear("/basic/credentials").basic(wrong)).status, 401);
    }
    assert_eq!(site.ask(Request::clear("/basic/credentials")).status, 401);
    let forged = Request::clear("/basic/credentials")
        .header("Remote-User: alice")
        .header("Remote-Passwd: wonder")
        .header("REMOTE_PASSWD: wonder");
    assert_eq!(site.ask(forged).status, 401);
    assert_eq!(site.ask(Request::clear("/basic/error").basic("alice:wonder")).status, 500);
}

/// By `Require`, of a user whom Apache knows.
fn a_user_is_authorized(site: &Site) {
    let ask = |path: &str| site.ask(Request::clear(path).basic("alice:wonder"));
    let seen = ask("/require/variables").seen();
    assert_eq!(seen["params"]["REMOTE_USER"], "alice");
    assert_eq!(seen["params"]["AUTH_USER"], "alice");
    assert_eq!(ask("/require/user").seen()["params"]["ROLE_SEEN"], "Authorizer");
    for (path, statuses) in [("deny", [401, 403]), ("teapot", [401, 403]), ("error", [500, 500])] {
        let answer = ask(&format!("/require/{path}"));
        assert!(statuses.contains(&answer.status), "{answer:?}");
    }
    assert_eq!(site.ask(Request::clear("/require/variables").basic("alice:guess")).status, 401);
}

fn both_in_one_question(site: &Site) {
    let ask = |pair: &str| site.ask(Request::clear("/both/credentials").basic(pair));
    let seen = ask("alice:wonder").seen();
    assert_eq!(seen["params"]["ROLE_SEEN"], "none");
    assert_eq!(ask("alice:guess").status, 401);
}

fn assert_denied(site: &Site, path: &str, statuses: &[u16]) {
    for place in ["app", "file"] {
        let answer = site.ask(Request::clear(&format!("/{place}/{path}")));
        assert!(statuses.contains(&answer.status), "{answer:?}\n{}", site.log());
        assert!(!answer.body.contains(site::SECRET) && !answer.body.contains("\"params\""));
    }
}

/// In the spellings that some server makes the same variable of.
const FORGED: &[&str] = &[
    "Variable-AUTH_USER: root",
    "Variable_AUTH_USER: root",
    "AUTH_USER: root",
    "Auth-User: root",
    "HTTP_AUTH_USER: root",
    "X-Auth-User: root",
    "API_USER: root",
    "Status: 200",
];

impl Site {
    fn ask(&self, request: Request) -> Answer {
        self.try_ask(request).unwrap_or_else(|| panic!("no answer\n{}", self.log()))
    }
}

const BOUND: Duration = Duration::from_secs(30);
