//! Serving FastCGI connections, on any runtime.
//!
//! [`Builder::serve_connection`] turns a transport and a service into a [`Connection`], a future that serves all requests of
//! that transport, in the way of hyper's `server::conn::http1`. The transport implements [`hyper::rt::Read`] and
//! [`hyper::rt::Write`]; for tokio's, wrap it in `hyper_util::rt::TokioIo`. [`serve`](crate::serve()) does all of this for a
//! listener.

mod backlog;
mod builder;
mod connection;
mod data;
mod dispatch;
mod driver;
mod exchange;
mod exec;
mod first_turns;
mod foreign;
mod graceful;
mod intake;
mod observe;
mod params;
mod respond;
mod service;
mod stderr;
#[cfg(feature = "tracing-subscriber")]
mod stderr_layer;
mod task;
mod values;

pub use self::builder::Builder;
pub use self::connection::{Connection, Parts};
#[cfg(feature = "http")]
pub(crate) use self::driver::Panicked;
pub use self::exec::{ExchangeExec, InPlace};
#[cfg(feature = "tokio")]
pub(crate) use self::graceful::Watched;
pub use self::graceful::{GracefulConnection, GracefulShutdown};
#[cfg(feature = "tokio")]
pub(crate) use self::observe::Observers;
pub use self::observe::{Observer, RequestEnd};
pub use self::service::HttpService;
pub use self::stderr::Stderr;
#[cfg(feature = "tracing-subscriber")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing-subscriber")))]
pub use self::stderr_layer::StderrLayer;
pub use self::task::ExchangeTask;
pub use crate::cgi::{Forwarded, UriSource};
