use std::fmt;

use super::case::{Case, Found, Level, Obstacle};

/// What a case came to.
#[derive(Clone)]
pub(super) struct Verdict {
    pub(super) case: Case,
    pub(super) kind: Kind,
    /// What there is to say about it; often nothing.
    pub(super) detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Conforms,
    Departs,
    /// It cannot be told.
    Unclear,
    /// It is not supported, and need not be.
    Permitted,
}

impl Verdict {
    pub(super) fn new(case: Case, found: Found) -> Self {
        let (kind, detail) = match found {
            Ok(detail) => (Kind::Conforms, detail.to_owned()),
            Err(obstacle) => (Kind::of(&obstacle), obstacle.to_string()),
        };
        Self { case, kind, detail }
    }

    /// The application does not do what it must.
    pub(super) fn is_violation(&self) -> bool {
        self.kind == Kind::Departs && self.case.level == Level::Must
    }
}

impl Kind {
    pub(super) const ALL: [Self; 4] =
        [Self::Conforms, Self::Departs, Self::Unclear, Self::Permitted];

    fn of(obstacle: &Obstacle) -> Self {
        match obstacle {
            Obstacle::Departs(_) => Self::Departs,
            Obstacle::Unclear(_) | Obstacle::NoConnection(_) => Self::Unclear,
            Obstacle::Permitted(_) => Self::Permitted,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Conforms => "conforms",
            Self::Departs => "departs",
            Self::Unclear => "unclear",
            Self::Permitted => "permitted",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
