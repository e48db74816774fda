/// A time in nanoseconds, in three digits.
pub(super) fn duration(nanos: f64) -> String {
    let (value, unit) = match nanos {
        ..1e3 => (nanos, "ns"),
        ..1e6 => (nanos / 1e3, "us"),
        ..1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

/// A number of bytes, in three digits.
pub(super) fn bytes(bytes: f64) -> String {
    let (value, unit) = match bytes {
        ..1e3 => return format!("{bytes:.0} B"),
        ..1e6 => (bytes / 1e3, "kB"),
        ..1e9 => (bytes / 1e6, "MB"),
        _ => (bytes / 1e9, "GB"),
    };
    format!("{} {unit}", three_digits(value))
}

fn three_digits(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let nanos = [0.0, 999.0, 1e3, 9994.0, 9996.0, 99_960.0, 1_234_567.0, 2e9, 1.5e12];
        let found = nanos.map(duration);
        let expected = [
            "0.00 ns", "999 ns", "1.00 us", "9.99 us", "10.0 us", "100 us", "1.23 ms", "2.00 s",
            "1500 s",
        ];
        assert_eq!(found, expected);
        assert_eq!([5.0, 1500.0, 2.5e6, 1e10].map(bytes), ["5 B", "1.50 kB", "2.50 MB", "10.0 GB"]);
    }
}
