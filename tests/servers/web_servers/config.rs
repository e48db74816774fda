//! The examples' own configuration files, moved to other addresses.

/// Replaces `old`, which the file must hold exactly once: else the file and the test have grown apart.
pub(crate) fn replace(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "how often `{old}` stands in the example");
    text.replace(old, new)
}
