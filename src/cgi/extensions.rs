use std::sync::LazyLock;

use http::Extensions;

use crate::record::Role;

/// Extensions with a role, and with room for what else this crate and axum put into a request's.
///
/// They cannot be made with a capacity and would grow twice. A copy has the room of its original, and its entries at half of what
/// it takes to insert them.
pub(super) fn roomy(role: Role) -> Extensions {
    let mut extensions = RESPONDER.clone();
    if role != Role::Responder {
        extensions.insert(role);
    }
    extensions
}

static RESPONDER: LazyLock<Extensions> = LazyLock::new(|| {
    let mut extensions = Extensions::new();
    extensions.insert(Filler::<0>);
    extensions.insert(Filler::<1>);
    extensions.insert(Filler::<2>);
    extensions.insert(Filler::<3>);
    extensions.clear();
    extensions.insert(Role::Responder);
    extensions
});

/// Four of them are one more than the smallest table holds; the next one holds seven.
#[derive(Clone)]
struct Filler<const N: usize>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_is_in_them_and_nothing_else() {
        for role in [Role::Responder, Role::Authorizer, Role::Filter] {
            assert_eq!(roomy(role).get(), Some(&role));
            assert_eq!(roomy(role).len(), 1);
        }
    }
}
