//! `tracing`'s macros, or nothing where the feature is off.

#[cfg(feature = "tracing")]
pub(crate) use tracing::{debug, error, trace, warn};

#[cfg(not(feature = "tracing"))]
pub(crate) use absent::{debug, error, trace, warn};

#[cfg(not(feature = "tracing"))]
mod absent {
    macro_rules! ignore {
        ($($token:tt)*) => {};
    }
    pub(crate) use {ignore as debug, ignore as error, ignore as trace, ignore as warn};
}
