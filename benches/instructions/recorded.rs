//! The file of recorded figures, and what counts as a change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Architecture, compiler, valgrind.
    pub(crate) toolchain: String,
    figures: Vec<(String, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    Cheaper,
    Dearer,
    Unknown,
}

impl Recorded {
    pub(crate) fn new(toolchain: String, figures: Vec<(String, u64)>) -> Self {
        Self { toolchain, figures }
    }

    /// Nothing is recorded where there is no file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has other lines than [`write`](Self::write) writes.
    pub(crate) fn read() -> io::Result<Self> {
        match fs::read_to_string(path()) {
            Ok(text) => Self::parse(&text)
                .ok_or_else(|| io::Error::other(format!("{FILE} is not what --write writes"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::new(String::new(), Vec::new()))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the file's name.
    pub(crate) fn write(&self) -> io::Result<&'static str> {
        fs::write(path(), self.text())?;
        Ok(FILE)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let toolchain = text.lines().find_map(|line| line.strip_prefix(TOOLCHAIN))?;
        let figures = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (name, figure) = line.split_once(' ')?;
            Some((name.to_owned(), figure.parse().ok()?))
        });
        Some(Self::new(toolchain.to_owned(), figures.collect::<Option<_>>()?))
    }

    pub(crate) fn text(&self) -> String {
        let figures = self.figures.iter().map(|(name, figure)| format!("{name} {figure}\n"));
        format!("{HEAD}\n{TOOLCHAIN}{}\n{}", self.toolchain, figures.collect::<String>())
    }

    pub(crate) fn of(&self, name: &str) -> Option<u64> {
        self.figures.iter().find(|(of, _)| of == name).map(|(_, figure)| *figure)
    }

    /// Whether a change means something on this architecture.
    pub(crate) fn is_from(&self, architecture: &str) -> bool {
        self.toolchain.is_empty() || self.toolchain.starts_with(architecture)
    }

    pub(crate) fn verdict(&self, name: &str, now: u64) -> Verdict {
        let Some(recorded) = self.of(name) else { return Verdict::Unknown };
        match now * 100 {
            now if now >= recorded * (100 + TOLERATED) => Verdict::Dearer,
            now if now <= recorded * (100 - TOLERATED) => Verdict::Cheaper,
            _ => Verdict::Same,
        }
    }
}

/// `13021` as `13,021`.
pub(crate) fn grouped(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}

const FILE: &str = "benches/results/instructions.txt";
const HEAD: &str = "# Instructions per request. `cargo bench --bench instructions -- --write` writes them, `-- --check` compares.";
const TOOLCHAIN: &str = "# With ";
/// In percent of what is recorded.
const TOLERATED: u64 = 3;
