use std::fmt;

use bytes::BufMut;

/// Iterates over name-value pairs (section 3.4) as they stand on the wire, in order, duplicates included.
///
/// The lengths are checked against the bytes at hand; nothing is allocated. After an error the iterator ends.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::record::{Pairs, put_pair};
///
/// let mut wire = Vec::new();
/// put_pair(&mut wire, b"REQUEST_METHOD", b"GET");
/// let pairs: Result<Vec<_>, _> = Pairs::new(&wire).collect();
/// assert_eq!(pairs?, [(&b"REQUEST_METHOD"[..], &b"GET"[..])]);
/// # Ok::<(), tower_fastcgi::record::PairError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// The pairs in `bytes`: the contents of a whole stream, or of one FCGI_GET_VALUES(_RESULT) record.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), PairError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((pair, rest)) = split_short(self.rest).or_else(|| split(self.rest)) else {
            self.rest = &[];
            return Some(Err(PairError));
        };
        self.rest = rest;
        Some(Ok(pair))
    }
}

/// A pair and what follows it.
type Split<'a> = ((&'a [u8], &'a [u8]), &'a [u8]);

/// Most names and values have less than 128 bytes.
#[inline]
fn split_short(bytes: &[u8]) -> Option<Split<'_>> {
    let &[name_len, value_len, ref rest @ ..] = bytes else { return None };
    if (name_len | value_len) >= LONG {
        return None;
    }
    let (pair, rest) = rest.split_at_checked(usize::from(name_len) + usize::from(value_len))?;
    Some((pair.split_at(usize::from(name_len)), rest))
}

#[cold]
fn split(bytes: &[u8]) -> Option<Split<'_>> {
    let (name_len, rest) = split_length(bytes)?;
    let (value_len, rest) = split_length(rest)?;
    let (name, rest) = rest.split_at_checked(name_len)?;
    let (value, rest) = rest.split_at_checked(value_len)?;
    Some(((name, value), rest))
}

fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < LONG {
        return Some((usize::from(first), rest));
    }
    let (long, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_be_bytes(*long) & LENGTH_MASK).ok()?, rest))
}

impl std::iter::FusedIterator for Pairs<'_> {}

/// The bytes end within a name-value pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairError;

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("name-value pairs end within a pair")
    }
}

impl std::error::Error for PairError {}

/// Appends one name-value pair.
///
/// # Panics
///
/// If the name or the value is 2 GiB or longer, which the format cannot express.
pub fn put_pair(dst: &mut impl BufMut, name: &[u8], value: &[u8]) {
    put_length(dst, name.len());
    put_length(dst, value.len());
    dst.put_slice(name);
    dst.put_slice(value);
}

fn put_length(dst: &mut impl BufMut, len: usize) {
    match u8::try_from(len) {
        Ok(short) if short < LONG => dst.put_u8(short),
        _ => {
            let long = u32::try_from(len).ok().filter(|len| len & !LENGTH_MASK == 0);
            dst.put_u32(long.expect("a name or value is shorter than 2 GiB") | !LENGTH_MASK);
        }
    }
}

/// A first byte from here on is the start of a four-byte length.
const LONG: u8 = 0x80;
const LENGTH_MASK: u32 = 0x7fff_ffff;
