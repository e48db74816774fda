use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The timer of a builder, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<dyn Timer + Send + Sync>>);

impl Clock {
    pub(crate) fn new(timer: impl Timer + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(timer)))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// # Panics
    ///
    /// If a timeout was set, but no timer.
    pub(crate) fn assert_suffices(&self, timeouts: &[Timeout]) {
        let needs_timer = timeouts.iter().any(|timeout| matches!(timeout, Timeout::Set(_)));
        assert!(self.is_set() || !needs_timer, "a timeout was set, but no timer");
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "Clock" } else { "no clock" })
    }
}

/// A default timeout is off without a timer; one that was set needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timeout {
    Default(Duration),
    Set(Duration),
    Off,
}

impl Timeout {
    pub(crate) fn new(timeout: impl Into<Option<Duration>>) -> Self {
        timeout.into().map_or(Self::Off, Self::Set)
    }

    pub(crate) fn get(self) -> Option<Duration> {
        match self {
            Self::Default(timeout) | Self::Set(timeout) => Some(timeout),
            Self::Off => None,
        }
    }
}

/// Wakes a task at the earliest of its deadlines.
///
/// A deadline that moves away leaves the timer as it is: it fires early and is set anew then. So a request that is answered
/// before any deadline costs no timer at all.
pub(crate) struct Alarm {
    clock: Clock,
    sleep: Option<(Instant, Pin<Box<dyn Sleep>>)>,
}

impl Alarm {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, sleep: None }
    }

    pub(crate) fn has_clock(&self) -> bool {
        self.clock.is_set()
    }

    /// The time; `None` without a timer.
    pub(crate) fn now(&self) -> Option<Instant> {
        self.clock.0.as_ref().map(|timer| timer.now())
    }

    /// Ready once `deadline` has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
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
pub(crate) struct Standstill(Option<(Instant, u64)>);

impl Standstill {
    /// The time at which `limit` will be reached, if `progress` stays the same and this is called at every change.
    pub(crate) fn deadline(
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
    pub(crate) fn is_over(&self, then: Instant, limit: Duration) -> bool {
        self.0.is_some_and(|(since, _)| since.checked_add(limit).is_some_and(|end| end <= then))
    }

    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}

/// Looks for the earliest of several deadlines.
pub(crate) struct Watch<'a, E> {
    alarm: &'a Alarm,
    now: Option<Instant>,
    earliest: Option<(Instant, E)>,
}

impl<'a, E: Copy> Watch<'a, E> {
    pub(crate) fn new(alarm: &'a Alarm) -> Self {
        Self { alarm, now: None, earliest: None }
    }

    /// Adds what `holds`, unless `progress` was made.
    pub(crate) fn add(
        &mut self,
        age: &mut Standstill,
        holds: bool,
        progress: u64,
        limit: Timeout,
        expired: E,
    ) {
        let Some(limit) = limit.get().filter(|_| holds) else { return age.clear() };
        if self.now.is_none() {
            self.now = self.alarm.now();
        }
        let Some(now) = self.now else { return };
        let Some(deadline) = age.deadline(now, progress, limit) else { return };
        if self.earliest.is_none_or(|(earliest, _)| deadline < earliest) {
            self.earliest = Some((deadline, expired));
        }
    }

    pub(crate) fn earliest(self) -> Option<(Instant, E)> {
        self.earliest
    }
}
