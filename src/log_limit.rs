use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets one line pass in [`INTERVAL`], and counts those that it withholds: whoever can provoke a line must not be able to fill
/// the disk.
#[derive(Debug, Default)]
pub(crate) struct LogLimit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    withheld: u64,
}

impl LogLimit {
    /// If a line may be written now, how many were withheld since the last.
    pub(crate) fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = state.last.is_some_and(|last| now.duration_since(last) < INTERVAL);
        if is_early {
            state.withheld += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.withheld))
    }
}

const INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_ten_seconds_and_the_number_of_the_others() {
        let limit = LogLimit::default();
        let start = Instant::now();
        let at = |milliseconds| limit.pass_at(start + Duration::from_millis(milliseconds));
        assert_eq!(at(0), Some(0));
        assert_eq!(at(1), None);
        assert_eq!(at(9_999), None);
        assert_eq!(at(10_000), Some(2));
        assert_eq!(at(19_999), None);
        assert_eq!(at(30_000), Some(1));
        assert_eq!(at(40_000), Some(0));
    }
}
