use std::fmt;
use std::path::Path;
use std::str::FromStr;

use tower_fastcgi::client;

/// Where an application listens: `HOST:PORT` or `unix:/PATH`.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    text: String,
    target: client::Address,
}

impl Address {
    /// What connects.
    pub(crate) fn target(&self) -> &client::Address {
        &self.target
    }

    /// The file of a Unix socket.
    pub(crate) fn socket(&self) -> Option<&Path> {
        self.text.strip_prefix("unix:").map(Path::new)
    }
}

impl FromStr for Address {
    type Err = std::io::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { text: text.to_owned(), target: text.parse()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
