use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The timer of a builder, if it has one.
#[derive(Clone, Default)]
pub(super) struct Clock(Option<Arc<dyn Timer + Send + Sync>>);

impl Clock {
    pub(super) fn new(timer: impl Timer + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(timer)))
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "Clock" } else { "no clock" })
    }
}

/// Wakes a task at the earliest of its deadlines.
///
/// A deadline that moves away leaves the timer as it is: it fires early and is set anew then. So a request that is answered
/// before any deadline costs no timer at all.
pub(super) struct Alarm {
    clock: Clock,
    sleep: Option<(Instant, Pin<Box<dyn Sleep>>)>,
}

impl Alarm {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, sleep: None }
    }

    pub(super) fn has_clock(&self) -> bool {
        self.clock.is_set()
    }

    /// The time; `None` without a timer.
    pub(super) fn now(&self) -> Option<Instant> {
        self.clock.0.as_ref().map(|timer| timer.now())
    }

    /// Ready once `deadline` has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let Some(timer) = &self.clock.0 else { return Poll::Pending };
        let (set_for, sleep) =
            self.sleep.get_or_insert_with(|| (deadline, timer.sleep_until(deadline)));
        if *set_for > deadline {
            timer.reset(sleep, deadline);
            *set_for = deadline;
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if *set_for == deadline {
                self.sleep = None;
                return Poll::Ready(());
            }
            timer.reset(sleep, deadline);
            *set_for = deadline;
        }
        Poll::Pending
    }
}

/// Since when something has stood still.
#[derive(Debug, Default)]
pub(super) struct Standstill(Option<(Instant, u64)>);

impl Standstill {
    /// The time at which `limit` will be reached, if `progress` stays the same and this is called at every change.
    pub(super) fn deadline(
        &mut self,
        now: Instant,
        progress: u64,
        limit: Duration,
    ) -> Option<Instant> {
        let since = match self.0 {
            Some((since, seen)) if seen == progress => since,
            _ => now,
        };
        self.0 = Some((since, progress));
        since.checked_add(limit)
    }

    /// Whether `limit` is reached by then.
    pub(super) fn is_over(&self, then: Instant, limit: Duration) -> bool {
        self.0.is_some_and(|(since, _)| since.checked_add(limit).is_some_and(|end| end <= then))
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}
