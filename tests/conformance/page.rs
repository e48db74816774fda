//! What came out: case by application, as `docs/conformance.md` has it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use serde_json::Value;

use crate::subject::Subject;

/// The reports so far.
#[derive(Default)]
pub(crate) struct Page {
    reports: Mutex<BTreeMap<&'static str, Value>>,
}

impl Page {
    pub(crate) fn add(&self, subject: Subject, report: Value) {
        self.reports.lock().expect("no holder panics").insert(subject.name(), report);
    }

    /// After a run of everything, writes the page or compares it with what is written down.
    pub(crate) fn settle(&self, write: bool) -> ExitCode {
        let reports = self.reports.lock().expect("no holder panics");
        if reports.len() < Subject::ALL.len() {
            return if write {
                complain("only a run of everything is written down")
            } else {
                ExitCode::SUCCESS
            };
        }
        let page = page(&reports);
        if write {
            std::fs::write(path(), page).expect("docs can be written to");
            return ExitCode::SUCCESS;
        }
        if std::fs::read_to_string(path()).is_ok_and(|written| written == page) {
            return ExitCode::SUCCESS;
        }
        println!("{page}");
        complain(
            "docs/conformance.md is not what this run gave; `scripts/conformance --write` writes it",
        )
    }
}

fn page(reports: &BTreeMap<&str, Value>) -> String {
    let mut page = HEAD.to_owned();
    let subjects: Vec<_> = Subject::ALL
        .iter()
        .map(|subject| format!("{} {}", subject.name(), subject.version()).trim_end().to_owned())
        .collect();
    let _ = writeln!(
        page,
        "| | | {} |\n|---|---|{}",
        subjects.join(" | "),
        "---|".repeat(subjects.len())
    );
    let mut notes = Vec::new();
    let ours = cases(&reports[Subject::TowerFastcgi.name()]);
    for (index, case) in ours.iter().enumerate() {
        let of = |subject: &Subject| cell(&cases(&reports[subject.name()])[index], &mut notes);
        let cells: Vec<_> = Subject::ALL.iter().map(of).collect();
        let should = if case["level"] == "should" { " (should)" } else { "" };
        let _ = writeln!(
            page,
            "| {} | {}{should} | {} |",
            text(&case["section"]),
            text(&case["requirement"]),
            cells.join(" | ")
        );
    }
    let sums = Subject::ALL.iter().map(|subject| sum(&reports[subject.name()]));
    let _ =
        writeln!(page, "| | departs from what it must | {} |\n", Vec::from_iter(sums).join(" | "));
    for (index, note) in notes.iter().enumerate() {
        let _ = writeln!(page, "{}. {note}", index + 1);
    }
    page
}

fn cases(report: &Value) -> &[Value] {
    report["cases"].as_array().expect("a report has cases")
}

/// The verdict, and the number of the note that says why.
fn cell(case: &Value, notes: &mut Vec<String>) -> String {
    let verdict = text(&case["verdict"]);
    let detail = text(&case["detail"]);
    if verdict == "conforms" {
        return "yes".to_owned();
    }
    let position = notes.iter().position(|note| note == detail).unwrap_or_else(|| {
        notes.push(detail.to_owned());
        notes.len() - 1
    });
    match verdict {
        "departs" => format!("**no** {}", position + 1),
        "permitted" => format!("need not {}", position + 1),
        _ => format!("unclear {}", position + 1),
    }
}

fn sum(report: &Value) -> String {
    let is_violation = |case: &&Value| case["verdict"] == "departs" && case["level"] == "must";
    cases(report).iter().filter(is_violation).count().to_string()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("reports hold texts")
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md")
}

fn complain(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

const HEAD: &str = "\
<!-- Written by `scripts/conformance --write`; every run of all tests compares. -->
# How applications keep to FastCGI

What `fcgi check` finds of applications on this crate and on others, each with paths that echo a body, print params, answer with 200 kB and
write to FCGI_STDERR where the library can. Debian's packages, as installed; the sections are those of the FastCGI 1.0 specification.

*yes*: it conforms. **no**: it departs, the number says how. *need not*: it does not support it, and the specification allows that.
*unclear*: it cannot be told. What is marked with (should) is recommended, or not said while web servers count on it.

";
