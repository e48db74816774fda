//! Whom does the application believe? The same forged headers through the same servers, over HTTP and over FastCGI.

mod questions;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{HeaderName, HeaderValue, Request};
use libtest_mimic::{Failed, Trial};

pub(crate) use self::questions::{Ask, QUESTIONS, Question, connected};
use crate::client::CLIENT;
use crate::front::{Front, Running, Server, Way};
use crate::starting::Lazy;
use crate::{RUNTIME, client};

/// All questions, all servers, and whom the applications believed.
pub(crate) struct Confusion {
    fronts: Vec<Arc<LazyFront>>,
    found: Mutex<HashMap<(String, usize), [Believed; 3]>>,
}

type LazyFront = Lazy<Front, Running>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Believed {
    Client,
    Server,
    /// For the client's address it took the web server's own.
    Proxy,
    Nobody,
    /// It took a list with what both say for one value.
    Both,
    Other,
}

impl Confusion {
    pub(crate) fn new() -> Arc<Self> {
        let lazy = |front| Lazy::new(front, Running::start);
        let fronts = Front::all().into_iter().map(lazy).collect();
        Arc::new(Self { fronts, found: Mutex::default() })
    }

    pub(crate) fn trials(self: &Arc<Self>) -> Vec<Trial> {
        let each = |number| self.fronts.iter().map(move |front| self.trial(front.clone(), number));
        (0..QUESTIONS.len()).flat_map(each).collect()
    }

    fn trial(self: &Arc<Self>, front: Arc<LazyFront>, number: usize) -> Trial {
        let confusion = self.clone();
        let Question { name, asker, .. } = &QUESTIONS[number];
        let name = format!("confusion::{}::{name}/{asker}", front.front);
        Trial::test(name.replace(' ', "_").replace('`', ""), move || {
            let believed = front.ask(number)?;
            let key = (front.front.to_string(), number);
            confusion.found.lock().expect("no holder panics").insert(key, believed);
            check(&front.front, &QUESTIONS[number], believed)
        })
    }

    /// The part of the page, if everything was asked.
    pub(crate) fn page(&self) -> Option<String> {
        let found = self.found.lock().expect("no holder panics");
        if found.len() < QUESTIONS.len() * self.fronts.len() {
            return None;
        }
        let names: Vec<_> = self.fronts.iter().map(|lazy| lazy.front.to_string()).collect();
        let mut page =
            format!("| the client sends | the application asks | {} |\n", names.join(" | "));
        let _ = writeln!(page, "|---|---|{}", "---|".repeat(names.len()));
        for (number, Question { name, asker, .. }) in QUESTIONS.iter().enumerate() {
            let cell =
                |server: &String| found[&(server.clone(), number)].map(Believed::cell).join(" ");
            let cells: Vec<_> = names.iter().map(cell).collect();
            let _ = writeln!(page, "| {name} | {asker} | {} |", cells.join(" | "));
        }
        Some(page)
    }
}

impl LazyFront {
    fn ask(&self, number: usize) -> Result<[Believed; 3], Failed> {
        let running = self.get()?;
        let believed = Way::ALL.map(|way| {
            let answer = RUNTIME.block_on(ask(running.address(way), number));
            Believed::of(&answer, &QUESTIONS[number])
        });
        Ok(believed)
    }
}

async fn ask(server: SocketAddr, number: usize) -> String {
    let mut request = Request::get(format!("/{number}"));
    for (name, value) in QUESTIONS[number].headers {
        let name: HeaderName = name.parse().expect("a name");
        request = request.header(name, HeaderValue::from_static(value));
    }
    let answer = client::ask(server, request).await;
    assert_eq!(answer.status, 200);
    answer.body
}

impl Believed {
    fn of(answer: &str, question: &Question) -> Self {
        match answer {
            "" => Self::Nobody,
            _ if answer == question.forged => Self::Client,
            _ if answer == question.truth => Self::Server,
            "127.0.0.1" if question.truth == CLIENT => Self::Proxy,
            _ if answer.contains(question.forged) => Self::Both,
            _ => Self::Other,
        }
    }

    fn cell(self) -> &'static str {
        match self {
            Self::Client => "**C**",
            Self::Server => "S",
            Self::Proxy => "P",
            Self::Nobody => "–",
            Self::Both => "**B**",
            Self::Other => "?",
        }
    }
}

/// Over FastCGI the client is never believed and what the server knows is never missing. Over HTTP without a word in the
/// configuration nginx passes everything on, but for names with an underscore; and axum-client-ip takes no header that is there twice.
fn check(
    front: &Front,
    question: &Question,
    [bare, _, fastcgi]: [Believed; 3],
) -> Result<(), Failed> {
    let expected = if question.truth.is_empty() { Believed::Nobody } else { Believed::Server };
    if fastcgi != expected {
        return Err(format!("over FastCGI: {fastcgi:?}").into());
    }
    let passes = front.server == Server::Nginx && !question.name.contains("X_Real_IP");
    if passes && bare != Believed::Client {
        return Err(format!("over HTTP: {bare:?}").into());
    }
    Ok(())
}
