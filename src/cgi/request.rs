use std::net::SocketAddr;

use bytes::Bytes;
use http::header;
use http::{Method, Request, StatusCode, Version};

use super::authority::server_authority;
use super::forwarded::Forwarded;
use super::headers::Headers;
use super::mount::Mounted;
use super::params::{Params, remote_addr};
use super::target::{Target, UriSource};
use super::variables::Variables;
use super::{decimal, extensions, header_maps};
use crate::record::{Pairs, Role};

/// How params become a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestOptions {
    pub(crate) forwarded: Forwarded,
    pub(crate) uri_source: UriSource,
    /// How many params a request may have.
    pub(crate) max_params: usize,
}

/// A request whose body is still to come.
#[derive(Debug)]
pub(crate) struct MappedRequest {
    /// [`Params`] and [`Role`] are in its extensions, and the [`MountPrefix`](super::MountPrefix) that was stripped.
    pub(crate) request: Request<()>,
    /// `None` if the body ends where FCGI_STDIN ends.
    pub(crate) content_length: Option<u64>,
    pub(crate) remote_addr: Option<SocketAddr>,
    pub(crate) mounted: Option<Box<Mounted>>,
}

/// Why a request is answered without the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// Names the fault without a byte of the request.
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(super) const TOO_MANY_HEADERS: Self = Self::too_large("too many headers");
    pub(super) const TOO_LONG_NAME: Self = Self::too_large("the name of a header is too long");
    const TOO_MANY_PARAMS: Self = Self::too_large("too many params");

    pub(super) const fn bad_request(reason: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason }
    }

    const fn too_large(reason: &'static str) -> Self {
        Self { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason }
    }
}

/// Maps the whole content of FCGI_PARAMS. Header values and the URI are slices of `raw`.
pub(crate) fn map_request(
    raw: Bytes,
    role: Role,
    options: &RequestOptions,
) -> Result<MappedRequest, Refusal> {
    let mut request = Request::new(());
    let mut variables = Variables::default();
    *request.headers_mut() = header_maps::take();
    let mut headers = Headers::new(&raw, options.forwarded, request.headers_mut());
    read(&raw, options.max_params, &mut variables, &mut headers)?;
    let method = method(&variables)?;
    let target = Target::new(&raw, &variables, &method, options.uri_source)?;
    let content_length = content_length(&variables)?;
    finish(&mut headers, &raw, &variables, target.authority)?;

    let remote_addr = remote_addr(variables.remote_addr, variables.remote_port);
    *request.version_mut() = version(&variables);
    *request.method_mut() = method;
    *request.uri_mut() = target.uri;
    *request.extensions_mut() = extensions::roomy(role);
    request.extensions_mut().insert(Params::new(raw));
    if let Some(mounted) = &target.mounted {
        request.extensions_mut().insert(mounted.prefix.clone());
    }
    header_maps::on_filled(request.headers());
    Ok(MappedRequest { request, content_length, remote_addr, mounted: target.mounted })
}

fn read<'a>(
    raw: &'a [u8],
    max_params: usize,
    variables: &mut Variables<'a>,
    headers: &mut Headers<'a>,
) -> Result<(), Refusal> {
    for (index, pair) in Pairs::new(raw).enumerate() {
        if index == max_params {
            return Err(Refusal::TOO_MANY_PARAMS);
        }
        let Ok((name, value)) = pair else {
            return Err(Refusal::bad_request("FCGI_PARAMS ends within a param"));
        };
        match name {
            [b'H', b'T', b'T', b'P', b'_', name @ ..] => headers.add(name, value)?,
            _ => variables.set(name, value),
        }
    }
    Ok(())
}

/// Adds the headers that come from other params than `HTTP_*`.
fn finish(
    headers: &mut Headers<'_>,
    raw: &Bytes,
    variables: &Variables<'_>,
    authority: Option<Bytes>,
) -> Result<(), Refusal> {
    match (authority, headers.host()) {
        (None, Some(host)) => headers.append(header::HOST, raw, host)?,
        (authority, _) => {
            if let Some(host) = authority.or_else(|| server_authority(raw, variables)) {
                headers.append(header::HOST, &host, &host)?;
            }
        }
    }
    if let Some(content_type) = variables.content_type.filter(|value| !value.is_empty()) {
        headers.append(header::CONTENT_TYPE, raw, content_type)?;
    }
    if let Some(content_length) = known_length(variables) {
        headers.append(header::CONTENT_LENGTH, raw, content_length)?;
    }
    headers.finish()
}

fn method(variables: &Variables<'_>) -> Result<Method, Refusal> {
    let method =
        variables.request_method.ok_or(Refusal::bad_request("REQUEST_METHOD is missing"))?;
    Method::from_bytes(method).map_err(|_| Refusal::bad_request("REQUEST_METHOD is no HTTP method"))
}

