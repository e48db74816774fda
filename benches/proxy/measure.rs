//! Both sides of a row, in turns.

use std::io;

use crate::row::Row;
use crate::site::{Cost, Site};
use crate::statistics::Summary;

/// What came of a row: the subject's cost and the other's, for each round.
#[derive(Debug)]
pub(crate) struct Rounds(Vec<[Cost; 2]>);

/// One figure of a row. The ratio is that of the rounds' ratios, so that what disturbs the machine for longer than a round
/// disturbs both sides alike.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) subject: Summary,
    pub(crate) beside: Summary,
    pub(crate) ratio: Summary,
}

impl Rounds {
    pub(crate) fn figure(&self, of: fn(&Cost) -> f64) -> Figure {
        let [subject, beside] = [0, 1].map(|side| self.values(side, of));
        Figure {
            subject: summary(&subject),
            beside: summary(&beside),
            ratio: Summary::of_ratios(&subject, &beside).expect(AT_LEAST_ONE),
        }
    }

    fn values(&self, side: usize, of: fn(&Cost) -> f64) -> Vec<f64> {
        self.0.iter().map(|round| of(&round[side])).collect()
    }
}

pub(crate) fn summary(values: &[f64]) -> Summary {
    Summary::of(values).expect(AT_LEAST_ONE)
}

pub(crate) fn measure(row: &Row, rounds: usize) -> io::Result<Rounds> {
    let mut subject = Site::start(row.subject)?;
    let mut beside = Site::start(row.beside)?;
    let rounds = (0..rounds).map(|round| {
        // Neither side always has the other's end behind it.
        if round % 2 == 0 {
            Ok([load(&mut subject, row)?, load(&mut beside, row)?])
        } else {
            let beside = load(&mut beside, row)?;
            Ok([load(&mut subject, row)?, beside])
        }
    });
    rounds.collect::<io::Result<_>>().map(Rounds)
}

fn load(site: &mut Site, row: &Row) -> io::Result<Cost> {
    site.load(row.work, SECONDS).map_err(|error| site.explain(error))
}

const SECONDS: u64 = 1;
const AT_LEAST_ONE: &str = "the options take no fewer than one round";
