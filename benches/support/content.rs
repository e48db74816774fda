//! What the servers answer and the load generator expects.

pub(crate) const HELLO: &str = "Hello, World!";
pub(crate) const KIB_64: usize = 64 * 1024;
pub(crate) const MIB: usize = 1024 * 1024;

/// Bytes that differ from their neighbours, so that lost or doubled ones are noticed.
pub(crate) fn body(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}
