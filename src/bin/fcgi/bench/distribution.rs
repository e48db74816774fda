use hdrhistogram::Histogram;

/// How many latencies lie between two bounds, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) count: u64,
}

/// The latencies in so many ranges at most, each as many times as wide as the one before it: they lie close together at the fast end,
/// and far apart at the slow one.
pub(super) fn buckets(latencies: &Histogram<u64>, most: u32) -> Vec<Bucket> {
    if latencies.is_empty() {
        return Vec::new();
    }
    let (min, max) = (latencies.min().max(1), latencies.max().max(1));
    let factor = (max as f64 / min as f64).powf(1.0 / f64::from(most)).max(NARROWEST);
    let mut buckets = Vec::new();
    let mut from = min;
    let mut left = latencies.len();
    while left > 0 {
        let to = ((from as f64 * factor) as u64).max(from + 1);
        // What the histogram takes for equal must not be counted by two ranges.
        let count = match to > max {
            true => left,
            false => latencies.count_between(from, to - 1).min(left),
        };
        buckets.push(Bucket { from, to, count });
        left -= count;
        from = latencies.highest_equivalent(to - 1) + 1;
    }
    buckets
}

/// No range is narrower than a tenth of its start.
const NARROWEST: f64 = 1.1;

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        values.into_iter().for_each(|value| histogram.record(value).unwrap());
        histogram
    }

    #[test]
    fn every_latency_is_in_one_range() {
        for values in [
            vec![1],
            vec![5000],
            vec![1, 1_000_000_000],
            (1..10_000).collect(),
            (1..2000).map(|value| value * value).collect(),
        ] {
            let histogram = histogram(values.iter().copied());
            let buckets = buckets(&histogram, 12);
            let sum: u64 = buckets.iter().map(|bucket| bucket.count).sum();
            assert_eq!(sum, values.len() as u64);
            assert!(buckets.len() <= 14, "{buckets:?}");
            assert!(buckets.windows(2).all(|pair| pair[0].to <= pair[1].from), "{buckets:?}");
            assert!(buckets.iter().all(|bucket| bucket.from < bucket.to));
        }
        assert_eq!(buckets(&histogram([]), 12), []);
    }

    #[test]
    fn ranges_widen() {
        let buckets = buckets(&histogram([1000, 2000, 1_000_000]), 10);
        let widths: Vec<_> = buckets.iter().map(|bucket| bucket.to - bucket.from).collect();
        assert!(widths.is_sorted(), "{buckets:?}");
        assert_eq!((buckets[0].count, buckets[1].count, buckets[2].count), (1, 1, 0));
    }
}
