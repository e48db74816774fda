//! What stands in for `axum` where the feature is off.

use std::net::SocketAddr;

use http::Extensions;

pub(crate) fn insert_connect_info(_extensions: &mut Extensions, _address: SocketAddr) {}
