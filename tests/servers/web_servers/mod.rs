//! The web servers, a file each. A file says how its server is started in each setup, and what it cannot do.

use crate::variant::Variant;

mod apache;
mod caddy;
mod config;
mod h2o;
mod haproxy;
mod lighttpd;
mod nginx;

pub(crate) fn variants() -> Vec<Variant> {
    let servers = [
        nginx::variants(),
        apache::variants(),
        caddy::variants(),
        haproxy::variants(),
        lighttpd::variants(),
        h2o::variants(),
    ];
    servers.into_iter().flatten().collect()
}
