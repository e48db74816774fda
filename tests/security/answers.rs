//! What web servers do when a response tells them to: an application that puts a client's bytes into a header should know.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use libtest_mimic::{Failed, Trial};

use crate::RUNTIME;
use crate::client::{Answer, ask};
use crate::front::{Front, Running, Way};
use crate::starting::Lazy;

/// All headers, all servers, and what became of them. Nothing of it is configured.
pub(crate) struct Answers {
    fronts: Vec<Arc<LazyFront>>,
    found: Mutex<HashMap<(String, &'static str), Becomes>>,
}

type LazyFront = Lazy<Front, Running>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    /// The client gets what the header names in place of the response.
    Followed,
    /// The client sees the header.
    Seen,
    /// The client sees nothing of it.
    Gone,
}

/// nginx has `/elsewhere` for itself. FILE is a file that the web server may read and nobody may ask for.
const HEADERS: &[(&str, &str)] = &[
    ("x-accel-redirect", "/elsewhere"),
    ("x-sendfile", "FILE"),
    ("x-lighttpd-send-file", "FILE"),
    ("location", "/elsewhere"),
    ("status", "418 I'm a teapot"),
    ("connection", "x-said"),
    ("transfer-encoding", "identity"),
];

/// The routes of the application behind the servers.
pub(crate) fn router() -> Router {
    Router::new().route("/say", get(say)).route("/elsewhere", get("elsewhere"))
}

async fn say(Query(said): Query<HashMap<String, String>>) -> (HeaderMap, &'static str) {
    let header = |(name, value): (&String, &String)| {
        let name: HeaderName = name.parse().expect("a name");
        (name, HeaderValue::try_from(value).expect("a value"))
    };
    (said.iter().map(header).collect(), "said")
}

impl Answers {
    pub(crate) fn new() -> Arc<Self> {
        let lazy = |front| Lazy::new(front, start);
        let fronts = Front::all().into_iter().map(lazy).collect();
        Arc::new(Self { fronts, found: Mutex::default() })
    }

    pub(crate) fn trials(self: &Arc<Self>) -> Vec<Trial> {
        let each = |&(name, value): &'static (&str, &str)| {
            self.fronts.iter().map(move |front| self.trial(front.clone(), name, value))
        };
        HEADERS.iter().flat_map(each).collect()
    }

    fn trial(
        self: &Arc<Self>,
        front: Arc<LazyFront>,
        name: &'static str,
        value: &'static str,
    ) -> Trial {
        let answers = self.clone();
        Trial::test(format!("answers::{}::{name}", front.front), move || {
            let becomes = front.say(name, value)?;
            let key = (front.front.to_string(), name);
            answers.found.lock().expect("no holder panics").insert(key, becomes);
            match (becomes, name) {
                (Becomes::Followed, "x-accel-redirect") => Ok(()),
                (Becomes::Followed, _) => Err("followed, though nobody allowed it".into()),
                _ => Ok(()),
            }
        })
    }

    /// The part of the page, if everything was asked.
    pub(crate) fn page(&self) -> Option<String> {
        let found = self.found.lock().expect("no holder panics");
        if found.len() < HEADERS.len() * self.fronts.len() {
            return None;
        }
        let names: Vec<_> = self.fronts.iter().map(|lazy| lazy.front.to_string()).collect();
        let mut page =
            format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
        for (name, value) in HEADERS {
            let cell = |server: &String| found[&(server.clone(), *name)].cell();
            let cells: Vec<_> = names.iter().map(cell).collect();
            let value = value.replace("FILE", "/…/file");
            let _ = writeln!(page, "| `{name}: {value}` | {} |", cells.join(" | "));
        }
        Some(page)
    }
}

impl LazyFront {
    fn say(&self, name: &str, value: &str) -> Result<Becomes, Failed> {
        let running = self.get()?;
        let value = value.replace("FILE", &running.path(FILE));
        let query: String = url_encoded(&value);
        let request = Request::get(format!("/say?{name}={query}"));
        let answer = RUNTIME.block_on(ask(running.address(Way::FastCgi), request));
        Ok(Becomes::of(&answer, name, &value))
    }
}

fn start(front: &Front) -> io::Result<Running> {
    let running = Running::start(front)?;
    running.write(FILE, SECRET)?;
    Ok(running)
}

impl Becomes {
    fn of(answer: &Answer, name: &str, value: &str) -> Self {
        if answer.body != "said" {
            assert!(["elsewhere", SECRET].contains(&&*answer.body), "{answer:?}");
            return Self::Followed;
        }
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let is_seen = answer.headers.get_all(name).iter().any(|seen| seen == value);
        if is_seen { Self::Seen } else { Self::Gone }
    }

    fn cell(self) -> &'static str {
        match self {
            Self::Followed => "**followed**",
            Self::Seen => "seen",
            Self::Gone => "–",
        }
    }
}

fn url_encoded(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

const FILE: &str = "file";
const SECRET: &str = "a file that nobody may ask for";
