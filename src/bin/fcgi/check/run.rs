use console::Term;

use super::case::{Case, Found, Obstacle, departs, unclear};
use super::target::Target;
use super::verdict::{Kind, Verdict};
use crate::failure::Outcome;

/// Runs the cases one after the other, for an application may take one connection at a time, and tells of each.
pub(super) async fn all(
    target: &Target<'_>,
    cases: &[Case],
    mut tell: impl FnMut(&Verdict) -> Outcome,
) -> Outcome<Vec<Verdict>> {
    let progress = Progress::new();
    let mut is_gone = false;
    let mut verdicts = Vec::with_capacity(cases.len());
    for (index, case) in cases.iter().enumerate() {
        progress.show(&format!("{}/{} {}", index + 1, cases.len(), case.name));
        let found = if is_gone { unclear(GONE) } else { one(target, case).await };
        let mut verdict = Verdict::new(*case, found);
        if verdict.kind != Kind::Conforms && !is_gone && target.link().await.is_err() {
            is_gone = true;
            verdict = Verdict::new(*case, departs(GONE));
        }
        progress.show("");
        tell(&verdict)?;
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

async fn one(target: &Target<'_>, case: &Case) -> Found {
    let limit = target.options().timeout.saturating_mul(WAITS);
    match tokio::time::timeout(limit, (case.run)(target)).await {
        Ok(Err(Obstacle::NoConnection(_))) => departs(GONE),
        Ok(found) => found,
        Err(_) => departs(format!("not done within {} s", limit.as_secs_f64())),
    }
}

/// The case that runs, on a terminal.
struct Progress(Option<Term>);

impl Progress {
    fn new() -> Self {
        Self(Some(Term::stderr()).filter(Term::is_term))
    }

    fn show(&self, line: &str) {
        if let Some(term) = &self.0 {
            let _ = term.clear_line().and_then(|()| term.write_str(line));
        }
    }
}

/// An application may send one record after the other for ever; no case has as many as this to wait for.
const WAITS: u32 = 6;
const GONE: &str = "the application takes no connections any more";
