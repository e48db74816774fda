use std::io;

use serde_json::{Value, json};

use super::case::{Case, Obstacle};
use super::target::{Target, Usual};
use super::verdict::{Kind, Verdict};
use crate::failure::Outcome;
use crate::terminal::{self, Colour, Style};

/// How verdicts are told: lines as they come, or one JSON object.
pub(super) struct Report {
    style: Style,
    is_json: bool,
    name_width: usize,
}

impl Report {
    pub(super) fn new(cases: &[Case], is_json: bool) -> Self {
        Self { style: Style::of(&io::stdout()), is_json, name_width: name_width(cases) }
    }

    pub(super) fn start(&self, target: &Target<'_>, usual: Result<&Usual, &Obstacle>) -> Outcome {
        let path = &target.options().path;
        let note = match usual.map(|usual| usual.status) {
            Err(why) => {
                format!(
                    "GET {path} has no complete response that others could be compared with: {why}"
                )
            }
            Ok(status @ 400..) => {
                format!(
                    "GET {path} is answered with {status}; --path can name something that exists"
                )
            }
            Ok(status) => format!("GET {path} is answered with {status}"),
        };
        self.tell(|| format!("FastCGI 1.0 at {}: {note}\n\n", target.address()))
    }

    pub(super) fn verdict(&self, verdict: &Verdict) -> Outcome {
        self.tell(|| self.line(verdict))
    }

    pub(super) fn end(
        &self,
        target: &Target<'_>,
        usual: Option<&Usual>,
        verdicts: &[Verdict],
    ) -> Outcome {
        if self.is_json {
            return terminal::print(pretty(&json(target, usual, verdicts)).as_bytes());
        }
        let counts = Kind::ALL.map(|kind| format!("{} {kind}", count(verdicts, kind)));
        let violations = verdicts.iter().filter(|verdict| verdict.is_violation()).count();
        self.tell(|| format!("\n{}; {violations} must not depart\n", counts.join(", ")))
    }

    fn line(&self, verdict: &Verdict) -> String {
        let Case { section, level, name, requirement, .. } = verdict.case;
        let width = self.name_width;
        let kind = self.style.paint(colour(verdict), format!("{:<9}", verdict.kind));
        let mut line = format!("{section:<4} {level:<6} {kind}  {name:<width$}  {requirement}\n");
        if !verdict.detail.is_empty() {
            line += &format!("{:indent$}-> {}\n", "", verdict.detail, indent = width + 25);
        }
        line
    }

    fn tell(&self, text: impl FnOnce() -> String) -> Outcome {
        if self.is_json { Ok(()) } else { terminal::print(text().as_bytes()) }
    }
}

fn json(target: &Target<'_>, usual: Option<&Usual>, verdicts: &[Verdict]) -> Value {
    let counts = Kind::ALL.map(|kind| (kind.name().to_owned(), count(verdicts, kind).into()));
    json!({
        "address": target.address().to_string(),
        "status": usual.map(|usual| usual.status),
        "conforms": !verdicts.iter().any(Verdict::is_violation),
        "counts": serde_json::Map::from_iter(counts),
        "cases": verdicts.iter().map(case_json).collect::<Vec<_>>(),
    })
}

fn count(verdicts: &[Verdict], kind: Kind) -> usize {
    verdicts.iter().filter(|verdict| verdict.kind == kind).count()
}

/// The cases without verdicts.
pub(super) fn list(cases: &[Case], is_json: bool) -> String {
    if is_json {
        return pretty(&cases.iter().map(requirement_json).collect());
    }
    let width = name_width(cases);
    let line = |Case { section, level, name, requirement, .. }: &Case| {
        format!("{section:<4} {level:<6}  {name:<width$}  {requirement}\n")
    };
    cases.iter().map(line).collect()
}

fn name_width(cases: &[Case]) -> usize {
    cases.iter().map(|case| case.name.len()).max().unwrap_or_default()
}

fn case_json(verdict: &Verdict) -> Value {
    let mut case = requirement_json(&verdict.case);
    case["verdict"] = verdict.kind.name().into();
    case["detail"] = verdict.detail.as_str().into();
    case
}

fn requirement_json(case: &Case) -> Value {
    json!({
        "section": case.section,
        "level": case.level.to_string(),
        "name": case.name,
        "requirement": case.requirement,
    })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn colour(verdict: &Verdict) -> Colour {
    match verdict.kind {
        Kind::Conforms => Colour::Green,
        Kind::Departs if verdict.is_violation() => Colour::Red,
        _ => Colour::Yellow,
    }
}
