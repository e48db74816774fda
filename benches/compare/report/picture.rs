//! The ratios as bars, in SVG that reads well on light and dark pages.

use std::fmt::Write;

use super::machine::Machine;
use crate::experiments::Outcome;
use crate::servers::Server;
use crate::statistics::Summary;

/// The bars of one kind of work.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) label: &'static str,
    /// Each server's ratio to axum over HTTP/1.1.
    pub(crate) bars: Vec<(Server, f64)>,
}

impl Group {
    /// None if the outcome is not for the picture, or nothing could be compared.
    pub(crate) fn of(outcome: &Outcome) -> Option<Self> {
        let axum = outcome.of(Server::Axum)?;
        let others = outcome.values.iter().filter(|(server, _)| *server != Server::Axum);
        let bars = others.filter_map(|(server, values)| {
            Some((*server, Summary::of_ratios(values, axum)?.median))
        });
        Some(Self { label: outcome.row.bars?, bars: bars.collect() })
    }
}

pub(crate) fn draw(groups: &[Group], machine: &Machine) -> String {
    let bars: usize = groups.iter().map(|group| group.bars.len()).sum();
    let end = TOP + bars * BAR + groups.len() * GAP;
    let height = end + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <title>Processor time of the server per request, compared with axum over HTTP/1.1</title>\n{STYLE}"
    );
    text(&mut svg, 0, 16, "b", "Processor time of the server per request; axum over HTTP/1.1 = 1");
    legend(&mut svg, groups);
    let mut y = TOP;
    for group in groups {
        text(&mut svg, 0, y + group.bars.len() * BAR / 2 + 4, "t", group.label);
        for (server, ratio) in &group.bars {
            bar(&mut svg, y, *server, *ratio);
            y += BAR;
        }
        y += GAP;
    }
    let one = LEFT + UNIT;
    put(&mut svg, format_args!("<path class=\"l\" d=\"M{one} {}V{end}\"/>", TOP - 6));
    text(&mut svg, 0, end + 14, "s", &machine.place);
    text(&mut svg, 0, end + 28, "s", &machine.versions);
    svg += "</svg>\n";
    svg
}

fn legend(svg: &mut String, groups: &[Group]) {
    let mut servers: Vec<Server> =
        groups.iter().flat_map(|group| &group.bars).map(|(server, _)| *server).collect();
    servers.sort();
    servers.dedup();
    for (index, server) in servers.into_iter().enumerate() {
        let x = LEFT + index * 120;
        put(
            svg,
            format_args!(
                "<rect x=\"{x}\" y=\"28\" width=\"10\" height=\"10\" fill=\"{}\"/>",
                colour(server)
            ),
        );
        text(svg, x + 15, 37, "t", server.title());
    }
}

fn bar(svg: &mut String, y: usize, server: Server, ratio: f64) {
    let width = ratio.clamp(0.0, MOST) * UNIT as f64;
    let height = BAR - 1;
    put(
        svg,
        format_args!(
            "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.0}\" height=\"{height}\" fill=\"{}\"/>",
            colour(server)
        ),
    );
    // A bar that is cut says so.
    let cut = if ratio > MOST { " \u{2192}" } else { "" };
    let class = if server == Server::TowerFastcgi { "n b" } else { "n" };
    text(svg, number_at(width as usize), y + 9, class, &format!("{ratio:.2}{cut}"));
}

/// Behind the bar, but not across the line at 1.
fn number_at(width: usize) -> usize {
    let crosses = width <= UNIT && width + NUMBER > UNIT;
    LEFT + 4 + if crosses { UNIT } else { width }
}

fn text(svg: &mut String, x: usize, y: usize, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    put(svg, format_args!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{text}</text>"));
}

fn put(svg: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(svg, "{element}").expect("a string takes everything");
}

fn colour(server: Server) -> &'static str {
    match server {
        Server::TowerFastcgi => "#e8590c",
        Server::TokioFastcgi => "#4c8fd6",
        Server::Go => "#3aa393",
        Server::Libfcgi | Server::Axum => "#949ba3",
    }
}

const STYLE: &str = "<style>\
    text{fill:#24292f}.b{font-weight:600}.n{font-size:10px}.s{font-size:10px;fill:#6e7781}.l{stroke:#24292f;stroke-dasharray:3 3}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#8b949e}.l{stroke:#e6edf3}}\
    </style>\n";
const WIDTH: usize = 780;
/// Where the bars begin.
const LEFT: usize = 210;
const TOP: usize = 56;
/// The height of a bar and the space below it.
const BAR: usize = 11;
const GAP: usize = 10;
/// How long a bar of ratio 1 is, and from which ratio on bars are cut.
const UNIT: usize = 120;
const MOST: f64 = 4.2;
/// How wide a number is at most, with the space before it.
const NUMBER: usize = 34;
