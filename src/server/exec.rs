use hyper::rt::Executor;

use super::service::HttpService;
use super::task::ExchangeTask;

/// Runs every request on the task of its connection.
///
/// The default, and all that is needed behind web servers that put one request at a time on a connection, as nginx, Caddy,
/// Apache and lighttpd do.
#[derive(Clone, Copy, Debug, Default)]
pub struct InPlace;

/// Where the requests of a multiplexed connection run: [`InPlace`], or any [`Executor`] of [`ExchangeTask`]s.
///
/// A short name for its bounds. It cannot be implemented otherwise.
pub trait ExchangeExec<S: HttpService>: sealed::Sealed<S> {
    #[doc(hidden)]
    fn executor(&self) -> Option<&dyn Executor<ExchangeTask<S>>>;
}

impl<S: HttpService> ExchangeExec<S> for InPlace {
    fn executor(&self) -> Option<&dyn Executor<ExchangeTask<S>>> {
        None
    }
}

impl<S: HttpService, E: Executor<ExchangeTask<S>>> ExchangeExec<S> for E {
    fn executor(&self) -> Option<&dyn Executor<ExchangeTask<S>>> {
        Some(self)
    }
}

mod sealed {
    use super::{ExchangeTask, Executor, HttpService, InPlace};

    pub trait Sealed<S> {}
    impl<S> Sealed<S> for InPlace {}
    impl<S: HttpService, E: Executor<ExchangeTask<S>>> Sealed<S> for E {}
}
