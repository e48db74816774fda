//! The table, on the terminal and in `docs/performance.md`.

use std::fs;
use std::io;
use std::path::Path;

use crate::content::MIB;
use crate::load::Protocol;
use crate::machine;
use crate::measure::{Cost, Costs};
use crate::series::Series;

/// Markdown that is printed as it comes into being.
#[derive(Debug)]
pub(crate) struct Report {
    text: String,
    superlinear: Vec<String>,
}

impl Report {
    pub(crate) fn start(rounds: usize) -> Self {
        let mut report = Self { text: String::new(), superlinear: Vec::new() };
        let machine = machine::describe(&["tokio", "hyper", "axum"]);
        let command = "cargo bench --bench growth -- --write";
        report.line(&format!(
            "`{command}`, {}, medians of {rounds} rounds, {machine}.\n",
            machine::today()
        ));
        report
    }

    pub(crate) fn series(&mut self, series: &Series, costs: &[Costs]) {
        let mut head = vec![series.counted.to_owned()];
        for costs in costs {
            let name = name(costs.protocol);
            head.push(format!("{name}, us a request"));
            if series.is_per_unit() {
                head.push(format!("us a {}", series.unit()));
            }
            head.push("memory added".to_owned());
        }
        self.line(&format!("**{}**\n", series.title));
        self.line(&format!("| {} |", head.join(" | ")));
        self.line(&format!("|{}", "---:|".repeat(head.len())));
        let count = costs.first().map_or(0, |costs| costs.sizes.len());
        for index in 0..count {
            let mut cells = vec![series.label(costs[0].sizes[index].size)];
            for costs in costs {
                cells.extend(self.cells(series, costs, index));
            }
            self.line(&format!("| {} |", cells.join(" | ")));
        }
        self.line("");
    }

    fn cells(&mut self, series: &Series, costs: &Costs, index: usize) -> Vec<String> {
        let cost = costs.sizes[index];
        let before = index.checked_sub(1).map(|before| costs.sizes[before]);
        let excess = before.and_then(|before| excess(series, before, cost));
        let mark = match excess {
            Some(excess) => {
                let (name, label) = (name(costs.protocol), series.label(cost.size));
                self.superlinear.push(format!("{name}, {} {label}: x {excess:.2}", series.name));
                " (!)"
            }
            None => "",
        };
        let mut cells = vec![format!("{}{mark}", figure(cost.used))];
        if series.is_per_unit() {
            cells.push(match series.units(cost.size) {
                0.0 => "-".to_owned(),
                units => figure(cost.used / units),
            });
        }
        cells.push(format!("{:.1} MiB", cost.memory as f64 / MIB as f64));
        cells
    }

    pub(crate) fn finish(&mut self) {
        if self.superlinear.is_empty() {
            self.line("No row is superlinear.");
            return;
        }
        let rows = self.superlinear.join("; ");
        self.line(&format!(
            "Superlinear (!), with the factor by which a row costs more for each unit than the one above it: {rows}."
        ));
    }

    pub(crate) fn line(&mut self, line: &str) {
        println!("{line}");
        self.text += &format!("{line}\n");
    }

    /// Puts the tables in the place of those in the document, and returns its name.
    pub(crate) fn write(&self) -> io::Result<&'static str> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
        let document = fs::read_to_string(&path)?;
        let replaced = replaced(&document, &self.text)
            .ok_or_else(|| io::Error::other(format!("{DOCUMENT} lacks {BEGIN} and {END}")))?;
        fs::write(path, replaced)?;
        Ok(DOCUMENT)
    }
}

/// By which factor all of `now` costs more than it would if it grew with its size, if that is more than measuring errors.
fn excess(series: &Series, before: Cost, now: Cost) -> Option<f64> {
    let each = |cost: Cost| cost.used / series.units(cost.size);
    let excess = each(now) / each(before);
    (excess.is_finite() && excess > TOLERATED).then_some(excess)
}

fn replaced(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{text}{END}{after}"))
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::FastCgi => "FastCGI",
        Protocol::Http => "axum HTTP/1.1",
    }
}

fn figure(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

const DOCUMENT: &str = "docs/performance.md";
const BEGIN: &str = "<!-- Written by cargo bench --bench growth. -->";
const END: &str = "<!-- So far. -->";
const TOLERATED: f64 = 1.1;
