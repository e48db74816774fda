//! Directories for web servers and what they serve.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

/// A directory that all may enter: when root starts Apache, it runs as someone else.
pub(crate) fn public_dir(parent: &Path) -> io::Result<TempDir> {
    // A Unix socket's path has to be short, and words in capitals stand for something in configurations: two random letters are none.
    let prefix = format!("fcgi-{:x}-", std::process::id());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).rand_bytes(2).permissions(Permissions::from_mode(0o755));
    builder.tempdir_in(parent)
}
