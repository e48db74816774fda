//! `fcgi request`: one request to an application.

mod exchange;
mod explain;
mod options;
mod order;
mod output;
mod progress;
mod report;
mod stderr;
mod target;
mod transcript;
mod upload;
mod values;

pub(crate) use self::options::Options;

use self::exchange::Exchange;
use self::order::Order;
use crate::failure::{Failure, Outcome};
use crate::{runtime, terminal};

pub(crate) fn run(options: Options) -> Outcome {
    let outcome = match &options.target {
        Some(target) => Order::new(&options, target).and_then(|order| perform(&options, order)),
        None => runtime::block_on(values::run(&options)),
    };
    outcome.map_err(|failure| match options.tells_errors() {
        true => failure,
        false => failure.silenced(),
    })
}

fn perform(options: &Options, order: Order) -> Outcome {
    let mut exchange = Exchange::new(options);
    let outcome = runtime::block_on(exchange.run(order));
    if !options.json {
        return outcome;
    }
    let failure = outcome.as_ref().err();
    let report = report::report(options, &exchange, failure);
    terminal::print(format!("{report}\n").as_bytes())?;
    // The object tells it.
    outcome.map_err(Failure::silenced)
}
