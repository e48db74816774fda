//! `tracing`'s macros and spans, or nothing where the feature is off.

#[cfg(all(feature = "tracing", feature = "tokio"))]
pub(crate) use tracing::Instrument;
#[cfg(feature = "tracing")]
pub(crate) use tracing::{Span, debug, debug_span, error, trace, warn};

/// Whether anybody may want a span of level debug. Where `tracing` stands in for `log`, one that nobody wants is not free.
#[cfg(feature = "tracing")]
pub(crate) fn are_spans_wanted() -> bool {
    tracing::level_filters::LevelFilter::current() >= tracing::Level::DEBUG
}

#[cfg(all(not(feature = "tracing"), feature = "tokio"))]
pub(crate) use absent::Instrument;
#[cfg(not(feature = "tracing"))]
pub(crate) use absent::{Span, are_spans_wanted, debug, debug_span, error, trace, warn};

#[cfg(not(feature = "tracing"))]
mod absent {
    #[derive(Clone, Debug)]
    pub(crate) struct Span;

    impl Span {
        pub(crate) fn none() -> Self {
            Self
        }

        pub(crate) fn is_disabled(&self) -> bool {
            true
        }

        pub(crate) fn enter(&self) {}

        pub(crate) fn in_scope<T>(&self, f: impl FnOnce() -> T) -> T {
            f()
        }
    }

    pub(crate) fn are_spans_wanted() -> bool {
        false
    }

    #[cfg(feature = "tokio")]
    pub(crate) trait Instrument: Sized {
        fn instrument(self, _: Span) -> Self {
            self
        }
    }

    #[cfg(feature = "tokio")]
    impl<F: Future> Instrument for F {}

    macro_rules! silent {
        ($($token:tt)*) => {{}};
    }

    macro_rules! no_span {
        ($($token:tt)*) => {
            $crate::trace::Span::none()
        };
    }

    pub(crate) use no_span as debug_span;
    pub(crate) use {silent as debug, silent as error, silent as trace, silent as warn};
}
