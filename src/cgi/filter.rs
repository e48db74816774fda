use std::time::{Duration, SystemTime};

use super::decimal;
use super::params::Params;
use super::request::Refusal;

/// What the web server says of the file that a Filter gets (section 6.4 of the specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FilterFile {
    /// `None` if it ends where FCGI_DATA ends.
    pub(crate) length: Option<u64>,
    pub(crate) last_modified: Option<SystemTime>,
}

impl FilterFile {
    pub(crate) fn new(params: &Params) -> Result<Self, Refusal> {
        let length = match params.get("FCGI_DATA_LENGTH") {
            None | Some(b"") => None,
            Some(length) => Some(decimal::parse(length).ok_or(BAD_LENGTH)?),
        };
        // Seconds since 1970. What cannot be understood tells nothing, and does no harm.
        let seconds = params.get("FCGI_DATA_LAST_MOD").and_then(decimal::parse);
        let last_modified = seconds
            .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        Ok(Self { length, last_modified })
    }
}

const BAD_LENGTH: Refusal = Refusal::bad_request("FCGI_DATA_LENGTH is no number of bytes");

#[cfg(test)]
mod tests {
    use super::*;

    fn file(params: &[(&str, &str)]) -> Result<FilterFile, Refusal> {
        FilterFile::new(&params.iter().copied().collect())
    }

    #[test]
    fn a_length_is_digits_or_unknown() {
        assert_eq!(file(&[("FCGI_DATA_LENGTH", "5")]).unwrap().length, Some(5));
        assert_eq!(file(&[("FCGI_DATA_LENGTH", "")]).unwrap().length, None);
        assert_eq!(file(&[]).unwrap().length, None);
        for bad in ["-1", "5 ", "0x5", "99999999999999999999"] {
            assert_eq!(file(&[("FCGI_DATA_LENGTH", bad)]), Err(BAD_LENGTH), "{bad}");
        }
    }

    #[test]
    fn a_time_is_seconds_since_1970_or_unknown() {
        let time = |seconds| file(&[("FCGI_DATA_LAST_MOD", seconds)]).unwrap().last_modified;
        let day = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        assert_eq!(time("86400"), Some(day));
        for unknown in ["", "-1", "yesterday", "18446744073709551615"] {
            assert_eq!(time(unknown), None, "{unknown}");
        }
        assert_eq!(file(&[]).unwrap().last_modified, None);
    }
}
