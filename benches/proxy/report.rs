//! A page of Markdown that is printed as it comes into being.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::path::Path;

use crate::machine;

#[derive(Debug)]
pub(crate) struct Report {
    text: String,
    failures: usize,
}

impl Report {
    /// A page on a table whose rows are `name/...`.
    pub(crate) fn start(
        name: &str,
        title: &str,
        rounds: usize,
        programs: BTreeSet<String>,
    ) -> Self {
        let mut report = Self { text: String::new(), failures: 0 };
        report.line(format!("# {title}\n"));
        let command =
            format!("cargo bench --bench proxy -- --rows {name}/ --rounds {rounds} --write");
        report.line(format!("`{command}`, {}\n", machine::today()));
        let machine = machine::describe(&["tokio", "hyper", "axum"]);
        report.line(format!("{machine}, {}\n", list(programs)));
        report
    }

    pub(crate) fn line(&mut self, line: impl Display) {
        println!("{line}");
        self.text += &format!("{line}\n");
    }

    /// The head of a table; all columns but the first hold numbers.
    pub(crate) fn head(&mut self, columns: &[&str]) {
        self.line(format!("| {} |", columns.join(" | ")));
        self.line(format!("|---|{}", "---:|".repeat(columns.len() - 1)));
    }

    pub(crate) fn row(&mut self, title: &str, cells: &[String]) {
        self.line(format!("| {title} | {} |", cells.join(" | ")));
    }

    /// A row without figures. The reason is for whoever runs it, not for the page.
    pub(crate) fn failure(&mut self, title: &str, error: &io::Error) {
        self.line(format!("| {title} | failed |"));
        eprintln!("{title}: {error}");
        self.failures += 1;
    }

    /// Writes the page, if asked to.
    ///
    /// # Errors
    ///
    /// When a row failed, too.
    pub(crate) fn finish(self, name: &str, write: bool) -> io::Result<()> {
        if self.failures > 0 {
            return Err(io::Error::other(format!("{} rows failed", self.failures)));
        }
        if write {
            let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
            std::fs::create_dir_all(&results)?;
            std::fs::write(results.join(format!("proxy-{name}.md")), self.text)?;
        }
        Ok(())
    }
}

fn list(programs: BTreeSet<String>) -> String {
    programs.into_iter().collect::<Vec<_>>().join(", ")
}
