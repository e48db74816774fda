/// Appends `part`. Grows like a vector does, in leaps, but never beyond `most` bytes, which the result does not exceed.
pub(crate) fn append(buffer: &mut Vec<u8>, part: &[u8], most: usize) {
    let len = buffer.len() + part.len();
    debug_assert!(len <= most, "the limit is checked before");
    if buffer.capacity() < len {
        let leap = if buffer.is_empty() { len } else { 2 * len };
        buffer.reserve_exact(leap.min(most) - buffer.len());
    }
    buffer.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_in_leaps_and_not_beyond_the_limit() {
        let mut buffer = Vec::new();
        append(&mut buffer, &[1; 10], 100);
        assert_eq!(buffer.capacity(), 10);
        append(&mut buffer, &[2], 100);
        assert_eq!(buffer.capacity(), 22);
        append(&mut buffer, &[3; 60], 100);
        assert_eq!((buffer.len(), buffer.capacity()), (71, 100));
        append(&mut buffer, &[4; 29], 100);
        assert_eq!((buffer.len(), buffer.capacity()), (100, 100));
        assert!(buffer.starts_with(&[1; 10]) && buffer.ends_with(&[4; 29]));
    }
}
