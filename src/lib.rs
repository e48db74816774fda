//! FastCGI for tower services (crate page to come).
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cgi;
mod error;
pub mod record;

pub use self::cgi::{Forwarded, Params, ParamsIter, UriSource};
pub use self::error::{Error, Result};
pub use self::record::Role;
