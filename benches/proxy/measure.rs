//! Both sides of a row, in turns.

use std::io;

use crate::row::Row;
use crate::site::{Cost, Site};
use crate::statistics::{median, range};

/// What came of a row: the subject's cost and the other's, for each round.
#[derive(Debug)]
pub(crate) struct Rounds(Vec<[Cost; 2]>);

/// One figure of a row. The ratio is the median of the rounds' ratios, so that what disturbs the machine for longer than a
/// round disturbs both of its sides alike.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) subject: f64,
    pub(crate) beside: f64,
    pub(crate) ratio: f64,
    pub(crate) ratios: (f64, f64),
}

impl Rounds {
    pub(crate) fn figure(&self, of: fn(&Cost) -> f64) -> Figure {
        let ratios = || self.0.iter().map(|[subject, beside]| of(subject) / of(beside));
        Figure {
            subject: median(self.0.iter().map(|round| of(&round[0]))),
            beside: median(self.0.iter().map(|round| of(&round[1]))),
            ratio: median(ratios()),
            ratios: range(ratios()),
        }
    }
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
