//! `fcgi check`: how an application keeps to the FastCGI specification.

mod ask;
mod case;
mod cases;
mod head;
mod link;
mod options;
mod reply;
mod report;
mod run;
mod target;
mod verdict;
mod wire;

use self::case::Case;
pub(crate) use self::options::Options;
use self::report::Report;
use self::target::Target;
use self::verdict::Verdict;
use crate::connect::connect;
use crate::failure::{Exit, Failure, Outcome};
use crate::{runtime, terminal};

pub(crate) fn run(options: &Options) -> Outcome {
    let cases = chosen(options)?;
    let Some(address) = options.address.as_ref().filter(|_| !options.list) else {
        return terminal::print(report::list(&cases, options.json).as_bytes());
    };
    runtime::block_on(check(&Target::new(options, address), &cases))
}

async fn check(target: &Target<'_>, cases: &[Case]) -> Outcome {
    connect(target.address(), Some(target.options().timeout)).await?;
    let report = Report::new(cases, target.options().json);
    let usual = target.try_usual().await;
    report.start(target, usual)?;
    let verdicts = run::all(target, cases, |verdict| report.verdict(verdict)).await?;
    report.end(target, usual.ok(), &verdicts)?;
    match verdicts.iter().any(Verdict::is_violation) {
        true => Err(Failure::findings()),
        false => Ok(()),
    }
}

/// The cases that are asked for: of that very name, or else with it in theirs.
fn chosen(options: &Options) -> Outcome<Vec<Case>> {
    let all = cases::all();
    if options.only.is_empty() {
        return Ok(all);
    }
    let mut chosen = Vec::new();
    for only in &options.only {
        let is_exact = all.iter().any(|case| case.name == only);
        let is_chosen =
            |case: &&Case| case.name == only || (!is_exact && case.name.contains(&**only));
        let found = all.iter().filter(is_chosen);
        let before = chosen.len();
        chosen.extend(found.copied());
        if chosen.len() == before {
            let failure = Failure::new(Exit::Usage, format_args!("no case is named {only:?}"));
            return Err(failure.advise("fcgi check --list prints the names"));
        }
    }
    Ok(chosen)
}
