use std::task::{Context, Waker};

/// Keeps the waker of the task that polls. Whether that is another than was kept.
#[inline]
pub(crate) fn keep(kept: &mut Option<Waker>, cx: &Context<'_>) -> bool {
    let is_new = !kept.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
    if is_new {
        *kept = Some(cx.waker().clone());
    }
    is_new
}
