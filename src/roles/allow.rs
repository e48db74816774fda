use std::fmt;

use http::{HeaderValue, Response};

use crate::cgi::is_client_sent;
use crate::record::MAX_STREAM_CONTENT;

/// Lets a request pass that an Authorizer was asked about.
///
/// Only a response that this was made into does: it is in its extensions, and whatever answers without it denies. The web server gets
/// status 200 and the variables, but no header and no body, which Apache and lighttpd would add to the answer of what is behind the
/// Authorizer.
///
/// As a response to a request of another role it is an empty one with status 200.
///
/// # Variables
///
/// What is behind the Authorizer finds them among its params, where no client can put anything: `Variable-AUTH_USER` in the answer
/// is the param AUTH_USER. A variable replaces a param of the same name that the web server would have set.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::roles::Allow;
///
/// # fn example() -> Result<(), tower_fastcgi::roles::InvalidVariable> {
/// let allow = Allow::new().variable("AUTH_USER", "alice")?.variable("AUTH_GROUPS", "staff,wheel")?;
/// let response: http::Response<String> = allow.into();
/// assert!(response.body().is_empty());
/// # Ok(())
/// # }
/// # example().unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Allow {
    /// Header lines, each with its end.
    lines: Vec<u8>,
    names: Vec<String>,
}

impl Allow {
    /// Lets the request pass, without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable.
    ///
    /// # Errors
    ///
    /// [`InvalidVariable`] unless it arrives as it is behind every web server:
    ///
    /// - The name has upper-case letters, digits and `_`, and no digit in front. lighttpd makes lower-case letters upper-case, and Apache
    ///   does not.
    /// - The name is new, and none that stands for what the client sent: `HTTP_*`, CONTENT_TYPE, CONTENT_LENGTH.
    /// - The value has no control characters but tabs, nor space at its ends, and is not empty: what an empty one becomes depends on
    ///   the web server.
    /// - All of them fit one record: 64 KiB. Apache denies a request for a line above 8 KiB.
    pub fn variable(
        mut self,
        name: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<Self, InvalidVariable> {
        let value = value.as_ref();
        check_name(name)?;
        if self.names.iter().any(|other| other == name) {
            return Err(InvalidVariable::RepeatedName);
        }
        let is_trimmed = value.trim_ascii().len() == value.len();
        if value.is_empty() || !is_trimmed || HeaderValue::from_bytes(value).is_err() {
            return Err(InvalidVariable::Value);
        }
        let len = PREFIX.len() + name.len() + value.len() + 4;
        if self.lines.len() + len > MAX_STREAM_CONTENT - STATUS.len() - END.len() {
            return Err(InvalidVariable::TooLong);
        }
        for part in [PREFIX, name.as_bytes(), b": ", value, b"\r\n"] {
            self.lines.extend_from_slice(part);
        }
        self.names.push(name.to_owned());
        Ok(self)
    }

    /// The names of the variables, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Appends the whole answer, which fits one record.
    pub(crate) fn put(&self, dst: &mut Vec<u8>) {
        for part in [STATUS, &self.lines, END] {
            dst.extend_from_slice(part);
        }
    }
}

/// Shows the names only: values may be secrets.
impl fmt::Debug for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Allow ")?;
        f.debug_list().entries(&self.names).finish()
    }
}

/// A response with status 200, an empty body, and the [`Allow`] in its extensions.
impl<B: Default> From<Allow> for Response<B> {
    fn from(allow: Allow) -> Self {
        let mut response = Self::new(B::default());
        response.extensions_mut().insert(allow);
        response
    }
}

fn check_name(name: &str) -> Result<(), InvalidVariable> {
    let is_part = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    match name.as_bytes() {
        [] | [b'0'..=b'9', ..] => Err(InvalidVariable::Name),
        bytes if !bytes.iter().copied().all(is_part) => Err(InvalidVariable::Name),
        bytes if is_client_sent(bytes) => Err(InvalidVariable::ClientsName),
        _ => Ok(()),
    }
}

