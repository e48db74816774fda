//! Rows whose two sides are set beside each other.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use crate::measure::{Figure, Rounds, measure};
use crate::options::Options;
use crate::report::Report;
use crate::row::Row;
use crate::site::Cost;
use crate::statistics::Summary;
use crate::wrk;

#[derive(Debug)]
pub(crate) struct Table {
    /// What the names of its rows start with.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Whose figures are divided by whose.
    pub(crate) sides: [&'static str; 2],
    pub(crate) rows: &'static [Row],
}

impl Table {
    /// Runs the rows that are asked for.
    pub(crate) fn run(&self, options: &Options) -> io::Result<()> {
        let rows = options.select(self.rows, |row| row.name)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut report = Report::start(self.name, self.title, options.rounds, programs(&rows));
        let [subject, beside] = self.sides;
        report.line(format!(
            "{subject} : {beside}, and the ratio, all of them medians of the rounds.\n"
        ));
        report.head(&COLUMNS);
        for row in rows {
            match measure(row, options.rounds) {
                Ok(rounds) => report.row(row.title, &cells(&rounds)),
                Err(error) => report.failure(row.title, &error),
            }
        }
        report.finish(self.name, options.write)
    }
}

fn programs(rows: &[&Row]) -> BTreeSet<String> {
    let sides = rows.iter().flat_map(|row| [row.subject, row.beside]);
    sides.map(|side| side.front.version()).chain([wrk::version()]).collect()
}

fn cells(rounds: &Rounds) -> Vec<String> {
    let rates = rounds.figure(|cost| cost.seen.requests / cost.seen.seconds);
    let Summary { median, low, high } = rates.ratio;
    vec![
        format!("{:.0} : {:.0}", rates.subject.median, rates.beside.median),
        format!("{median:.2} ({low:.2} to {high:.2})"),
        cell(&rounds.figure(|cost| micros_per_request(cost, cost.backend))),
        cell(&rounds.figure(|cost| micros_per_request(cost, cost.front))),
        cell(&rounds.figure(|cost| cost.seen.p99.as_secs_f64() * 1e3)),
    ]
}

fn micros_per_request(cost: &Cost, time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / cost.seen.requests
}

fn cell(figure: &Figure) -> String {
    let Figure { subject, beside, ratio } = figure;
    format!("{:.1} : {:.1} = {:.2}", subject.median, beside.median, ratio.median)
}

const COLUMNS: [&str; 6] = [
    "",
    "requests/s",
    "ratio (middle half)",
    "app, CPU us a request",
    "web server, CPU us a request",
    "p99 ms",
];
