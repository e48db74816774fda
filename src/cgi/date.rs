use std::cell::Cell;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// Appends the time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
pub(super) fn put_now(dst: &mut Vec<u8>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    dst.extend_from_slice(&text_of(now.as_secs()));
}

/// The text is made once per second and thread.
fn text_of(second: u64) -> Text {
    let (cached, text) = CACHE.get();
    if cached == second {
        return text;
    }
    let text = format(second);
    CACHE.set((second, text));
    text
}

fn format(second: u64) -> Text {
    let time = UNIX_EPOCH + Duration::from_secs(second.min(LAST_SECOND));
    let mut text = [0; 29];
    write!(&mut text[..], "{}", HttpDate::from(time)).expect("an HTTP date has 29 characters");
    text
}

type Text = [u8; 29];

thread_local! {
    static CACHE: Cell<(u64, Text)> = Cell::new((0, format(0)));
}

/// The end of the year 9999; `httpdate` panics on what comes after.
const LAST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_an_imf_fixdate() {
        assert_eq!(&text_of(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&text_of(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&text_of(784_111_778), b"Sun, 06 Nov 1994 08:49:38 GMT");
    }

    #[test]
    fn a_clock_gone_wild_panics_nowhere() {
        assert_eq!(&text_of(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(&text_of(u64::MAX), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn now_is_now() {
        let before = SystemTime::now() - Duration::from_secs(1);
        let mut dst = b"Date: ".to_vec();
        put_now(&mut dst);
        let text = std::str::from_utf8(&dst).unwrap().strip_prefix("Date: ").unwrap();
        let time = httpdate::parse_http_date(text).unwrap();
        assert!(before <= time && time <= SystemTime::now());
    }
}