/// Why [`Allow`] takes no such variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidVariable {
    /// The name has more than upper-case letters, digits and `_`, or has a digit in front, or is empty.
    Name,
    /// The name stands for what the client sent: `HTTP_*`, CONTENT_TYPE, CONTENT_LENGTH.
    ClientsName,
    /// There is one of this name already.
    RepeatedName,
    /// The value is empty, has space at its ends, or control characters other than tabs.
    Value,
    /// There are too many, or they are too long, for one record of 64 KiB.
    TooLong,
}

impl fmt::Display for InvalidVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a variable's name has upper-case letters, digits and underscores only",
            Self::ClientsName => "a variable's name is one of those that hold what the client sent",
            Self::RepeatedName => "a variable is set twice",
            Self::Value => {
                "a variable's value is empty, has space at its ends or control characters"
            }
            Self::TooLong => "the variables are too long for one record",
        })
    }
}

impl std::error::Error for InvalidVariable {}

const STATUS: &[u8] = b"Status: 200 OK\r\n";
const PREFIX: &[u8] = b"Variable-";
const END: &[u8] = b"\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn written(allow: &Allow) -> String {
        let mut dst = Vec::new();
        allow.put(&mut dst);
        String::from_utf8(dst).unwrap()
    }

    #[test]
    fn is_a_status_and_variables_and_nothing_else() {
        assert_eq!(written(&Allow::new()), "Status: 200 OK\r\n\r\n");
        let allow = Allow::new().variable("A", "1").unwrap().variable("_B2", "x y\tz").unwrap();
        assert_eq!(
            written(&allow),
            "Status: 200 OK\r\nVariable-A: 1\r\nVariable-_B2: x y\tz\r\n\r\n"
        );
        assert_eq!(allow.names().collect::<Vec<_>>(), ["A", "_B2"]);
    }

    #[test]
    fn a_name_is_one_that_all_web_servers_pass_on_as_it_is() {
        for name in ["", "1A", "a", "AUTH-USER", "AUTH USER", "A:", "A\r\nStatus", "Ä", "A\0"] {
            let error = Allow::new().variable(name, "1").unwrap_err();
            assert_eq!(error, InvalidVariable::Name, "{name:?}");
        }
        for name in ["HTTP_", "HTTP_COOKIE", "CONTENT_TYPE", "CONTENT_LENGTH"] {
            let error = Allow::new().variable(name, "1").unwrap_err();
            assert_eq!(error, InvalidVariable::ClientsName, "{name:?}");
        }
        let error = Allow::new().variable("A", "1").unwrap().variable("A", "2").unwrap_err();
        assert_eq!(error, InvalidVariable::RepeatedName);
    }

    #[test]
    fn a_value_is_one_that_arrives_as_it_is() {
        for value in [&b""[..], b" a", b"a ", b"\ta", b"a\r\nStatus: 200", b"a\nb", b"\0", b"\x7f"]
        {
            let error = Allow::new().variable("A", value).unwrap_err();
            assert_eq!(error, InvalidVariable::Value, "{value:?}");
        }
        assert!(Allow::new().variable("A", b"gr\xfcn, \"\\%").is_ok());
    }

    #[test]
    fn all_of_them_fit_one_record() {
        let room = MAX_STREAM_CONTENT - "Status: 200 OK\r\nVariable-A: \r\n\r\n".len();
        let full = Allow::new().variable("A", "x".repeat(room)).unwrap();
        assert_eq!(written(&full).len(), MAX_STREAM_CONTENT);
        assert_eq!(full.variable("B", "1").unwrap_err(), InvalidVariable::TooLong);
        let error = Allow::new().variable("A", "x".repeat(room + 1)).unwrap_err();
        assert_eq!(error, InvalidVariable::TooLong);
    }

    #[test]
    fn debug_shows_no_value() {
        let allow = Allow::new().variable("TOKEN", "hunter2").unwrap();
        assert_eq!(format!("{allow:?}"), r#"Allow ["TOKEN"]"#);
    }
}
