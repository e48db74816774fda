//! The web servers, a file each. A file says how its server is started in each setup, and what it cannot do.

use crate::variant::Variant;

mod caddy;
mod config;
mod haproxy;
mod nginx;

pub(crate) fn variants() -> Vec<Variant> {
    [nginx::variants(), caddy::variants(), haproxy::variants()].into_iter().flatten().collect()
}
