use bytes::Bytes;
use http::uri::{Authority, Uri};
use http::{Method, StatusCode};

use super::mount::{self, Mounted};
use super::percent::put_encoded;
use super::request::Refusal;
use super::variables::Variables;

/// Which params the URI of a request is built from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriSource {
    /// `REQUEST_URI`: what the client asked for, not decoded and not normalised. This is the default.
    ///
    /// A front server that strips a prefix or rewrites the path leaves `REQUEST_URI` as it is: behind a mount at `/app` the
    /// application's routes start with `/app`, which axum's `Router::nest("/app", app)` gives them. Without `REQUEST_URI` the URI is `SCRIPT_NAME` and `PATH_INFO` and
    /// `QUERY_STRING`, percent-encoded.
    #[default]
    RequestUri,
    /// `REQUEST_URI` without `SCRIPT_NAME`: behind a mount at `/app` the application's routes start with `/`, wherever the web
    /// server mounts it.
    ///
    /// What was stripped is a [`MountPrefix`](crate::MountPrefix) in the request's extensions, from which the application builds its
    /// links. With the feature `axum` it is an extractor, and axum's `OriginalUri` is the whole URI, as below `Router::nest`. The rest of the path
    /// stays as the client wrote it, `%2F` and `//` included; `/app` itself becomes `/`.
    ///
    /// `SCRIPT_NAME` is stripped only if there is a `PATH_INFO`, be it an empty one, and both together are the path of `REQUEST_URI`,
    /// decoded, with or without its doubled slashes and dot segments. In all other cases the URI is that of
    /// [`RequestUri`](Self::RequestUri): nginx, Apache's `ProxyPass` and HAProxy put the whole path into `SCRIPT_NAME` unless they are
    /// told otherwise. What makes `/app` a mount (`examples/mounted/` has complete files):
    ///
    /// | | |
    /// |---|---|
    /// | nginx | in `location ~ ^/app(/\|$)`: `fastcgi_split_path_info ^(/app)(.*)$;` and `fastcgi_param PATH_INFO $fastcgi_path_info;` |
    /// | Caddy | `uri strip_prefix /app`, and in `transport fastcgi`: `env SCRIPT_NAME /app` |
    /// | Apache, `SetHandler` | `<LocationMatch "^/app/">`, if `DocumentRoot` has no `app` |
    /// | Apache, `ProxyPass` | `ProxyFCGISetEnvIf "reqenv('SCRIPT_NAME') =~ m#^(/app)(.*)$#" PATH_INFO "$2"`, then `ProxyFCGISetEnvIf "true" SCRIPT_NAME "/app"` |
    /// | Apache, mod_fcgid | `ScriptAlias "/app" "/path/of/the/program"` |
    /// | HAProxy | in `fcgi-app`: `path-info ^(/app)(.*)$` |
    /// | lighttpd | `$HTTP["url"] =~ "^/app/" { fastcgi.server = ("/app" => ..) }` with `"check-local" => "disable"` |
    ///
    /// HAProxy, lighttpd, mod_fcgid and Apache's `SetHandler` send no empty `PATH_INFO`, so that `/app` itself stays `/app` there: let them redirect it
    /// to `/app/`. Where the first segment of any path becomes
    /// `SCRIPT_NAME` (Apache's `SetHandler`, lighttpd's `"/"` without `fix-root-scriptname`), any first segment is a mount: let the web server
    /// pass on only what is below the one that is meant.
    Mounted,
    /// `PATH_INFO`, or `SCRIPT_NAME` if there is no `PATH_INFO`, and `QUERY_STRING`.
    ///
    /// For a front server that strips a prefix: behind a mount at `/app` the application's routes start with `/`. nginx does
    /// it with `fastcgi_split_path_info` and `fastcgi_param PATH_INFO $fastcgi_path_info`, Caddy with `handle_path`, lighttpd
    /// with `fastcgi.server = ("/app" => ..)`. An empty `PATH_INFO` is `/`.
    ///
    /// The web server has decoded these params and merged `..` and, most of them, `//`: `%2F` cannot be told from `/` any
    /// more. lighttpd sends no empty `PATH_INFO`, so that `/app` itself stays `/app` there.
    PathInfo,
}

/// What a request asks for.
pub(super) struct Target {
    pub(super) uri: Uri,
    /// What the client wrote before the path. It replaces the `Host` header (RFC 9112 section 3.2.2).
    pub(super) authority: Option<Bytes>,
    pub(super) mounted: Option<Box<Mounted>>,
}

