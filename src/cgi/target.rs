use bytes::Bytes;
use http::uri::{Authority, Uri};
use http::{Method, StatusCode};

use super::request::Refusal;
use super::variables::Variables;

/// Which params the URI of a request is built from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriSource {
    /// `REQUEST_URI`: what the client asked for, not decoded and not normalised. This is the default.
    ///
    /// A front server that strips a prefix or rewrites the path leaves `REQUEST_URI` as it is: behind a mount at `/app` the
    /// application's routes start with `/app`. Without `REQUEST_URI` the URI is `SCRIPT_NAME` and `PATH_INFO` and
    /// `QUERY_STRING`, percent-encoded.
    #[default]
    RequestUri,
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
            UriSource::RequestUri if !request_uri.is_empty() => {
                Self::of_client(raw, request_uri, method)
            }
            UriSource::RequestUri => {
                let script_name = variables.script_name.unwrap_or_default();
                let path_info = variables.path_info.unwrap_or_default();
                if script_name.is_empty() && path_info.is_empty() {
                    return Err(Refusal::bad_request(
                        "REQUEST_URI, SCRIPT_NAME and PATH_INFO are missing",
                    ));
                }
                Self::of_server([script_name, path_info], variables.query_string, method)
            }
            UriSource::PathInfo => {
                let script_name = variables.script_name.filter(|name| !name.is_empty());
                let path = variables.path_info.or(script_name);
                let path =
                    path.ok_or(Refusal::bad_request("PATH_INFO and SCRIPT_NAME are missing"))?;
                Self::of_server([path, b""], variables.query_string, method)
            }
        }
    }

    /// One of the four forms of RFC 9112 section 3.2. `//x` is a path: what would be an authority in a URI reference is none
    /// in a request.
    fn of_client(raw: &Bytes, target: &[u8], method: &Method) -> Result<Self, Refusal> {
        match target {
            [b'/', ..] => origin_form(raw.slice_ref(target)).map(Self::without_authority),
            b"*" if method == Method::OPTIONS => Ok(Self::without_authority(Uri::from_static("*"))),
            _ if method == Method::CONNECT => authority_form(raw, target),
            _ => absolute_form(raw, target),
        }
    }

    /// The path is decoded, the query is not.
    fn of_server(path: [&[u8]; 2], query: Option<&[u8]>, method: &Method) -> Result<Self, Refusal> {
        if path == [b"*", &b""[..]] && method == Method::OPTIONS {
            return Ok(Self::without_authority(Uri::from_static("*")));
        }
        let path = path.concat();
        let query = query.unwrap_or_default();
        let mut encoded = Vec::with_capacity(1 + path.len() + 1 + query.len());
        if !path.starts_with(b"/") {
            encoded.push(b'/');
        }
        put_encoded(&mut encoded, &path, |byte| is_path(byte) && byte != b'%');
        if !query.is_empty() {
            encoded.push(b'?');
            put_encoded(&mut encoded, query, is_query);
        }
        encoded_uri(encoded).map(Self::without_authority)
    }

    fn without_authority(uri: Uri) -> Self {
        Self { uri, authority: None }
    }
}

/// Nothing is copied unless `http` refuses a byte, which is then percent-encoded.
fn origin_form(target: Bytes) -> Result<Uri, Refusal> {
    if target.len() > MAX_LEN {
        return Err(TOO_LONG);
    }
    match Uri::from_maybe_shared(target.clone()) {
        Ok(uri) => Ok(uri),
        Err(_) => encoded_uri(encode_refused(&target)),
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
        [b'/', ..] => origin_form(raw.slice_ref(path))?,
        [b'?', ..] => origin_form([b"/", path].concat().into())?,
        _ => Uri::from_static("/"),
    };
    Ok(Target { uri, authority: Some(host) })
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    ["http://", "https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    })
}

fn authority_form(raw: &Bytes, target: &[u8]) -> Result<Target, Refusal> {
    let host = raw.slice_ref(target);
    let authority = check_authority(&host)?;
    let uri = Uri::from(authority);
    Ok(Target { uri, authority: Some(host) })
}

fn check_authority(host: &Bytes) -> Result<Authority, Refusal> {
    Authority::from_maybe_shared(host.clone())
        .ok()
        .filter(|authority| !authority.host().is_empty() && !host.contains(&b'@'))
        .ok_or(Refusal::bad_request(
            "the authority in REQUEST_URI is no host with an optional port",
        ))
}

fn encoded_uri(encoded: Vec<u8>) -> Result<Uri, Refusal> {
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

fn put_encoded(dst: &mut Vec<u8>, bytes: &[u8], passes: impl Fn(u8) -> bool) {
    for &byte in bytes {
        if passes(byte) {
            dst.push(byte);
        } else {
            dst.extend_from_slice(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
        }
    }
}

fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + nibble - 10,
    }
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
