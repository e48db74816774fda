use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::trouble::{Kind, Trouble};

/// What was measured.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Of right responses, in nanoseconds.
    pub(super) latencies: Histogram<u64>,
    /// Of their bodies.
    pub(super) bytes: u64,
    pub(super) errors: BTreeMap<Kind, Errors>,
}

/// Errors of a kind.
#[derive(Clone, Debug)]
pub(super) struct Errors {
    pub(super) count: u64,
    /// What the first of them said.
    pub(super) example: String,
}

impl Tally {
    pub(super) fn record(&mut self, latency: Duration, outcome: Result<u64, Trouble>) {
        match outcome {
            Ok(bytes) => {
                self.bytes += bytes;
                let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
                self.latencies.record(nanos.max(1)).expect("it grows with what is recorded");
            }
            Err(trouble) => self.add_errors(trouble.kind, 1, &trouble.message),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.latencies += &other.latencies;
        self.bytes += other.bytes;
        for (&kind, errors) in &other.errors {
            self.add_errors(kind, errors.count, &errors.example);
        }
    }

    pub(super) fn responses(&self) -> u64 {
        self.latencies.len()
    }

    pub(super) fn error_count(&self) -> u64 {
        self.errors.values().map(|errors| errors.count).sum()
    }

    fn add_errors(&mut self, kind: Kind, count: u64, example: &str) {
        let new = || Errors { count: 0, example: example.to_owned() };
        self.errors.entry(kind).or_insert_with(new).count += count;
    }
}

impl Default for Tally {
    fn default() -> Self {
        let mut latencies = Histogram::new(DIGITS).expect("3 digits are allowed");
        latencies.auto(true);
        Self { latencies, bytes: 0, errors: BTreeMap::new() }
    }
}

/// Latencies are told to a thousandth.
const DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let mut sum = Tally::default();
        for shift in 0..3 {
            let mut tally = Tally::default();
            for index in 1..=1000 {
                tally.record(Duration::from_micros(index + 1000 * shift), Ok(10));
            }
            tally.record(Duration::from_secs(1), Err(Trouble::new(Kind::Status, shift)));
            sum.merge(&tally);
        }
        assert_eq!((sum.responses(), sum.bytes, sum.error_count()), (3000, 30_000, 3));
        assert_eq!(sum.errors[&Kind::Status].example, "0");
        for (quantile, micros) in [(0.5, 1500.0), (0.99, 2970.0), (1.0, 3000.0)] {
            let found = sum.latencies.value_at_quantile(quantile) as f64 / 1000.0;
            assert!((found / micros - 1.0).abs() < 0.002, "{quantile}: {found}");
        }
    }
}
