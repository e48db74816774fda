//! Parts of a body, as `Range` asks for them.

/// What a request for `len` bytes is to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// From the first to the last of these.
    Of(usize, usize),
    Nothing,
}

impl Part {
    /// Knows a single range with both ends.
    pub(crate) fn asked_for(range: &str, len: usize) -> Self {
        let ends = range.strip_prefix("bytes=").and_then(|ends| ends.split_once('-'));
        let ends = ends.map(|(first, last)| (first.parse(), last.parse()));
        match ends {
            Some((Ok(first), Ok(last))) if first <= last && last < len => Self::Of(first, last),
            Some((Ok(_), Ok(_))) => Self::Nothing,
            _ => Self::Whole,
        }
    }
}
