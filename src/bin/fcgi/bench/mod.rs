//! `fcgi bench`: load on an application, and how long its responses take.

mod distribution;
mod expected;
mod figures;
mod json;
mod load;
mod options;
mod payload;
mod plan;
mod progress;
mod report;
mod slot;
mod tally;
mod trial;
mod trouble;

use self::load::Load;
pub(crate) use self::options::Options;
use self::plan::Plan;
use crate::failure::{Failure, Outcome};
use crate::{runtime, terminal};

pub(crate) fn run(options: &Options) -> Outcome {
    let plan = Plan::new(options)?;
    runtime::block_on(measure(plan, options.json))
}

async fn measure(plan: Plan, is_json: bool) -> Outcome {
    let expected = trial::run(&plan).await?;
    let load = Load::new(plan, expected);
    let measured = load.clone().run().await;
    terminal::print(load.report(&measured, is_json).as_bytes())?;
    match measured.tally.error_count() == 0 && measured.tally.responses() > 0 {
        true => Ok(()),
        false => Err(Failure::findings()),
    }
}
