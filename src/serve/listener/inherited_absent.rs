use std::io;

use super::AnyListener;

pub(super) fn stdin() -> io::Result<AnyListener> {
    Err(io::ErrorKind::Unsupported.into())
}
