//! The outcomes as a page of Markdown.

use super::{Report, table};

pub(super) fn markdown(report: &Report) -> String {
    let Report { machine, servers, rounds, outcomes, notes } = report;
    let mut lines = vec![
        "# Compared with other servers".to_owned(),
        String::new(),
        "Written by `cargo bench --bench compare -- --write`, see [benches/README.md](../benches/README.md). Times are \
         processor time of the server per request,"
            .to_owned(),
        format!(
            "user and system, the median of {rounds} interleaved rounds; behind them in bold the ratio to axum over HTTP/1.1 in \
             the same round, and half of"
        ),
        "what the middle half of the rounds spans.".to_owned(),
        String::new(),
        "![The ratios as bars](compare.svg)".to_owned(),
        String::new(),
    ];
    let titles: Vec<&str> = servers.iter().map(|server| server.title()).collect();
    lines.push(format!("| | {} |", titles.join(" | ")));
    lines.push(format!("|---|{}", "---|".repeat(servers.len())));
    for outcome in outcomes {
        let cells = servers.iter().map(|server| table::cell(outcome, *server, "**"));
        let cells: Vec<String> = cells.collect();
        lines.push(format!("| {} | {} |", outcome.row.title, cells.join(" | ")));
    }
    lines.push(String::new());
    lines.push(format!("{}.", machine.place));
    lines.push(format!("{}.", machine.versions));
    lines.push(String::new());
    let notes = notes.iter().map(String::as_str);
    lines.extend(EXPLAINED.into_iter().chain(notes).map(|note| format!("- {note}")));
    lines.join("\n") + "\n"
}

/// What a reader has to know about the rows.
const EXPLAINED: [&str; 6] = [
    "Servers have one worker on a processor of its own and listen on a Unix socket, unless the row says otherwise. 32 requests \
     are under way at a time.",
    "HTTP/1.1 cannot multiplex: its 32 requests at a time come on 32 connections.",
    "libfcgi serves no two requests of a connection at a time, and each connection takes a thread; rows where that makes no \
     sense are empty.",
    "tokio-fastcgi runs with a buffer of 8 KiB before its reads, which its examples lack. It halves its system calls and counts \
     as memory.",
    "Slow uploads: 100 connections send 32 KiB in turn; the most memory that was added before the last piece. Once the handler \
     reads at once, once it reads nothing before all sockets are full.",
    "Memory is what is resident, less what was before; system calls are counted by strace.",
];
