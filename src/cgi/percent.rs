//! Percent-encoding (RFC 3986 section 2.1).

/// Encodes the bytes that must not pass.
pub(super) fn put_encoded(dst: &mut Vec<u8>, bytes: &[u8], passes: impl Fn(u8) -> bool) {
    for &byte in bytes {
        if passes(byte) {
            dst.push(byte);
        } else {
            dst.extend_from_slice(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
        }
    }
}

fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + nibble - 10,
    }
}

/// Decodes what is percent-encoded. A `%` that encodes nothing stays.
pub(super) fn decode(mut encoded: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(encoded.len());
    while let Some((byte, rest)) = decode_first(encoded) {
        decoded.push(byte);
        encoded = rest;
    }
    decoded
}

/// The first byte, decoded, and what comes behind it. `None` if there is none.
pub(super) fn decode_first(encoded: &[u8]) -> Option<(u8, &[u8])> {
    let (&first, rest) = encoded.split_first()?;
    let decoded = match (first, rest) {
        (b'%', [high, low, rest @ ..]) => hex(*high, *low).map(|byte| (byte, rest)),
        _ => None,
    };
    Some(decoded.unwrap_or((first, rest)))
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_encodes_nothing_stays() {
        assert_eq!(decode(b"/a%20b%2Fc%C3%a9%ff"), b"/a b/c\xc3\xa9\xff");
        assert_eq!(decode(b"/%2541"), b"/%41");
        assert_eq!(decode(b"/%4"), b"/%4");
        assert_eq!(decode(b"/%%41%zz%"), b"/%A%zz%");
        assert_eq!(decode(b"%00"), b"\0");
    }

    #[test]
    fn only_what_must_not_pass_is_encoded() {
        let mut encoded = Vec::new();
        put_encoded(&mut encoded, b"a/%\xff\0", |byte| byte == b'a');
        assert_eq!(encoded, b"a%2F%25%FF%00");
    }
}
