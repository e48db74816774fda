//! What the pages of `docs/` show of the files in `examples/`, and the table of what is lost.
//!
//! A block behind `<!-- examples/FILE -->` is that file, one behind `<!-- from examples/FILE -->` some lines of it. The trials
//! run the files; these here check that the pages show them. `--write` writes whole files and the table into the pages.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};

use crate::table;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    pages().into_iter().map(|page| {
        let name = page.strip_prefix(root()).expect("it is in the repository").display();
        Trial::test(format!("pages::{name}"), move || check(&page))
    })
}

/// Brings the pages up to date.
pub(crate) fn write() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("pages can be read");
        let written = updated(&text).expect("what the pages name is there");
        fs::write(&page, written).expect("docs can be written to");
    }
}

fn check(page: &Path) -> Result<(), Failed> {
    let text = fs::read_to_string(page)?;
    if updated(&text)? != text {
        return Err("it is not up to date; `scripts/deployments --write` writes it".into());
    }
    let blocks = blocks(&text);
    for block in &blocks {
        let Some(name) = block.marker.strip_prefix("from ") else { continue };
        let file = dedented(&read(name)?);
        if !file.contains(&dedented(&block.text)) {
            return Err(format!("{name} has no such lines:\n{}", block.text).into());
        }
    }
    Ok(())
}

/// A fenced block behind a marker.
struct Block {
    marker: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let parts = page.split(OPEN).skip(1);
    parts.filter_map(block).collect()
}

fn block(behind: &str) -> Option<Block> {
    let (marker, rest) = behind.split_once(CLOSE)?;
    let (fence, rest) = rest.split_once('\n')?;
    let (text, _) = rest.split_once("```\n")?;
    fence.starts_with("```").then(|| Block { marker: marker.to_owned(), text: text.to_owned() })
}

fn updated(page: &str) -> Result<String, Failed> {
    let mut updated = String::new();
    for (number, part) in page.split(OPEN).enumerate() {
        if number > 0 {
            updated += OPEN;
        }
        updated += &updated_part(part)?;
    }
    Ok(updated)
}

/// What comes behind `OPEN`.
fn updated_part(part: &str) -> Result<String, Failed> {
    if let Some((TABLE, _)) = part.split_once(CLOSE) {
        return Ok(format!("{TABLE}{CLOSE}{}\n", table::table()));
    }
    let Some(block) = block(part).filter(|block| block.marker.starts_with("examples/")) else {
        return Ok(part.to_owned());
    };
    let old = format!("{}```\n", block.text);
    Ok(part.replacen(&old, &(read(&block.marker)? + "```\n"), 1))
}

fn read(name: &str) -> Result<String, Failed> {
    fs::read_to_string(root().join(name)).map_err(|error| format!("{name}: {error}").into())
}

fn dedented(text: &str) -> String {
    text.lines().map(|line| line.trim_start().to_owned() + "\n").collect()
}

fn pages() -> Vec<PathBuf> {
    let docs = root().join("docs");
    let mut pages: Vec<PathBuf> = [docs.clone(), docs.join("servers")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("the pages are there"))
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension() == Some(OsStr::new("md")))
        .collect();
    pages.sort();
    pages
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const OPEN: &str = "<!-- ";
const CLOSE: &str = " -->\n";
/// The marker of the table, which lasts until the next one.
const TABLE: &str = "what is lost";
