//! The parts of `docs/security.md` that say what came out.

use std::path::Path;

/// Replaces the part of that name, or tells whether it says the same.
pub(crate) fn settle(part: &str, found: &str, write: bool) -> Result<(), String> {
    let page = std::fs::read_to_string(path()).map_err(|error| format!("{PAGE}: {error}"))?;
    let (begin, end) = (format!("<!-- {part}: begin -->\n"), format!("<!-- {part}: end -->\n"));
    let (before, rest) = page.split_once(&begin).ok_or_else(|| format!("{PAGE} has no {begin}"))?;
    let (written, after) = rest.split_once(&end).ok_or_else(|| format!("{PAGE} has no {end}"))?;
    let found = format!("\n{found}\n");
    if write {
        let page = [before, &begin, &found, &end, after].concat();
        return std::fs::write(path(), page).map_err(|error| format!("{PAGE}: {error}"));
    }
    match written == found {
        true => Ok(()),
        false => Err(format!(
            "{PAGE} says something else of {part}; `scripts/security --write` writes it"
        )),
    }
}

fn path() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md"))
}

const PAGE: &str = "docs/security.md";
