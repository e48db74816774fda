//! What came out: server by behaviour, as `docs/servers.md` has it.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use crate::bench::Verdict;
use crate::probes::Probe;
use crate::variant::Variant;

/// Every variant and every probe, and what the one says of the other.
pub(crate) struct Matrix {
    variants: Vec<Arc<Variant>>,
    probes: Vec<Probe>,
    cells: Mutex<HashMap<(String, &'static str), Cell>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Pass,
    Cannot(&'static str),
    Fail,
}

impl Matrix {
    pub(crate) fn new(variants: Vec<Variant>, probes: Vec<Probe>) -> Self {
        for variant in &variants {
            for name in variant.impossible() {
                let is_known = probes.iter().any(|probe| probe.name == name);
                assert!(is_known, "{variant}: there is no probe {name}");
            }
        }
        let variants = variants.into_iter().map(Arc::new).collect();
        Self { variants, probes, cells: Mutex::default() }
    }

    pub(crate) fn variants(&self) -> impl Iterator<Item = Arc<Variant>> {
        self.variants.iter().cloned()
    }

    pub(crate) fn probes(&self) -> impl Iterator<Item = Probe> {
        self.probes.iter().copied()
    }

    pub(crate) fn record(
        &self,
        variant: &Variant,
        probe: &'static str,
        verdict: &Result<Verdict, String>,
    ) {
        let cell = match verdict {
            Ok(Verdict::Passes) => Cell::Pass,
            Ok(Verdict::Cannot(limit)) => Cell::Cannot(limit.reason),
            Err(_) => Cell::Fail,
        };
        self.cells.lock().expect("no holder panics").insert((variant.to_string(), probe), cell);
    }

    /// Prints or writes the table when asked to. After a run of everything, checks that it is the one that is written down.
    pub(crate) fn settle(&self, print: bool, write: bool) -> ExitCode {
        let page = self.page();
        if print {
            println!("{page}");
        }
        if !self.is_complete() {
            return if write {
                complain("only a run of everything is written down")
            } else {
                ExitCode::SUCCESS
            };
        }
        if write {
            std::fs::write(path(), page).expect("docs can be written to");
            return ExitCode::SUCCESS;
        }
        if std::fs::read_to_string(path()).is_ok_and(|written| written == page) {
            return ExitCode::SUCCESS;
        }
        complain("docs/servers.md is not what this run gave; `scripts/servers --write` writes it")
    }

    fn is_complete(&self) -> bool {
        let of = |probe: &Probe| {
            self.variants.iter().filter(|variant| probe.applies_to(variant)).count()
        };
        let all: usize = self.probes.iter().map(of).sum();
        self.cells.lock().expect("no holder panics").len() == all
    }

    fn page(&self) -> String {
        let mut page = HEAD.to_owned();
        let servers = self.servers();
        for server in &servers {
            let setups: Vec<_> =
                self.of(server).map(|variant| format!("`{}`", variant.setup())).collect();
            let _ = writeln!(page, "- {server}: {}", setups.join(", "));
        }
        let mut notes = Notes::default();
        let mut theme = "";
        for probe in &self.probes {
            let (module, name) = probe.name.split_once("::").expect("a module and a name");
            if module != theme {
                theme = module;
                let _ = writeln!(page, "\n## {}\n\n| | {} |", capital(module), servers.join(" | "));
                let _ = writeln!(page, "|---|{}", "---|".repeat(servers.len()));
            }
            let cells: Vec<_> =
                servers.iter().map(|server| self.cell(server, probe.name, &mut notes)).collect();
            let _ = writeln!(page, "| {} | {} |", name.replace('_', " "), cells.join(" | "));
        }
        page + &notes.text()
    }

    /// The servers with their versions, each once.
    fn servers(&self) -> Vec<String> {
        let mut servers: Vec<_> =
            self.variants().map(|variant| variant.program.to_string()).collect();
        servers.dedup();
        servers
    }

    fn of<'a>(&'a self, server: &'a str) -> impl Iterator<Item = &'a Variant> {
        let variants = self.variants.iter().map(|variant| &**variant);
        variants.filter(move |variant| variant.program.to_string() == server)
    }

    /// What all setups of a server have in common, or else in which of them it cannot.
    fn cell(&self, server: &str, probe: &'static str, notes: &mut Notes) -> String {
        let cells = self.cells.lock().expect("no holder panics");
        let of = |variant: &Variant| cells.get(&(variant.to_string(), probe)).copied();
        let found: Vec<_> = self.of(server).map(|variant| (variant, of(variant))).collect();
        let kinds: BTreeSet<Cell> = found.iter().filter_map(|found| found.1).collect();
        let of_kind = |kind: Cell| match kind {
            Cell::Pass => "pass".to_owned(),
            Cell::Fail => "**FAIL**".to_owned(),
            Cell::Cannot(reason) => {
                let those: Vec<_> = found
                    .iter()
                    .filter(|found| found.1 == Some(kind))
                    .map(|found| found.0.setup())
                    .collect();
                let number = notes.number(reason, (those.len() < found.len()).then_some(those));
                format!("cannot [{number}](#user-content-{number})")
            }
        };
        let kinds: Vec<_> = kinds.into_iter().map(of_kind).collect();
        if kinds.is_empty() { "-".to_owned() } else { kinds.join(", ") }
    }
}

/// Reasons, each told once.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn number(&mut self, reason: &str, setups: Option<Vec<String>>) -> usize {
        let note = match setups {
            Some(setups) => format!("{reason} (`{}`)", setups.join("`, `")),
            None => reason.to_owned(),
        };
        let known = self.0.iter().position(|known| *known == note);
        1 + known.unwrap_or_else(|| {
            self.0.push(note);
            self.0.len() - 1
        })
    }

    fn text(&self) -> String {
        let mut text = "\n## Why a server cannot\n\n".to_owned();
        for (index, note) in self.0.iter().enumerate() {
            let number = index + 1;
            let _ = writeln!(text, "{number}. <a id=\"user-content-{number}\"></a>{note}");
        }
        text
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

fn path() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/servers.md"))
}

fn complain(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}

const HEAD: &str = "\
# Web servers

The same axum application behind each of these servers, asked the same questions. `scripts/servers` prints this page, and
`scripts/servers --write` writes it; the tests fail when it is not what they find.

*pass*: the probe passes. *cannot*: it fails, and does so in the same way with a responder that has nothing of this library and
only writes canned records, so that it is the server's doing. -: it means nothing there. What a probe checks is in
`tests/servers/probes/`.

The servers are Debian's, of bookworm and trixie. h2o is in bookworm alone. The configuration is that of `examples/`; after a version
stand the set-ups, in which only what they name is different. `fcgid`, `bin-path` and `spawn-fcgi` start the application as processes
of its own, with the socket as standard input.

";
