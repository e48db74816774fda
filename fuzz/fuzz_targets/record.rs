//! Any bytes, cut anywhere, decode to the same records as in one piece; any content parses to pairs or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_fastcgi::record::{DecodeError, Decoder, Header, Pairs, put_pair};

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, bytes) = input;
    let whole = decode(&[bytes]);
    let chunks: Vec<&[u8]> = bytes.chunks(usize::from(chunk).max(1)).collect();
    assert_eq!(decode(&chunks), whole);
    check_pairs(bytes);
});

/// The records, fragments of one record joined, and the error that ended them.
fn decode(chunks: &[&[u8]]) -> (Vec<(Header, Vec<u8>)>, Option<DecodeError>) {
    let mut decoder = Decoder::new();
    let mut records: Vec<(Header, Vec<u8>)> = Vec::new();
    let mut missing = 0_usize;
    for chunk in chunks {
        let mut input = *chunk;
        loop {
            match decoder.decode(&mut input) {
                Err(error) => return (records, Some(error)),
                Ok(None) => break,
                Ok(Some(fragment)) => {
                    if missing == 0 {
                        records.push((fragment.header, Vec::new()));
                        let is_stream = fragment.header.record_type.is_stream();
                        missing = if is_stream { fragment.header.content_length.into() } else { 0 };
                    }
                    missing = missing.saturating_sub(fragment.content.len());
                    records.last_mut().unwrap().1.extend(fragment.content);
                }
            }
        }
        assert!(input.is_empty());
    }
    (records, None)
}

fn check_pairs(bytes: &[u8]) {
    let Ok(pairs) = Pairs::new(bytes).collect::<Result<Vec<_>, _>>() else { return };
    let mut wire = Vec::new();
    pairs.iter().for_each(|(name, value)| put_pair(&mut wire, name, value));
    assert!(wire.len() <= bytes.len(), "the shortest lengths are written");
    let again: Result<Vec<_>, _> = Pairs::new(&wire).collect();
    assert_eq!(again.unwrap(), pairs);
}
