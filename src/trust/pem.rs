/// A certificate as PEM with lines of 64 characters, whichever way the web server wrote it; `None` if it is no certificate.
///
/// The ways: PEM (Apache, Caddy, lighttpd, nginx's `$ssl_client_raw_cert`), PEM with a tab before each line but the first (nginx's
/// `$ssl_client_cert`), PEM percent-encoded (nginx's `$ssl_client_escaped_cert`), DER in base64 (HAProxy, Caddy).
pub(super) fn normalize(value: &str) -> Option<String> {
    if value.contains('%') {
        return wrap(&base64_of(&percent_decode(value)?)?);
    }
    wrap(&base64_of(value)?)
}

/// What stands between the markers, if there are markers, without white space.
fn base64_of(value: &str) -> Option<String> {
    let value = value.trim_ascii();
    let content = match value.strip_prefix(BEGIN) {
        Some(rest) => rest.strip_suffix(END)?,
        None => value,
    };
    Some(content.split_ascii_whitespace().collect())
}

fn wrap(base64: &str) -> Option<String> {
    if !is_base64(base64) {
        return None;
    }
    let mut pem = String::with_capacity(base64.len() + base64.len() / 32 + 64);
    pem.push_str(BEGIN);
    pem.push('\n');
    let mut rest = base64;
    while !rest.is_empty() {
        let (line, left) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = left;
    }
    pem.push_str(END);
    pem.push('\n');
    Some(pem)
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    !digits.is_empty()
        && text.len() % 4 == 0
        && text.len() - digits.len() <= 2
        && digits.bytes().all(is_digit)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => decoded.push(hex(bytes.next()?)? << 4 | hex(bytes.next()?)?),
            byte => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let digit = char::from(digit).to_digit(16)?;
    u8::try_from(digit).ok()
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// RFC 7468 section 2.
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// 70 digits of base64, then padding: two lines.
    fn base64() -> String {
        format!("{}==", "MIIC/+".repeat(12).split_at(70).0)
    }

    fn pem(before_line: &str, end_of_line: &str) -> String {
        let base64 = base64();
        let (first, second) = base64.split_at(64);
        [BEGIN, first, second, END].join(&format!("{end_of_line}{before_line}")) + end_of_line
    }

    fn escaped() -> String {
        let escape = |byte: u8| match byte {
            b' ' | b'\n' | b'+' | b'/' | b'=' => format!("%{byte:02X}"),
            byte => char::from(byte).to_string(),
        };
        pem("", "\n").bytes().map(escape).collect()
    }

    #[test]
    fn every_notation_becomes_the_same() {
        let expected = pem("", "\n");
        for (notation, value) in [
            ("plain", pem("", "\n")),
            ("without a last line feed", pem("", "\n").trim_end().to_owned()),
            ("CR LF", pem("", "\r\n")),
            ("tabs", pem("\t", "\n").trim_end().to_owned()),
            ("escaped", escaped()),
            ("escaped in lower case", escaped().replace("%2F", "%2f").replace("%0A", "%0a")),
            ("DER", base64()),
        ] {
            assert_eq!(normalize(&value).as_deref(), Some(&*expected), "{notation}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        let [plain, two] = [pem("", "\n"), pem("", "\n").repeat(2)];
        for value in [
            "",
            "   ",
            "=",
            "====",
            "(null)",
            "MII",
            "MIIC=AAA",
            "MI===AAA",
            "MIIC\u{0}AAA",
            "%",
            "%4",
            "%zz",
            "%ff%ff",
            BEGIN,
            &format!("{BEGIN}\n{END}"),
            &plain.replace(END, ""),
            &plain.replace(BEGIN, "-----BEGIN PRIVATE KEY-----"),
            &two,
            &format!("{plain}MIIC"),
        ] {
            assert_eq!(normalize(value), None, "{value:?}");
        }
    }
}
