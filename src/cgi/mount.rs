use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Uri;

use super::percent;

/// Where the web server mounts the application: what its URIs lack in front, `/app`, or nothing.
///
/// It is in the extensions of a request whose URI it was stripped from, which only [`UriSource::Mounted`](crate::server::UriSource::Mounted)
/// does. With the feature `axum` it is an extractor as well, of an empty prefix where nothing was stripped, so that the same handler works
/// over HTTP.
///
/// A link is the prefix and the application's own path: `format!("{prefix}/login")`. The prefix comes from SCRIPT_NAME, percent-encoded:
/// it is empty or begins with exactly one `/`, so that no link becomes one to another host, it ends with none, and it holds nothing that means
/// something in HTML.
///
/// # Examples
///
/// ```
/// use http::{Response, header::LOCATION};
/// use tower_fastcgi::MountPrefix;
///
/// async fn handler(request: http::Request<()>) -> Response<()> {
///     let prefix = request.extensions().get::<MountPrefix>().cloned().unwrap_or_default();
///     Response::builder().status(303).header(LOCATION, format!("{prefix}/login")).body(()).expect("a good path")
/// }
/// ```
///
/// A test of such a handler makes its own:
///
/// ```
/// use tower_fastcgi::MountPrefix;
///
/// assert_eq!(MountPrefix::new("/my app/").as_str(), "/my%20app");
/// assert_eq!(MountPrefix::default().as_str(), "");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MountPrefix(Arc<str>);

impl MountPrefix {
    /// The prefix of this path, which is not percent-encoded. None of the slashes around it counts.
    pub fn new(path: impl AsRef<[u8]>) -> Self {
        let path = path.as_ref();
        let Some(start) = path.iter().position(|&byte| byte != b'/') else {
            return Self::default();
        };
        let mut encoded = vec![b'/'];
        percent::put_encoded(&mut encoded, without_last_slashes(&path[start..]), is_harmless);
        Self(String::from_utf8(encoded).expect("what is encoded is ASCII").into())
    }

    /// The prefix, percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MountPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was stripped from a URI, and the URI before that.
#[derive(Debug)]
pub(crate) struct Mounted {
    pub(super) prefix: MountPrefix,
    pub(crate) original: Uri,
}

/// The mount, and the URI below it; see [`UriSource::Mounted`](super::UriSource::Mounted).
pub(super) fn split(uri: &Uri, script_name: &[u8], path_info: &[u8]) -> Option<(MountPrefix, Uri)> {
    let prefix = MountPrefix::new(script_name);
    if prefix.as_str().is_empty() || !is_path_of(uri, [script_name, path_info].concat()) {
        return None;
    }
    let target = uri.path_and_query()?.as_str().as_bytes();
    let below = match below(target, script_name)? {
        below @ [b'/', ..] => Bytes::copy_from_slice(below),
        query => [b"/", query].concat().into(),
    };
    Some((prefix, Uri::from_maybe_shared(below).ok()?))
}

/// Whether the web server means the path that the client asked for. Most have merged slashes and resolved dots.
fn is_path_of(uri: &Uri, said: Vec<u8>) -> bool {
    let asked = percent::decode(uri.path().as_bytes());
    asked == said || simplified(&asked) == simplified(&said)
}

fn simplified(path: &[u8]) -> Vec<&[u8]> {
    let mut segments = Vec::new();
    for segment in path.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    segments
}

/// What comes behind the mount: nothing, or what begins with a slash or with the query. The client may have encoded any byte of
/// the mount, and doubled its slashes.
fn below<'a>(mut target: &'a [u8], mount: &[u8]) -> Option<&'a [u8]> {
    let segments = mount.split(|&byte| byte == b'/').filter(|segment| !segment.is_empty());
    for segment in segments {
        target = behind_segment(behind_slashes(target)?, segment)?;
    }
    matches!(target.first(), None | Some(b'/' | b'?')).then_some(target)
}

fn behind_slashes(target: &[u8]) -> Option<&[u8]> {
    let (b'/', mut target) = percent::decode_first(target)? else { return None };
    while let [b'/', rest @ ..] = target {
        target = rest;
    }
    Some(target)
}

fn behind_segment<'a>(target: &'a [u8], segment: &[u8]) -> Option<&'a [u8]> {
    segment.iter().try_fold(target, |target, &expected| {
        let (byte, rest) = percent::decode_first(target)?;
        (byte == expected).then_some(rest)
    })
}

fn without_last_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    &path[..end]
}

