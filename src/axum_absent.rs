//! What stands in for `axum` where the feature is off.

use std::net::SocketAddr;

use http::{Extensions, Uri};

pub(crate) fn insert_connect_info(_extensions: &mut Extensions, _address: SocketAddr) {}

pub(crate) fn insert_original_uri(_extensions: &mut Extensions, _uri: Uri) {}
