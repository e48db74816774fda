//! The outcomes in rows and columns: on the terminal as they come, and in Markdown.

use crate::experiments::{Outcome, Unit};
use crate::servers::Server;
use crate::statistics::Summary;

/// The line above the rows.
pub(crate) fn header(servers: &[Server]) -> String {
    let titles = servers.iter().map(|server| server.title().to_owned());
    line("", titles)
}

/// One outcome as a line.
pub(crate) fn row(outcome: &Outcome, servers: &[Server]) -> String {
    line(outcome.row.title, servers.iter().map(|server| cell(outcome, *server)))
}

fn line(title: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: String = cells.map(|cell| format!("{cell:>CELL$}")).collect();
    format!("{title:<TITLE$}{cells}")
}

/// The median, and if it can be compared the ratio to axum with half of what the middle half of the rounds spans.
fn cell(outcome: &Outcome, server: Server) -> String {
    let Some((value, ratio)) = summaries(outcome, server) else { return "-".to_owned() };
    let value = figure(value.median, outcome.row.unit);
    match ratio {
        Some(ratio) => {
            format!("{value}  {:.2} ±{:.2}", ratio.median, (ratio.high - ratio.low) / 2.0)
        }
        None => value,
    }
}

fn summaries(outcome: &Outcome, server: Server) -> Option<(Summary, Option<Summary>)> {
    let values = outcome.of(server)?;
    let ratio = match outcome.of(Server::Axum) {
        Some(axum) if server != Server::Axum => Summary::of_ratios(values, axum),
        _ => None,
    };
    Some((Summary::of(values)?, ratio))
}

fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Microseconds if value >= 100.0 => format!("{value:.0} us"),
        Unit::Microseconds if value >= 10.0 => format!("{value:.1} us"),
        Unit::Microseconds => format!("{value:.2} us"),
    }
}

const TITLE: usize = 46;
const CELL: usize = 24;
