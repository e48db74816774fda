//! `tracing`'s macros, or nothing where the feature is off.

#[cfg(feature = "tracing")]
pub(crate) use tracing::{debug, error, trace, warn};

#[cfg(not(feature = "tracing"))]
pub(crate) use absent::{debug, error, trace, warn};

#[cfg(not(feature = "tracing"))]
mod absent {
    macro_rules! silent {
        ($($token:tt)*) => {};
    }
    pub(crate) use {silent as debug, silent as error, silent as trace, silent as warn};
}
