//! Runs probes against one variant.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::timeout;

use crate::application::Options;
use crate::failure::Failure;
use crate::probes::Probe;
use crate::site::{RUNTIME, Site};
use crate::variant::{How, Limit, Variant};

/// A variant, with the application and with the raw responder behind it.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) variant: Arc<Variant>,
    with_application: Slot,
    with_responder: Slot,
}

/// What a probe is found to say of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    Passes,
    /// With the raw responder, too.
    Cannot(Limit),
}

impl Bench {
    pub(crate) fn new(variant: Arc<Variant>) -> Self {
        Self { variant, with_application: Slot::default(), with_responder: Slot::default() }
    }

    /// Errors tell a person what happened.
    pub(crate) fn run(&self, probe: Probe) -> Result<Verdict, String> {
        if let Some(limit) = probe.needs.iter().find_map(|needed| self.variant.limit(needed)) {
            return Ok(Verdict::Cannot(limit));
        }
        match self.variant.limit(probe.name) {
            Some(limit) => self.check_limit(probe, limit).map(|()| Verdict::Cannot(limit)),
            None => ask(&self.application()?, probe, PROBE_BOUND).map(|()| Verdict::Passes),
        }
    }

    pub(crate) fn run_raw(&self, probe: Probe) -> Result<(), String> {
        ask(&self.responder()?, probe, PROBE_BOUND)
    }

    /// The probe must fail, and in the same way for the application and for the raw responder.
    fn check_limit(&self, probe: Probe, limit: Limit) -> Result<(), String> {
        match limit.how {
            How::SeesAtTimes => return self.check_at_times(probe),
            How::Sees | How::Waits => {}
        }
        let bound = if limit.how == How::Waits { VAIN_BOUND } else { PROBE_BOUND };
        let (application, responder) = (self.application()?, self.responder()?);
        let (ours, raw) = RUNTIME.block_on(async {
            tokio::join!(attempt(&application, probe, bound), attempt(&responder, probe, bound))
        });
        let Err(ours) = ours else { return Err(format!("it can: `{}` is not true", limit.reason)) };
        let Err(raw) = raw else {
            return Err(format!("the raw responder does not fail, but the application:\n{ours}"));
        };
        if ours.hung != (limit.how == How::Waits) {
            return Err(format!("it fails otherwise than was declared:\n{ours}"));
        }
        if !ours.is_like(&raw) {
            return Err(format!("the application:\n{ours}\nbut the raw responder:\n{raw}"));
        }
        Ok(())
    }

    /// Tries until it fails.
    fn check_at_times(&self, probe: Probe) -> Result<(), String> {
        let failure = |start: &dyn Fn() -> Result<Arc<Site>, String>| {
            for _ in 0..TRIES {
                let failed = RUNTIME.block_on(attempt(&start()?, probe, PROBE_BOUND));
                if let Err(failure) = failed {
                    return Ok(failure);
                }
            }
            Err(format!("it can, {TRIES} times"))
        };
        let ours = failure(&|| self.application())?;
        let raw =
            failure(&|| self.responder()).map_err(|error| format!("raw responder: {error}"))?;
        if ours.is_at_the_place_of(&raw) {
            return Ok(());
        }
        Err(format!("the application:\n{ours}\nbut the raw responder:\n{raw}"))
    }

    fn application(&self) -> Result<Arc<Site>, String> {
        self.site(&self.with_application, || Site::start(self.variant.clone(), Options::default()))
    }

    fn responder(&self) -> Result<Arc<Site>, String> {
        self.site(&self.with_responder, || Site::start_raw(self.variant.clone(), None))
    }

    fn site<F>(&self, shared: &Slot, start: impl FnOnce() -> F) -> Result<Arc<Site>, String>
    where
        F: Future<Output = std::io::Result<Site>>,
    {
        if self.variant.multiplexes { Slot::default().get(start) } else { shared.get(start) }
    }
}

/// A site that starts with the first probe that needs it, and again when its server is gone.
#[derive(Debug, Default)]
struct Slot(Mutex<Option<Result<Arc<Site>, String>>>);

impl Slot {
    fn get<F>(&self, start: impl FnOnce() -> F) -> Result<Arc<Site>, String>
    where
        F: Future<Output = std::io::Result<Site>>,
    {
        let mut slot = self.0.lock().expect("no holder panics");
        if let Some(Ok(site)) = &*slot
            && !site.runs()
        {
            *slot = None;
        }
        let start = || RUNTIME.block_on(start()).map(Arc::new).map_err(|error| error.to_string());
        slot.get_or_insert_with(start).clone()
    }
}

fn ask(site: &Arc<Site>, probe: Probe, bound: Duration) -> Result<(), String> {
    let asked = RUNTIME.block_on(attempt(site, probe, bound));
    asked.map_err(|failure| {
        format!("{failure}\n--- the end of the server's log\n{}", site.log_tail())
    })
}

async fn attempt(site: &Arc<Site>, probe: Probe, bound: Duration) -> Result<(), Failure> {
    let attempt = timeout(bound, (probe.run)(site.clone()));
    match Failure::catch(attempt).await? {
        Ok(()) => Ok(()),
        Err(_) => Err(Failure::hung(bound)),
    }
}

/// Far above what the longest probe takes on a slow machine.
const PROBE_BOUND: Duration = Duration::from_secs(300);
/// For what fails now and then.
const TRIES: usize = 500;
/// For what never comes. Too short a wait makes the check weaker, never wrong.
const VAIN_BOUND: Duration = Duration::from_secs(1);
