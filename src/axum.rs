//! What axum's handlers expect of a server.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::Extensions;

/// Makes axum's `ConnectInfo` and what is built on it work as with `axum::serve`.
pub(crate) fn insert_connect_info(extensions: &mut Extensions, address: SocketAddr) {
    extensions.insert(ConnectInfo(address));
}
