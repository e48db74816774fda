//! FastCGI for tower services (crate page to come).
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
pub mod record;

pub use self::error::{Error, Result};
