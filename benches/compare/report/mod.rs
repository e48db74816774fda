//! What is shown of the outcomes.

mod document;
pub(crate) mod machine;
pub(crate) mod picture;
pub(crate) mod table;

use std::fs;
use std::io;
use std::path::Path;

use self::machine::Machine;
use self::picture::Group;
use crate::experiments::Outcome;
use crate::servers::Server;

/// Everything a run has to tell.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) servers: Vec<Server>,
    pub(crate) rounds: usize,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// Writes the table and the picture, and returns their names.
    pub(crate) fn write(&self) -> io::Result<[&'static str; 2]> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let groups: Vec<Group> = self.outcomes.iter().filter_map(Group::of).collect();
        fs::write(root.join(TABLE), document::markdown(self))?;
        fs::write(root.join(PICTURE), picture::draw(&groups, &self.machine))?;
        Ok([TABLE, PICTURE])
    }
}

const TABLE: &str = "docs/compare.md";
const PICTURE: &str = "docs/compare.svg";
