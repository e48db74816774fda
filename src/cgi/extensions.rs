use std::sync::LazyLock;

use http::Extensions;

/// Extensions without an entry, but with room for what this crate and axum put into a request's.
///
/// They cannot be made with a capacity and would grow twice. A copy has the room of its original.
pub(super) fn roomy() -> Extensions {
    ROOMY.clone()
}

static ROOMY: LazyLock<Extensions> = LazyLock::new(|| {
    let mut extensions = Extensions::new();
    extensions.insert(Filler::<0>);
    extensions.insert(Filler::<1>);
    extensions.insert(Filler::<2>);
    extensions.insert(Filler::<3>);
    extensions.clear();
    extensions
});

/// Four of them are one more than the smallest table holds; the next one holds seven.
#[derive(Clone)]
struct Filler<const N: usize>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_in_them() {
        assert!(roomy().is_empty());
        assert_eq!(roomy().len(), 0);
    }
}