impl Target {
    /// `raw` is what the variables are slices of.
    pub(super) fn new(
        raw: &Bytes,
        variables: &Variables<'_>,
        method: &Method,
        source: UriSource,
    ) -> Result<Self, Refusal> {
        let request_uri = variables.request_uri.unwrap_or_default();
        match source {
            UriSource::RequestUri => Self::whole(raw, request_uri, variables, method),
            UriSource::Mounted => {
                let whole = Self::whole(raw, request_uri, variables, method)?;
                Ok(whole.below_mount(variables))
            }
            UriSource::PathInfo => {
                let authority = absolute_form(raw, request_uri).ok().and_then(|it| it.authority);
                let uri = path_info(variables, method)?;
                Ok(Self { uri, authority, mounted: None })
            }
        }
    }

    fn whole(
        raw: &Bytes,
        request_uri: &[u8],
        variables: &Variables<'_>,
        method: &Method,
    ) -> Result<Self, Refusal> {
        match request_uri {
            [] => Self::of_server(variables, method),
            _ => Self::of_client(raw, request_uri, method),
        }
    }

    fn below_mount(self, variables: &Variables<'_>) -> Self {
        let (Some(script_name), Some(path_info)) = (variables.script_name, variables.path_info)
        else {
            return self;
        };
        match mount::split(&self.uri, script_name, path_info) {
            Some((prefix, below)) => {
                let mounted = Mounted { prefix, original: self.uri };
                Self { uri: below, mounted: Some(Box::new(mounted)), ..self }
            }
            None => self,
        }
    }

    /// One of the four forms of RFC 9112 section 3.2. `//x` is a path: what would be an authority in a URI reference is none
    /// in a request.
    fn of_client(raw: &Bytes, target: &[u8], method: &Method) -> Result<Self, Refusal> {
        match target {
            [b'/', ..] => origin_form(raw, target).map(Self::without_authority),
            b"*" if method == Method::OPTIONS => Ok(Self::without_authority(Uri::from_static("*"))),
            _ if method == Method::CONNECT => authority_form(raw, target),
            _ => absolute_form(raw, target),
        }
    }

    fn of_server(variables: &Variables<'_>, method: &Method) -> Result<Self, Refusal> {
        let script_name = variables.script_name.unwrap_or_default();
        let path_info = variables.path_info.unwrap_or_default();
        if script_name.is_empty() && path_info.is_empty() {
            return Err(Refusal::bad_request("REQUEST_URI, SCRIPT_NAME and PATH_INFO are missing"));
        }
        let path = [script_name, path_info].concat();
        decoded_form(&path, variables, method).map(Self::without_authority)
    }

    fn without_authority(uri: Uri) -> Self {
        Self { uri, authority: None, mounted: None }
    }
}

fn path_info(variables: &Variables<'_>, method: &Method) -> Result<Uri, Refusal> {
    let script_name = variables.script_name.filter(|name| !name.is_empty());
    match variables.path_info.or(script_name) {
        Some(path) => decoded_form(path, variables, method),
        None => Err(Refusal::bad_request("PATH_INFO and SCRIPT_NAME are missing")),
    }
}

/// The web server has decoded the path, but not the query.
fn decoded_form(path: &[u8], variables: &Variables<'_>, method: &Method) -> Result<Uri, Refusal> {
    if path == b"*" && method == Method::OPTIONS {
        return Ok(Uri::from_static("*"));
    }
    let query = variables.query_string.unwrap_or_default();
    let mut encoded = Vec::with_capacity(path.len() + query.len() + 2);
    if !path.starts_with(b"/") {
        encoded.push(b'/');
    }
    put_encoded(&mut encoded, path, |byte| is_path(byte) && byte != b'%');
    if !query.is_empty() {
        encoded.push(b'?');
        put_encoded(&mut encoded, query, is_query);
    }
    checked_uri(encoded)
}

/// Nothing is copied unless `http` refuses a byte, which is then percent-encoded.
fn origin_form(raw: &Bytes, target: &[u8]) -> Result<Uri, Refusal> {
    if target.len() > MAX_LEN {
        return Err(TOO_LONG);
    }
    match Uri::from_maybe_shared(raw.slice_ref(target)) {
        Ok(uri) => Ok(uri),
        Err(_) => checked_uri(encode_refused(target)),
    }
}

