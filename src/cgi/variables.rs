/// The request meta-variables (RFC 3875 section 4.1, and what web servers added) that become part of the request.
///
/// Of duplicates the last is kept: nginx sends a variable of its own first and the administrator's override after it.
#[derive(Debug, Default)]
pub(super) struct Variables<'a> {
    pub(super) content_length: Option<&'a [u8]>,
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) https: Option<&'a [u8]>,
    pub(super) path_info: Option<&'a [u8]>,
    pub(super) query_string: Option<&'a [u8]>,
    pub(super) remote_addr: Option<&'a [u8]>,
    pub(super) remote_port: Option<&'a [u8]>,
    pub(super) request_method: Option<&'a [u8]>,
    pub(super) request_scheme: Option<&'a [u8]>,
    pub(super) request_uri: Option<&'a [u8]>,
    pub(super) script_name: Option<&'a [u8]>,
    pub(super) server_name: Option<&'a [u8]>,
    pub(super) server_port: Option<&'a [u8]>,
    pub(super) server_protocol: Option<&'a [u8]>,
}

impl<'a> Variables<'a> {
    pub(super) fn set(&mut self, name: &[u8], value: &'a [u8]) {
        if let Some(variable) = self.variable(name) {
            *variable = Some(value);
        }
    }

    /// By length and first byte, then as a whole: a `match` on names reads them byte by byte.
    fn variable(&mut self, name: &[u8]) -> Option<&mut Option<&'a [u8]>> {
        match (name.len(), name.first()?) {
            (5, _) if name == b"HTTPS" => Some(&mut self.https),
            (9, _) if name == b"PATH_INFO" => Some(&mut self.path_info),
            (11, b'R') if name == b"REMOTE_ADDR" => Some(&mut self.remote_addr),
            (11, b'R') if name == b"REMOTE_PORT" => Some(&mut self.remote_port),
            (11, b'R') if name == b"REQUEST_URI" => Some(&mut self.request_uri),
            (11, b'S') if name == b"SCRIPT_NAME" => Some(&mut self.script_name),
            (11, b'S') if name == b"SERVER_NAME" => Some(&mut self.server_name),
            (11, b'S') if name == b"SERVER_PORT" => Some(&mut self.server_port),
            (12, b'C') if name == b"CONTENT_TYPE" => Some(&mut self.content_type),
            (12, b'Q') if name == b"QUERY_STRING" => Some(&mut self.query_string),
            (14, b'C') if name == b"CONTENT_LENGTH" => Some(&mut self.content_length),
            (14, b'R') if name == b"REQUEST_METHOD" => Some(&mut self.request_method),
            (14, b'R') if name == b"REQUEST_SCHEME" => Some(&mut self.request_scheme),
            (15, b'S') if name == b"SERVER_PROTOCOL" => Some(&mut self.server_protocol),
            _ => None,
        }
    }

    pub(super) fn is_https(&self) -> bool {
        is_https(self.https.unwrap_or_default(), self.request_scheme.unwrap_or_default())
    }
}

/// HAProxy and h2o send HTTPS only. A client cannot set either: its headers start with `HTTP_`.
pub(crate) fn is_https(https: &[u8], request_scheme: &[u8]) -> bool {
    https.eq_ignore_ascii_case(b"on")
        || https == b"1"
        || request_scheme.eq_ignore_ascii_case(b"https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_told_in_two_ways() {
        let is_https = |name: &str, value: &'static str| {
            let mut variables = Variables::default();
            variables.set(name.as_bytes(), value.as_bytes());
            variables.is_https()
        };
        for (name, value) in
            [("HTTPS", "on"), ("HTTPS", "ON"), ("HTTPS", "1"), ("REQUEST_SCHEME", "https")]
        {
            assert!(is_https(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("HTTPS", "off"),
            ("HTTPS", ""),
            ("HTTPS", "0"),
            ("REQUEST_SCHEME", "http"),
            ("X", "on"),
        ] {
            assert!(!is_https(name, value), "{name}={value}");
        }
    }
}
