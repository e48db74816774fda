use std::str::FromStr;

use http::Uri;

/// What a request asks for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) uri: Uri,
    pub(super) is_https: bool,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("{error}: {FORMS}"))?;
        let is_https = match uri.scheme_str() {
            None if text.starts_with('/') || text == "*" => false,
            Some("http") => false,
            Some("https") => true,
            _ => return Err(FORMS.to_owned()),
        };
        if has_nul(uri.path()) {
            return Err("the path has a NUL (%00), with which no name of a file goes on".to_owned());
        }
        Ok(Self { uri, is_https })
    }
}

impl Target {
    /// Whether the path goes up somewhere, which would leave a document root or pretend to.
    pub(super) fn goes_up(&self) -> bool {
        let path = self.uri.path().to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/");
        path.split('/').any(|segment| segment == "..")
    }
}

fn has_nul(path: &str) -> bool {
    path.contains("%00")
}

const FORMS: &str =
    "write /PATH?QUERY or http(s)://HOST/PATH?QUERY, with %20 for a space and other bytes likewise";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_targets() {
        for (text, is_https) in [
            ("/", false),
            ("/a?b=%20", false),
            ("*", false),
            ("http://h/", false),
            ("https://h", true),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().is_https, is_https, "{text}");
        }
        for text in ["", "a", "a/b", "h:80", "ftp://h/", "/a b", "/%00", "/é "] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn going_up_is_seen_through_encodings() {
        let goes_up = |text: &str| text.parse::<Target>().unwrap().goes_up();
        assert!(goes_up("/../a") && goes_up("/a/%2E%2e") && goes_up("/a%2f..%2Fb"));
        assert!(!goes_up("/a..b/...") && !goes_up("/a?../"));
    }
}
