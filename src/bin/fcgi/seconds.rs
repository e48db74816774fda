use std::time::Duration;

/// Reads a time from the command line: `10`, `2.5`, `10s`, `500ms`, `2m`.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        _ => return Err(FORMS),
    };
    let number: f64 = digits.parse().map_err(|_| FORMS)?;
    let duration = Duration::try_from_secs_f64(number * unit).map_err(|_| FORMS)?;
    if duration.is_zero() || duration > LONGEST { Err(FORMS) } else { Ok(duration) }
}

const FORMS: &str = "write a time above 0, as in 10s, 2.5s, 500ms or 2m; a day is the most";
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, millis) in
            [("10", 10_000), ("10s", 10_000), ("2.5s", 2500), ("500ms", 500), ("2m", 120_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "0", "0s", "-1", "1h", "2d", "1e300", "nan", "inf", "86401"] {
            assert_eq!(parse(text), Err(FORMS), "{text}");
        }
    }
}
