use std::time::{Duration, Instant};

/// Decides which requests of a multiplexed connection get their first turn in place, though an executor could run them.
///
/// A task of its own costs more than what most handlers do, and most are done when they were polled once. But a turn that takes
/// long holds up its siblings. So after such a one the next requests are left to the executor from the start, and more of them
/// each time, until turns in place prove short again. Many that are not that long add up all the same: nothing is written before
/// the last of a read, and other processors stand idle. So there is a bound for them together, too.
#[derive(Debug, Default)]
pub(super) struct FirstTurns {
    /// When the turn under way began; a turn begins when the one before it ends.
    begun: Option<Instant>,
    /// What those since the last read took together.
    spent: Duration,
    /// So many requests get none.
    left_out: u32,
    /// How many did after the last long turn, less one for each short turn since.
    pause: u32,
}

impl FirstTurns {
    /// Whether the next request gets one. If so it begins now.
    pub(super) fn may_begin(&mut self) -> bool {
        if self.left_out > 0 {
            self.left_out -= 1;
            return false;
        }
        if self.spent >= MOST_IN_A_ROW {
            return false;
        }
        self.begun.get_or_insert_with(Instant::now);
        true
    }

    /// The turn is over.
    pub(super) fn on_done(&mut self) {
        let now = Instant::now();
        let begun = self.begun.replace(now);
        self.on_taken(begun.map_or(Duration::ZERO, |begun| now - begun));
    }

    /// No other turn follows at once.
    pub(super) fn on_all_done(&mut self) {
        self.begun = None;
        self.spent = Duration::ZERO;
    }

    fn on_taken(&mut self, time: Duration) {
        self.spent += time;
        if time < LONG {
            self.pause = self.pause.saturating_sub(1);
            return;
        }
        self.pause = (self.pause * 2).clamp(LEAST_PAUSE, MOST_PAUSE);
        self.left_out = self.pause;
        self.begun = None;
    }
}

/// Some twenty times what it takes to run a request elsewhere.
const LONG: Duration = Duration::from_micros(50);

/// As much as a hundred requests take whose handlers do next to nothing.
const MOST_IN_A_ROW: Duration = Duration::from_micros(250);

/// A turn in place is tried again after so many requests,
const LEAST_PAUSE: u32 = 64;
/// and after so many if the trials keep failing.
const MOST_PAUSE: u32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests get no turn before one does, from the next read on.
    fn left_out(turns: &mut FirstTurns) -> u32 {
        turns.on_all_done();
        (0..=MOST_PAUSE).find(|_| turns.may_begin()).expect("one gets a turn at last")
    }

    #[test]
    fn requests_that_are_quick_all_get_a_turn() {
        let mut turns = FirstTurns::default();
        for _ in 0..1000 {
            assert!(turns.may_begin());
            turns.on_taken(LONG - Duration::from_nanos(1));
            turns.on_all_done();
        }
    }

    #[test]
    fn turns_that_are_long_only_together_leave_out_the_rest_of_the_read() {
        let mut turns = FirstTurns::default();
        for _ in 0..3 {
            let in_place = (0..100).filter(|_| {
                let may_begin = turns.may_begin();
                if may_begin {
                    turns.on_taken(LONG * 3 / 5);
                }
                may_begin
            });
            assert_eq!(in_place.count(), 9);
            turns.on_all_done();
        }
        for _ in 0..100 {
            assert!(turns.may_begin());
            turns.on_taken(MOST_IN_A_ROW / 100);
        }
    }

    #[test]
    fn a_long_turn_leaves_the_next_out_and_more_of_them_each_time() {
        let mut turns = FirstTurns::default();
        assert!(turns.may_begin());
        for expected in [64, 128, 256, 512, 1024, 2048, 4096, 4096] {
            turns.on_taken(LONG);
            assert_eq!(left_out(&mut turns), expected);
        }
    }

    #[test]
    fn short_turns_make_up_for_a_long_one_little_by_little() {
        let mut turns = FirstTurns::default();
        let mut pause_after = |short| {
            (0..short).for_each(|_| turns.on_taken(Duration::ZERO));
            turns.on_taken(LONG);
            left_out(&mut turns)
        };
        assert_eq!(pause_after(0), 64);
        assert_eq!(pause_after(14), 100);
        assert_eq!(pause_after(100), 64);
    }

    #[test]
    fn a_turn_lasts_until_it_is_done_however_many_came_before() {
        let mut turns = FirstTurns::default();
        assert!(turns.may_begin());
        let begun = turns.begun;
        assert!(begun.is_some());
        assert!(turns.may_begin(), "the same one");
        assert_eq!(turns.begun, begun);
        turns.on_done();
        assert!(turns.begun > begun);
        turns.on_all_done();
        assert_eq!(turns.begun, None);
    }
}
