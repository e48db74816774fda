use std::io;

use super::{AnyListener, cannot_listen};

/// Takes the sockets that systemd passes. On this platform there are none.
#[cfg(feature = "systemd")]
pub fn inherited() -> usize {
    0
}

pub(super) fn bind(_name: Option<&str>) -> io::Result<AnyListener> {
    let reason = "enable the feature `systemd` of tower-fastcgi";
    Err(cannot_listen("systemd", &io::Error::new(io::ErrorKind::Unsupported, reason)))
}
