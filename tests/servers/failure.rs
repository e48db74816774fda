//! How a probe failed, so that two failures can be compared.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use crate::app;

/// Why a probe did not pass.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    /// File and line of what panicked, if that was not in a task of its own.
    place: Option<String>,
    pub(crate) hung: bool,
}

impl Failure {
    pub(crate) fn hung(bound: Duration) -> Self {
        Self { text: format!("not done within {bound:?}"), place: None, hung: true }
    }

    /// The output of a future, unless it panics.
    pub(crate) async fn catch<F: Future>(future: F) -> Result<F::Output, Self> {
        let caught = AssertUnwindSafe(future).catch_unwind().await;
        // A panic and the end of the future are in the same poll, so nothing else on this thread comes between.
        let place = PLACE.take();
        caught.map_err(|panic| Self { text: text(&*panic), place, hung: false })
    }

    /// Whether the same check failed, and saw the same if it tells what it saw.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let values = |text: &str| -> Vec<String> {
            let is_value = |line: &&str| line.trim().starts_with("left:");
            text.lines().filter(is_value).map(Into::into).collect()
        };
        self.is_at_the_place_of(other) && values(&self.text) == values(&other.text)
    }

    /// Whether the same check failed, whatever it saw.
    pub(crate) fn is_at_the_place_of(&self, other: &Self) -> bool {
        self.hung == other.hung && self.place == other.place
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.as_deref().unwrap_or("in a task");
        write!(f, "{place}: {}", self.text)
    }
}

/// From now on the panics of probes are remembered instead of being printed: they come up again as failures.
pub(crate) fn remember_places() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().is::<app::Expected>() {
            return;
        }
        PLACE.set(info.location().map(ToString::to_string));
        // The threads of trials have no name.
        if std::thread::current().name().is_some() {
            hook(info);
        }
    }));
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied()).unwrap_or("panicked").to_owned()
}

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}