/// HTTP/1.1 is what a handler can most safely take an unknown version for.
fn version(variables: &Variables<'_>) -> Version {
    match variables.server_protocol.unwrap_or_default() {
        b"HTTP/0.9" => Version::HTTP_09,
        b"HTTP/1.0" => Version::HTTP_10,
        b"HTTP/2.0" | b"HTTP/2" => Version::HTTP_2,
        b"HTTP/3.0" | b"HTTP/3" => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

fn content_length(variables: &Variables<'_>) -> Result<Option<u64>, Refusal> {
    let Some(length) = known_length(variables) else { return Ok(None) };
    match decimal::parse(length) {
        Some(length) => Ok(Some(length)),
        None => Err(Refusal::bad_request("CONTENT_LENGTH is no number of bytes")),
    }
}

/// A body of unknown length comes without CONTENT_LENGTH (Apache), with an empty one (nginx) or with -1 (Caddy).
fn known_length<'a>(variables: &Variables<'a>) -> Option<&'a [u8]> {
    variables.content_length.filter(|&length| !length.is_empty() && length != b"-1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgi::MountPrefix;
    use crate::record::put_pair;

    const OPTIONS: RequestOptions = RequestOptions {
        forwarded: Forwarded::Remove,
        uri_source: UriSource::RequestUri,
        max_params: 512,
    };

    fn wire(params: &[(&str, &str)]) -> Vec<u8> {
        let mut wire = Vec::new();
        for (name, value) in params {
            put_pair(&mut wire, name.as_bytes(), value.as_bytes());
        }
        wire
    }

    /// A GET of `/`, in which these params come last.
    fn map_with(
        params: &[(&str, &str)],
        options: &RequestOptions,
    ) -> Result<MappedRequest, Refusal> {
        let get = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/")];
        map_request(wire(&[&get, params].concat()).into(), Role::Responder, options)
    }

    fn map(params: &[(&str, &str)]) -> MappedRequest {
        map_with(params, &OPTIONS).unwrap()
    }

    #[track_caller]
    fn assert_refused(params: &[(&str, &str)], status: u16) {
        let refusal = map_with(params, &OPTIONS).unwrap_err();
        assert_eq!(refusal.status, status, "{}", refusal.reason);
    }

    #[test]
    fn what_nginx_sends_becomes_a_request() {
        let mapped = map_request(
            wire(&[
                ("QUERY_STRING", "x=1&y=%41"),
                ("REQUEST_METHOD", "POST"),
                ("CONTENT_TYPE", "text/plain"),
                ("CONTENT_LENGTH", "5"),
                ("SCRIPT_NAME", "/echo/a b/c"),
                ("REQUEST_URI", "/echo/a%20b/c?x=1&y=%41"),
                ("DOCUMENT_URI", "/echo/a b/c"),
                ("DOCUMENT_ROOT", "/var/www/html"),
                ("SERVER_PROTOCOL", "HTTP/2.0"),
                ("REQUEST_SCHEME", "https"),
                ("HTTPS", "on"),
                ("GATEWAY_INTERFACE", "CGI/1.1"),
                ("SERVER_SOFTWARE", "nginx/1.22.1"),
                ("REMOTE_ADDR", "192.0.2.1"),
                ("REMOTE_PORT", "50000"),
                ("SERVER_ADDR", "192.0.2.2"),
                ("SERVER_PORT", "443"),
                ("SERVER_NAME", "example.com"),
                ("REDIRECT_STATUS", "200"),
                ("HTTP_HOST", "www.example.com"),
                ("HTTP_ACCEPT", "*/*"),
                ("HTTP_CONTENT_TYPE", "text/plain"),
                ("HTTP_CONTENT_LENGTH", "5"),
            ])
            .into(),
            Role::Responder,
            &OPTIONS,
        )
        .unwrap();
        let request = &mapped.request;
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/echo/a%20b/c?x=1&y=%41");
        assert_eq!(request.version(), Version::HTTP_2);
        let headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let expected = [
            ("accept", "*/*"),
            ("host", "www.example.com"),
            ("content-type", "text/plain"),
            ("content-length", "5"),
        ];
        assert_eq!(headers, expected);
        assert_eq!(mapped.content_length, Some(5));
        assert_eq!(mapped.remote_addr, Some("192.0.2.1:50000".parse().unwrap()));
    }

    #[test]
    fn params_and_role_are_in_the_extensions() {
        let wire = wire(&[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/"), ("MINE", "1")]);
        for role in [Role::Responder, Role::Authorizer, Role::Filter] {
            let mapped = map_request(wire.clone().into(), role, &OPTIONS).unwrap();
            let extensions = mapped.request.extensions();
            assert_eq!(extensions.get::<Role>(), Some(&role));
            assert_eq!(extensions.get::<Params>().unwrap().get("MINE"), Some(&b"1"[..]));
        }
    }

    #[test]
    fn any_token_is_a_method() {
        for method in ["GET", "HEAD", "PROPFIND", "get", "M-SEARCH", "A_VERY_LONG_METHOD_NAME"] {
            let mapped = map(&[("REQUEST_METHOD", method)]);
            assert_eq!(mapped.request.method(), method);
        }
        for method in ["", "GET ", "GE T", "GET\r\n", "Ä"] {
            assert_refused(&[("REQUEST_METHOD", method)], 400);
        }
        let without = wire(&[("REQUEST_URI", "/")]);
        let refusal = map_request(without.into(), Role::Responder, &OPTIONS).unwrap_err();
        assert_eq!(refusal.status, 400);
    }

    #[test]
    fn an_unknown_protocol_is_http_1_1() {
        for (protocol, version) in [
            ("HTTP/0.9", Version::HTTP_09),
            ("HTTP/1.0", Version::HTTP_10),
            ("HTTP/1.1", Version::HTTP_11),
            ("HTTP/2.0", Version::HTTP_2),
            ("HTTP/2", Version::HTTP_2),
            ("HTTP/3.0", Version::HTTP_3),
            ("HTTP/3", Version::HTTP_3),
            ("HTTP/1.2", Version::HTTP_11),
            ("INCLUDED", Version::HTTP_11),
            ("", Version::HTTP_11),
        ] {
            assert_eq!(
                map(&[("SERVER_PROTOCOL", protocol)]).request.version(),
                version,
                "{protocol}"
            );
        }
        assert_eq!(map(&[]).request.version(), Version::HTTP_11);
    }

    #[test]
    fn content_length_is_digits_or_unknown() {
        for unknown in ["", "-1"] {
            let mapped = map(&[("CONTENT_LENGTH", unknown)]);
            assert_eq!(mapped.content_length, None);
            assert_eq!(mapped.request.headers().get("content-length"), None);
        }
        assert_eq!(map(&[]).content_length, None);
        for (text, length) in [("0", 0), ("18446744073709551615", u64::MAX)] {
            let mapped = map(&[("CONTENT_LENGTH", text)]);
            assert_eq!(mapped.content_length, Some(length));
            assert_eq!(mapped.request.headers()["content-length"], text);
        }
        for bad in ["+1", "-2", " 1", "1 ", "1,1", "0x1", "18446744073709551616", "one"] {
            assert_refused(&[("CONTENT_LENGTH", bad)], 400);
        }
    }

    #[test]
    fn a_client_cannot_speak_for_the_web_server() {
        let mapped = map(&[
            ("CONTENT_LENGTH", "5"),
            ("HTTP_CONTENT_LENGTH", "7"),
            ("HTTP_CONTENT_TYPE", "text/html"),
            ("HTTP_TRANSFER_ENCODING", "chunked"),
            ("HTTP_PROXY", "http://evil.example/"),
            ("HTTP_REMOTE_USER", "admin"),
            ("HTTP_HTTPS", "on"),
        ]);
        assert_eq!(mapped.content_length, Some(5));
        let headers = mapped.request.headers();
        let names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["remote-user", "https", "content-length"]);
        let params = mapped.request.extensions().get::<Params>().unwrap();
        assert_eq!((params.get("REMOTE_USER"), params.get("HTTPS")), (None, None));
    }

    #[test]
    fn the_last_of_duplicates_wins_but_for_headers() {
        let mapped = map(&[
            ("REQUEST_URI", "/a"),
            ("REQUEST_URI", "/b"),
            ("CONTENT_LENGTH", "x"),
            ("CONTENT_LENGTH", "2"),
            ("HTTP_ACCEPT", "a"),
            ("HTTP_ACCEPT", "b"),
        ]);
        assert_eq!(mapped.request.uri(), "/b");
        assert_eq!(mapped.content_length, Some(2));
        assert_eq!(mapped.request.headers().get_all("accept").iter().count(), 2);
    }

    #[test]
    fn host_is_the_targets_then_the_headers_then_the_servers() {
        let host = |params: &[(&str, &str)]| {
            let mapped =
                map(&[&[("SERVER_NAME", "server"), ("SERVER_PORT", "81")], params].concat());
            let mut hosts = mapped.request.headers().get_all("host").iter();
            let host = hosts.next().map(|host| host.to_str().unwrap().to_owned());
            assert_eq!(hosts.next(), None);
            host
        };
        let absolute = ("REQUEST_URI", "http://target:82/a");
        assert_eq!(host(&[absolute, ("HTTP_HOST", "header")]).as_deref(), Some("target:82"));
        assert_eq!(host(&[("HTTP_HOST", "header")]).as_deref(), Some("header"));
        assert_eq!(host(&[("HTTP_HOST", "")]).as_deref(), Some("server:81"));
        assert_eq!(host(&[]).as_deref(), Some("server:81"));
        assert_eq!(host(&[("SERVER_NAME", "_")]), None);
        assert_refused(&[absolute, ("HTTP_HOST", "a"), ("HTTP_HOST", "b")], 400);
        assert_refused(&[("HTTP_HOST", "a\0")], 400);
    }

    #[test]
    fn an_empty_content_type_is_none() {
        assert_eq!(map(&[("CONTENT_TYPE", "")]).request.headers().get("content-type"), None);
        assert_eq!(map(&[("CONTENT_TYPE", "a/b")]).request.headers()["content-type"], "a/b");
        assert_refused(&[("CONTENT_TYPE", "a\r\nb")], 400);
    }

    #[test]
    fn forwarded_headers_are_as_the_option_says() {
        let spoofed = [("HTTP_X_FORWARDED_FOR", "127.0.0.1"), ("HTTP_X_REAL_IP", "127.0.0.1")];
        assert!(map(&spoofed).request.headers().is_empty());
        let keep = RequestOptions { forwarded: Forwarded::Keep, ..OPTIONS };
        assert_eq!(map_with(&spoofed, &keep).unwrap().request.headers().len(), 2);
    }

    #[test]
    fn the_uri_is_made_of_what_the_option_says() {
        let params = [("REQUEST_URI", "/app/a"), ("PATH_INFO", "/a")];
        assert_eq!(map(&params).request.uri(), "/app/a");
        let path_info = RequestOptions { uri_source: UriSource::PathInfo, ..OPTIONS };
        assert_eq!(map_with(&params, &path_info).unwrap().request.uri(), "/a");
    }

    #[test]
    fn a_mount_that_was_stripped_is_told() {
        let mounted = RequestOptions { uri_source: UriSource::Mounted, ..OPTIONS };
        let params = [("REQUEST_URI", "/app/a"), ("SCRIPT_NAME", "/app"), ("PATH_INFO", "/a")];
        let prefix = |mapped: &MappedRequest| mapped.request.extensions().get().cloned();
        let mapped = map_with(&params, &mounted).unwrap();
        assert_eq!(mapped.request.uri(), "/a");
        assert_eq!(prefix(&mapped), Some(MountPrefix::new("/app")));
        assert_eq!(mapped.mounted.unwrap().original, "/app/a");
        let mapped = map(&params);
        assert_eq!(mapped.request.uri(), "/app/a");
        assert!(prefix(&mapped).is_none() && mapped.mounted.is_none());
    }

    #[test]
    fn no_address_is_made_up() {
        assert_eq!(map(&[]).remote_addr, None);
        assert_eq!(map(&[("REMOTE_ADDR", ""), ("REMOTE_PORT", "1")]).remote_addr, None);
        let mapped = map(&[("REMOTE_ADDR", "::1"), ("HTTP_REMOTE_ADDR", "192.0.2.1")]);
        assert_eq!(mapped.remote_addr, Some("[::1]:0".parse().unwrap()));
        let params = mapped.request.extensions().get::<Params>().unwrap();
        assert_eq!(params.remote_addr(), mapped.remote_addr);
    }

    #[test]
    fn as_many_params_as_the_option_says() {
        let options = RequestOptions { max_params: 3, ..OPTIONS };
        assert!(map_with(&[("A", "")], &options).is_ok());
        let refusal = map_with(&[("A", ""), ("A", "")], &options).unwrap_err();
        assert_eq!(refusal.status, 431);
    }

    #[test]
    fn broken_pairs_are_refused_wherever_they_end() {
        let params = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/a"), ("HTTP_A", "b")];
        let whole = wire(&params);
        let sound_ends = [wire(&params[..2]).len(), whole.len()];
        for end in 0..=whole.len() {
            let part = Bytes::copy_from_slice(&whole[..end]);
            let result = map_request(part, Role::Responder, &OPTIONS);
            assert_eq!(result.is_ok(), sound_ends.contains(&end), "{end}");
        }
    }

    #[test]
    fn a_refusal_is_the_clients_fault_and_quotes_nothing() {
        let refusal = map_with(&[("REQUEST_URI", "secret")], &OPTIONS).unwrap_err();
        assert_eq!(refusal.status, 400);
        assert!(!refusal.reason.contains("secret"));
    }
}
