//! What a backend saw, beside what its web server meant.

use percent_encoding::percent_decode_str;

use super::backends::Kind;
use super::front::Meant;
use super::payloads::Payload;
use super::witness::Seen;

#[derive(Debug)]
pub(crate) struct Verdict {
    as_meant: usize,
    /// Of which the server has another notion.
    misread: Vec<Seen>,
    /// Of which the server has no notion.
    smuggled: Vec<Seen>,
    /// That were answered and not seen.
    missed: usize,
}

impl Verdict {
    /// Of what was meant, all but the first `before` was meant by those who caused what was seen.
    pub(crate) fn of(seen: Vec<Seen>, meant: Vec<Meant>, before: usize) -> Self {
        let answered = meant.iter().skip(before).filter(|meant| meant.is_answered);
        let missed = answered.filter(|meant| seen.iter().all(|seen| seen.id != meant.request.id));
        let missed = missed.count();
        let mut verdict = Self { as_meant: 0, misread: Vec::new(), smuggled: Vec::new(), missed };
        let mut meant: Vec<_> = meant.into_iter().map(|meant| meant.request).collect();
        for seen in seen {
            let found = meant.iter().position(|meant| seen.id.is_some() && meant.id == seen.id);
            match found.map(|index| meant.swap_remove(index)) {
                Some(meant) if is_same(&seen, &meant) => verdict.as_meant += 1,
                Some(_) => verdict.misread.push(seen),
                None => verdict.smuggled.push(seen),
            }
        }
        verdict
    }

    pub(crate) fn is_as_meant(&self) -> bool {
        self.misread.is_empty() && self.smuggled.is_empty()
    }

    /// Whether the web server has an answer to a request that the backend has not seen.
    pub(crate) fn is_answered_by_nobody(&self) -> bool {
        self.missed > 0
    }

    pub(crate) fn cell(&self) -> String {
        let mut cell = String::new();
        if self.as_meant > 0 {
            cell += &self.as_meant.to_string();
        }
        cell += &"≠".repeat(self.misread.len());
        if !self.smuggled.is_empty() {
            cell += &format!("+{}", self.smuggled.len());
        }
        match (cell.is_empty(), self.is_as_meant()) {
            (true, _) => "–".to_owned(),
            (false, true) => cell,
            (false, false) => format!("**{cell}**"),
        }
    }

    /// In words, if there is any.
    pub(crate) fn not_meant(&self) -> Option<String> {
        let requests = self.misread.iter().chain(&self.smuggled);
        let told: Vec<_> =
            requests.map(|seen| format!("`{} {}`", seen.method, seen.target)).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// A request that the backend gave up in the middle need not be whole. Targets are the same in any encoding. What stands behind a `#`
/// is for nobody, says nginx, and passes it on all the same.
fn is_same(seen: &Seen, meant: &Seen) -> bool {
    let decoded = |target: &str| percent_decode_str(target).collect::<Vec<u8>>();
    let (meant_target, _) = meant.target.split_once('#').unwrap_or((&meant.target, ""));
    seen.method == meant.method
        && decoded(&seen.target) == decoded(meant_target)
        && (seen.body.is_none() || seen.body == meant.body)
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lenient => "lenient",
            Self::Hyper => "hyper",
            Self::FastCgi => "FastCGI",
        }
    }
}

impl Payload {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.theme, self.name).replace(' ', "_").replace('`', "")
    }
}