/// What RFC 3986 lets stand in a path, but for `&` and `'`.
fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/!$()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The prefix and the URI below it, or the URI as it is.
    fn split_of(uri: &str, script_name: &str, path_info: &str) -> (String, String) {
        let uri: Uri = uri.parse().unwrap();
        match split(&uri, script_name.as_bytes(), path_info.as_bytes()) {
            Some((prefix, below)) => (prefix.to_string(), below.to_string()),
            None => (String::new(), uri.to_string()),
        }
    }

    #[track_caller]
    fn assert_below(uri: &str, script_name: &str, path_info: &str, below: &str) {
        assert_eq!(split_of(uri, script_name, path_info), ("/app".into(), below.into()), "{uri}");
    }

    #[track_caller]
    fn assert_unchanged(uri: &str, script_name: &str, path_info: &str) {
        assert_eq!(split_of(uri, script_name, path_info), (String::new(), uri.into()));
    }

    #[test]
    fn a_mount_is_stripped() {
        assert_below("/app/a", "/app", "/a", "/a");
        assert_below("/app/a/", "/app", "/a/", "/a/");
        assert_below("/app/a?/app/b", "/app", "/a", "/a?/app/b");
        assert_below("/app/a?", "/app", "/a", "/a?");
        assert_eq!(split_of("/a/b/c", "/a/b", "/c"), ("/a/b".into(), "/c".into()));
        assert_below("/app/app/a", "/app", "/app/a", "/app/a");
    }

    #[test]
    fn the_mount_itself_is_the_root() {
        assert_below("/app", "/app", "", "/");
        assert_below("/app?x=1", "/app", "", "/?x=1");
        assert_below("/app?", "/app", "", "/?");
        assert_below("/app/", "/app", "/", "/");
        assert_below("/app/?x=1", "/app", "/", "/?x=1");
    }

    #[test]
    fn a_mount_ends_where_a_segment_does() {
        assert_unchanged("/application", "/app", "lication");
        assert_unchanged("/application/a", "/app", "lication/a");
        assert_unchanged("/apple", "/app", "");
        assert_unchanged("/app%2Fa", "/app", "/a");
        assert_unchanged("/ap/p/a", "/app", "/a");
    }

    #[test]
    fn slashes_around_script_name_do_not_count() {
        assert_below("/app/a", "/app/", "a", "/a");
        assert_below("/app/a", "/app/", "/a", "/a");
        assert_below("/app/", "/app/", "", "/");
        assert_below("//app/a", "//app", "/a", "/a");
        assert_unchanged("/a", "/", "a");
        assert_unchanged("/a", "", "/a");
        assert_unchanged("//", "//", "");
    }

    #[test]
    fn the_rest_stays_as_the_client_wrote_it() {
        assert_below("/app/a%2Fb", "/app", "/a/b", "/a%2Fb");
        assert_below("/app/%61", "/app", "/a", "/%61");
        assert_below("/app//a", "/app", "//a", "//a");
        assert_below("/app/50%", "/app", "/50%", "/50%");
    }

    #[test]
    fn the_web_server_may_have_merged_slashes_and_dots() {
        assert_below("/app//a", "/app", "/a", "//a");
        assert_below("//app///a", "/app", "/a", "///a");
        assert_below("/app//", "/app", "/", "//");
        assert_below("/app/b/.././a", "/app", "/a", "/b/.././a");
        assert_below("/app/%2e%2e/app/a", "/app", "/a", "/%2e%2e/app/a");
        assert_below("/app/../../app/a", "/app", "/a", "/../../app/a");
    }

    #[test]
    fn a_mount_that_is_written_otherwise_is_the_same() {
        assert_below("/%61pp/a", "/app", "/a", "/a");
        assert_below("/a%70%70", "/app", "", "/");
        assert_eq!(split_of("/a%20b/c", "/a b", "/c"), ("/a%20b".into(), "/c".into()));
        assert_eq!(split_of("/a%2Fb/c", "/a/b", "/c"), ("/a/b".into(), "/c".into()));
        assert_eq!(split_of("/%C3%a9/c", "/é", "/c"), ("/%C3%A9".into(), "/c".into()));
    }

    #[test]
    fn another_path_than_the_clients_is_no_mount() {
        assert_unchanged("/b/a", "/app", "/a");
        assert_unchanged("/app/a", "/app", "/b");
        assert_unchanged("/app/a", "/app", "/app/a");
        assert_unchanged("/index.php/a", "/index.php", "/index.php/a");
        assert_unchanged("/b/../app/a", "/app", "/a");
        assert_unchanged("/%2Fapp/a", "/app", "/a");
        assert_unchanged("/App/a", "/app", "/a");
        assert_unchanged("*", "/app", "");
        assert_unchanged("example.com:443", "/app", "");
    }

    #[test]
    fn a_link_stays_on_the_host_and_within_an_attribute() {
        for (path, prefix) in [
            ("//evil.example", "/evil.example"),
            ("/\\evil.example", "/%5Cevil.example"),
            ("/\"><script>&'", "/%22%3E%3Cscript%3E%26%27"),
            ("/?#", "/%3F%23"),
            ("/50%", "/50%25"),
            ("/a\r\nb", "/a%0D%0Ab"),
            ("a", "/a"),
            ("", ""),
            ("///", ""),
        ] {
            assert_eq!(MountPrefix::new(path).as_str(), prefix);
        }
    }
}
