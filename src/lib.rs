//! FastCGI for tower services (crate page to come).
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "tracing"), allow(unused_variables))]

#[cfg(feature = "axum")]
mod axum;
#[cfg(not(feature = "axum"))]
#[path = "axum_absent.rs"]
mod axum;
mod body;
mod cgi;
mod codec;
mod error;
pub mod record;
pub mod server;
mod trace;

pub use self::body::Incoming;
pub use self::cgi::{Params, ParamsIter};
pub use self::error::{Error, Result};
pub use self::record::Role;
