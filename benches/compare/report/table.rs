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
    line(outcome.row.title, servers.iter().map(|server| cell(outcome, *server, "")))
}

fn line(title: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: String = cells.map(|cell| format!("{cell:>CELL$}")).collect();
    format!("{title:<TITLE$}{cells}")
}

/// The median, and if it can be compared the ratio to axum, between `marks`, with half of what the middle half of the rounds spans.
pub(super) fn cell(outcome: &Outcome, server: Server, marks: &str) -> String {
    let Some((value, ratio)) = summaries(outcome, server) else { return "-".to_owned() };
    let value = outcome.row.unit.figure(value.median);
    match ratio {
        Some(Summary { median, low, high }) => {
            format!("{value}  {marks}{median:.2}{marks} ±{:.2}", (high - low) / 2.0)
        }
        None => value,
    }
}

fn summaries(outcome: &Outcome, server: Server) -> Option<(Summary, Option<Summary>)> {
    let values = outcome.of(server)?;
    let ratio = match outcome.of(Server::Axum) {
        Some(axum) if server != Server::Axum && outcome.row.unit.is_time() => {
            Summary::of_ratios(values, axum)
        }
        _ => None,
    };
    Some((Summary::of(values)?, ratio))
}

impl Unit {
    fn figure(self, value: f64) -> String {
        let digits = match value {
            100.0.. => 0,
            10.0.. => 1,
            _ => 2,
        };
        match self {
            Self::Microseconds => format!("{value:.digits$} us"),
            Self::KibiBytes => format!("{value:.1} KiB"),
            Self::MebiBytes => format!("{value:.1} MiB"),
            Self::Count => format!("{value:.1}"),
        }
    }

    /// Whether a ratio tells more than the figure.
    fn is_time(self) -> bool {
        self == Self::Microseconds
    }
}

const TITLE: usize = 54;
const CELL: usize = 24;
