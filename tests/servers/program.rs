//! A web server's program, and its version.

use std::fmt;

use crate::debian::Debian;

/// A program of a release.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) debian: Debian,
    /// As many numbers as tell releases apart. None if it is not installed.
    pub(crate) version: Option<String>,
}

impl Program {
    pub(crate) fn find(name: &'static str, debian: Debian) -> Self {
        let argument = if name == "caddy" { "version" } else { "-v" };
        let parts = if name == "lighttpd" { 3 } else { 2 };
        let short = |version: String| Vec::from_iter(version.split('.').take(parts)).join(".");
        Self { name, debian, version: debian.version_of(name, argument).map(short) }
    }
}

/// As in `nginx-1.22`.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}-{version}", self.name),
            None => write!(f, "{}-of-{:?}", self.name, self.debian),
        }
    }
}
