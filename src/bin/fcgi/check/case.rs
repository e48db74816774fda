use std::fmt;
use std::io;
use std::pin::Pin;

use super::target::Target;

/// One thing the specification says of applications, and how to find out whether it is so.
#[derive(Clone, Copy)]
pub(super) struct Case {
    /// The section of FastCGI 1.0.
    pub(super) section: &'static str,
    pub(super) level: Level,
    pub(super) name: &'static str,
    pub(super) requirement: &'static str,
    pub(super) run: Run,
}

type Run = for<'t> fn(&'t Target<'t>) -> Pin<Box<dyn Future<Output = Found> + Send + 't>>;

impl Case {
    pub(super) const fn must(
        section: &'static str,
        name: &'static str,
        requirement: &'static str,
        run: Run,
    ) -> Self {
        Self { section, level: Level::Must, name, requirement, run }
    }

    pub(super) const fn should(
        section: &'static str,
        name: &'static str,
        requirement: &'static str,
        run: Run,
    ) -> Self {
        Self { section, level: Level::Should, name, requirement, run }
    }
}

/// How much it says of an application that it departs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// The specification says that applications do so.
    Must,
    /// The specification recommends it, or leaves it open while web servers count on it.
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "must",
            Self::Should => "should",
        })
    }
}

/// What a case, or a step of one, came to. When a case conforms there may be something to say about it.
pub(super) type Found<T = &'static str> = Result<T, Obstacle>;

/// Why a case does not conform.
#[derive(Debug)]
pub(super) enum Obstacle {
    Departs(String),
    Unclear(String),
    Permitted(String),
    NoConnection(io::Error),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Departs(text) | Self::Unclear(text) | Self::Permitted(text) => f.write_str(text),
            Self::NoConnection(error) => write!(f, "there is no connection to be had: {error}"),
        }
    }
}

pub(super) fn departs<T>(what: impl Into<String>) -> Found<T> {
    Err(Obstacle::Departs(what.into()))
}

pub(super) fn unclear<T>(why: impl Into<String>) -> Found<T> {
    Err(Obstacle::Unclear(why.into()))
}

pub(super) fn permitted<T>(what: impl Into<String>) -> Found<T> {
    Err(Obstacle::Permitted(what.into()))
}
