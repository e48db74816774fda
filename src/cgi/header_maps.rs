use std::cell::Cell;

use http::HeaderMap;

/// An empty map for the headers of a request: the one that a response has left, if the last request would have fit.
pub(super) fn take() -> HeaderMap {
    match SPARE.take() {
        Some(map) if map.capacity() >= LAST_COUNT.get() => map,
        _ => HeaderMap::with_capacity(USUAL_COUNT),
    }
}

/// To be told what became of a map, so that the next is large enough.
pub(super) fn on_filled(map: &HeaderMap) {
    LAST_COUNT.set(map.keys_len());
}

/// Keeps the map of a written response for the next request, unless it is too small for that or wastes memory.
pub(crate) fn recycle(mut map: HeaderMap) {
    let fits = map.capacity() >= LAST_COUNT.get().max(1);
    if fits && map.capacity().max(map.len()) <= MOST {
        map.clear();
        SPARE.set(Some(map));
    }
}

/// What a browser sends fits without growing.
const USUAL_COUNT: usize = 24;

/// The capacity after [`USUAL_COUNT`]'s.
const MOST: usize = 48;

thread_local! {
    static SPARE: Cell<Option<HeaderMap>> = const { Cell::new(None) };
    static LAST_COUNT: Cell<usize> = const { Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    /// A map of a capacity that only it has.
    fn map(count: u16) -> HeaderMap {
        let name = |index| HeaderName::try_from(format!("x-{index}")).unwrap();
        (0..count).map(|index| (name(index), index.into())).collect()
    }

    fn is_recycled(response: HeaderMap, last_request: u16) -> bool {
        let capacity = response.capacity();
        recycle(response);
        on_filled(&map(last_request));
        let next = take();
        assert!(next.is_empty());
        assert!(next.capacity() >= usize::from(last_request).min(USUAL_COUNT));
        assert_eq!(SPARE.take(), None);
        next.capacity() == capacity
    }

    #[test]
    fn a_map_that_the_last_request_fits_is_used_again() {
        assert!(is_recycled(map(6), 6));
        assert!(is_recycled(map(12), 6));
        assert!(!is_recycled(map(6), 7));
        assert!(!is_recycled(HeaderMap::new(), 0));
        assert_eq!(map(6).capacity(), 6);
    }

    #[test]
    fn a_map_that_the_last_request_would_not_have_fit_is_not_kept() {
        on_filled(&map(7));
        recycle(map(6));
        assert_eq!(SPARE.take(), None);
    }

    #[test]
    fn a_large_map_is_not_kept() {
        assert!(!is_recycled(map(49), 6));
        let mut repeated = map(1);
        (0..MOST).for_each(|_| assert!(repeated.append("x-0", 0.into())));
        assert!(!is_recycled(repeated, 1));
    }
}