/// `http://user@host/path`, as Apache and h2o pass it on: the scheme and `user@` go.
fn absolute_form(raw: &Bytes, target: &[u8]) -> Result<Target, Refusal> {
    let rest = strip_scheme(target)
        .ok_or(Refusal::bad_request("REQUEST_URI is neither a path nor an http or https URI"))?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit(|&byte| byte == b'@').next().unwrap_or_default();
    let host = raw.slice_ref(host);
    check_authority(&host)?;
    let uri = match path {
        [b'/', ..] => origin_form(raw, path)?,
        [b'?', ..] => {
            let path = Bytes::from([b"/", path].concat());
            origin_form(&path, &path)?
        }
        _ => Uri::from_static("/"),
    };
    Ok(Target { uri, authority: Some(host), mounted: None })
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    ["http://", "https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    })
}

/// `host:port`, for CONNECT.
fn authority_form(raw: &Bytes, target: &[u8]) -> Result<Target, Refusal> {
    let host = raw.slice_ref(target);
    let authority = check_authority(&host)?;
    if authority.port_u16().is_none() {
        return Err(Refusal::bad_request("the target of CONNECT has no port"));
    }
    Ok(Target { uri: authority.into(), authority: Some(host), mounted: None })
}

fn check_authority(host: &Bytes) -> Result<Authority, Refusal> {
    Authority::from_maybe_shared(host.clone())
        .ok()
        .filter(|authority| !authority.host().is_empty() && !host.contains(&b'@'))
        .ok_or(Refusal::bad_request(
            "the authority in REQUEST_URI is no host with an optional port",
        ))
}

fn checked_uri(encoded: Vec<u8>) -> Result<Uri, Refusal> {
    if encoded.len() > MAX_LEN {
        return Err(TOO_LONG);
    }
    Uri::from_maybe_shared(Bytes::from(encoded))
        .map_err(|_| Refusal::bad_request("the params make no valid URI"))
}

/// A fragment stays; `http` cuts it off.
fn encode_refused(target: &[u8]) -> Vec<u8> {
    let question_mark = target.iter().position(|&byte| byte == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at(question_mark);
    let mut encoded = Vec::with_capacity(target.len() + 64);
    put_encoded(&mut encoded, path, |byte| is_path(byte) || byte == b'#');
    put_encoded(&mut encoded, query, |byte| is_query(byte) || byte == b'#');
    encoded
}

/// What every 1.x version of `http` takes in a path, but for `?` and `#`. Some take valid UTF-8 too.
fn is_path(byte: u8) -> bool {
    matches!(byte, b'!' | b'"' | b'$'..=b';' | b'=' | b'@'..=b'_' | b'a'..=b'~')
}

/// What every 1.x version of `http` takes in a query, but for `#`.
fn is_query(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'~')
}

const TOO_LONG: Refusal =
    Refusal { status: StatusCode::URI_TOO_LONG, reason: "the URI is longer than 65,534 bytes" };

/// `http` keeps positions in a URI in 16 bits.
const MAX_LEN: usize = 65_534;

#[cfg(test)]
mod tests {
    use super::*;

    fn target(
        variables: &[(&str, &[u8])],
        method: &Method,
        source: UriSource,
    ) -> Result<(String, Option<String>), Refusal> {
        let raw: Bytes = variables.iter().flat_map(|(_, value)| *value).copied().collect();
        let mut parsed = Variables::default();
        let mut rest = &raw[..];
        for (name, value) in variables {
            let (value, after) = rest.split_at(value.len());
            parsed.set(name.as_bytes(), value);
            rest = after;
        }
        let target = Target::new(&raw, &parsed, method, source)?;
        let authority = target.authority.map(|host| String::from_utf8(host.into()).unwrap());
        Ok((target.uri.to_string(), authority))
    }

    fn request_uri(uri: impl AsRef<[u8]>) -> Result<(String, Option<String>), Refusal> {
        target(&[("REQUEST_URI", uri.as_ref())], &Method::GET, UriSource::RequestUri)
    }

    #[track_caller]
    fn assert_path(uri: impl AsRef<[u8]>, expected: &str) {
        assert_eq!(request_uri(uri), Ok((expected.to_owned(), None)));
    }

    #[track_caller]
    fn assert_refused(result: Result<(String, Option<String>), Refusal>, status: u16) {
        assert_eq!(result.map_err(|refusal| refusal.status.as_u16()), Err(status));
    }

    #[test]
    fn a_path_stays_as_the_client_wrote_it() {
        for uri in [
            "/",
            "/a%20b/c?x=1&y=%41",
            "//x",
            "//x/y?z",
            "///",
            "/a/../b/./c",
            "/?",
            "/a??",
            "/a?b=http://c/",
            "/%",
            "/a:80",
            "/\"{}|^[]\\",
            "/?`|^{}[]\\",
        ] {
            assert_path(uri, uri);
        }
    }

    #[test]
    fn two_slashes_are_no_authority() {
        let raw = Bytes::from_static(b"//x/y");
        let variables = Variables { request_uri: Some(&raw), ..Variables::default() };
        let target = Target::new(&raw, &variables, &Method::GET, UriSource::RequestUri).unwrap();
        assert_eq!(target.uri.path(), "//x/y");
        assert_eq!(target.uri.authority(), None);
        assert_eq!(target.uri.host(), None);
    }

    #[test]
    fn an_ordinary_path_is_not_copied() {
        let raw = Bytes::from_static(b"/a?b=c");
        let variables = Variables { request_uri: Some(&raw), ..Variables::default() };
        let target = Target::new(&raw, &variables, &Method::GET, UriSource::RequestUri).unwrap();
        assert_eq!(target.uri.path().as_ptr(), raw.as_ptr());
    }

    #[test]
    fn only_what_http_refuses_is_encoded() {
        assert_path("/a b", "/a%20b");
        assert_path("/a%20<b>?<c>=\"`", "/a%20%3Cb%3E?%3Cc%3E=%22`");
        assert_path("/`\"?x", "/%60\"?x");
        assert_path(b"/\0\x1f\x7f\xff?\xfe\t", "/%00%1F%7F%FF?%FE%09");
        assert_path(b"/caf\xe9", "/caf%E9");
        assert_path("/a?b c?d e", "/a?b%20c?d%20e");
    }

    #[test]
    fn utf8_reaches_the_service_decodable() {
        let (uri, _) = request_uri("/é").unwrap();
        assert!(uri == "/é" || uri == "/%C3%A9", "{uri}");
        assert_path("/é b", "/%C3%A9%20b");
    }

    #[test]
    fn fragments_are_cut_off() {
        assert_path("/a#b", "/a");
        assert_path("/a b?c#d e", "/a%20b?c");
        assert_path("/a#b?c d", "/a");
    }

    #[test]
    fn absolute_form_loses_scheme_and_authority() {
        let of = |uri: &str| request_uri(uri).unwrap();
        let host = |host: &str| Some(host.to_owned());
        assert_eq!(of("http://example.com/a?b"), ("/a?b".into(), host("example.com")));
        assert_eq!(of("HTTPS://Example.com:8443//a"), ("//a".into(), host("Example.com:8443")));
        assert_eq!(of("http://example.com"), ("/".into(), host("example.com")));
        assert_eq!(of("http://example.com?a=b"), ("/?a=b".into(), host("example.com")));
        assert_eq!(of("http://example.com?a b"), ("/?a%20b".into(), host("example.com")));
        assert_eq!(of("http://example.com#a"), ("/".into(), host("example.com")));
        assert_eq!(of("http://[2001:db8::1]:80/"), ("/".into(), host("[2001:db8::1]:80")));
        assert_eq!(of("http://user:pass@example.com/a@b"), ("/a@b".into(), host("example.com")));
        assert_eq!(of("http://a@b@example.com/"), ("/".into(), host("example.com")));
        assert_eq!(of("http://example.com/a b"), ("/a%20b".into(), host("example.com")));
    }

    #[test]
    fn other_targets_are_refused() {
        for uri in [
            "a",
            "*",
            "?a",
            "#",
            " /",
            "example.com:443",
            "ftp://example.com/",
            "http:/a",
            "http://",
            "http:///a",
            "http://:80/",
            "http://user@/",
            "http://a b/",
            "http://a\r\nb/",
            "http://[::1/",
            "http://é/",
        ] {
            assert_refused(request_uri(uri), 400);
        }
    }

    #[test]
    fn asterisk_is_for_options() {
        let uri: &[_] = &[("REQUEST_URI", &b"*"[..])];
        let options = target(uri, &Method::OPTIONS, UriSource::RequestUri);
        assert_eq!(options, Ok(("*".to_owned(), None)));
        assert_refused(target(uri, &Method::GET, UriSource::RequestUri), 400);
        assert_refused(target(uri, &Method::CONNECT, UriSource::RequestUri), 400);
        let decoded: &[_] = &[("PATH_INFO", &b"*"[..])];
        for source in [UriSource::RequestUri, UriSource::PathInfo] {
            let options = target(decoded, &Method::OPTIONS, source);
            assert_eq!(options, Ok(("*".to_owned(), None)));
            assert_eq!(target(decoded, &Method::GET, source), Ok(("/*".to_owned(), None)));
        }
    }

    #[test]
    fn connect_has_an_authority() {
        let connect = |uri: &str| {
            target(&[("REQUEST_URI", uri.as_bytes())], &Method::CONNECT, UriSource::RequestUri)
        };
        let host = "example.com:443".to_owned();
        assert_eq!(connect("example.com:443"), Ok((host.clone(), Some(host))));
        for uri in ["example.com", "user@example.com:443", "example.com:443/a", "http://a:1/"] {
            assert_refused(connect(uri), 400);
        }
    }

    #[test]
    fn a_uri_is_limited_by_what_http_can_hold() {
        let longest = format!("/{}", "a".repeat(MAX_LEN - 1));
        assert_path(&longest, &longest);
        assert_refused(request_uri(format!("{longest}a")), 414);
        assert_refused(request_uri(format!("/{}", " ".repeat(MAX_LEN / 3 + 1))), 414);
        assert_refused(request_uri(format!("http://example.com{longest}a")), 414);
        assert_refused(request_uri(format!("http://example.com?{longest}")), 414);
        let path: &[_] = &[("PATH_INFO", format!("{longest}a").into_bytes())];
        let path: Vec<_> = path.iter().map(|(name, value)| (*name, &value[..])).collect();
        assert_refused(target(&path, &Method::GET, UriSource::PathInfo), 414);
    }

    #[test]
    fn without_request_uri_the_decoded_params_are_encoded() {
        let of = |script_name: &[u8], path_info: &[u8], query: &[u8]| {
            let variables = [
                ("REQUEST_URI", &b""[..]),
                ("SCRIPT_NAME", script_name),
                ("PATH_INFO", path_info),
                ("QUERY_STRING", query),
            ];
            target(&variables, &Method::GET, UriSource::RequestUri).map(|(uri, _)| uri)
        };
        assert_eq!(of(b"/app", b"/a b", b"").as_deref(), Ok("/app/a%20b"));
        assert_eq!(of(b"/app", b"", b"x=%41&y=1").as_deref(), Ok("/app?x=%41&y=1"));
        assert_eq!(of(b"", b"/50%?#", b"?").as_deref(), Ok("/50%25%3F%23??"));
        assert_eq!(of(b"", b"/a", b"b#c d").as_deref(), Ok("/a?b%23c%20d"));
        assert_eq!(of(b"", "/é".as_bytes(), b"").as_deref(), Ok("/%C3%A9"));
        assert_eq!(of(b"", b"//a", b"").as_deref(), Ok("//a"));
        assert_eq!(of(b"index.php", b"", b"").as_deref(), Ok("/index.php"));
        assert_eq!(of(b"", b"http://a/", b"").as_deref(), Ok("/http://a/"));
        assert_eq!(of(b"", b"", b"a").map_err(|it| it.status.as_u16()), Err(400));
        assert_refused(target(&[], &Method::GET, UriSource::RequestUri), 400);
    }

    /// lighttpd decodes in QUERY_STRING what needs no encoding, and all web servers decode the path.
    #[test]
    fn request_uri_goes_before_what_the_web_server_made_of_it() {
        let variables: &[(&str, &[u8])] = &[
            ("REQUEST_URI", b"/a%20b//c?x=1&y=%41"),
            ("SCRIPT_NAME", b""),
            ("PATH_INFO", b"/a b/c"),
            ("QUERY_STRING", b"x=1&y=A"),
        ];
        let uri = target(variables, &Method::GET, UriSource::RequestUri).map(|(uri, _)| uri);
        assert_eq!(uri.as_deref(), Ok("/a%20b//c?x=1&y=%41"));
    }

    #[test]
    fn path_info_goes_before_request_uri_when_asked_to() {
        let of = |variables: &[(&str, &[u8])]| target(variables, &Method::GET, UriSource::PathInfo);
        let mounted: &[(&str, &[u8])] = &[
            ("REQUEST_URI", b"/app/a%20b?x=1"),
            ("SCRIPT_NAME", b"/app"),
            ("PATH_INFO", b"/a b"),
            ("QUERY_STRING", b"x=1"),
        ];
        assert_eq!(of(mounted), Ok(("/a%20b?x=1".to_owned(), None)));
        let root: &[(&str, &[u8])] = &[("SCRIPT_NAME", b"/app"), ("PATH_INFO", b"")];
        assert_eq!(of(root), Ok(("/".to_owned(), None)));
        let whole: &[(&str, &[u8])] = &[("SCRIPT_NAME", b"/a b"), ("REQUEST_URI", b"/x")];
        assert_eq!(of(whole), Ok(("/a%20b".to_owned(), None)));
        assert_refused(of(&[("SCRIPT_NAME", b""), ("REQUEST_URI", b"/x")]), 400);
        let absolute: &[(&str, &[u8])] = &[("PATH_INFO", b"/a"), ("REQUEST_URI", b"http://b/c/a")];
        assert_eq!(of(absolute), Ok(("/a".to_owned(), Some("b".to_owned()))));
    }
}
