/// Reads digits and nothing but digits; `None` for anything else, an empty string and an overflow included.
pub(super) fn parse(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Appends the number's digits. `core::fmt` would cost more than the rest of a small head.
pub(super) fn put(dst: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; MAX_DIGITS];
    let mut start = MAX_DIGITS;
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    dst.extend_from_slice(&digits[start..]);
}

/// 18,446,744,073,709,551,615
const MAX_DIGITS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 9, 10, 99, 100, 65_528, u64::MAX - 1, u64::MAX] {
            let mut text = Vec::new();
            put(&mut text, number);
            assert_eq!(text, number.to_string().as_bytes());
            assert_eq!(parse(&text), Some(number));
        }
    }

    #[test]
    fn leading_zeros_change_nothing() {
        assert_eq!(parse(b"007"), Some(7));
        assert_eq!(parse(b"000000000000000000000000000001"), Some(1));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in
            ["", "-1", "+1", " 1", "1 ", "1,1", "0x1", "1.0", "18446744073709551616", "/", ":"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
