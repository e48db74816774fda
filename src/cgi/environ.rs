use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Uri, Version};
use http_body::SizeHint;

use super::decimal;
use super::environment::{Environment, Param};
use super::script::{Script, decode_path};
use crate::error::Unsendable;
use crate::record::{MAX_STREAM_CONTENT, Role, put_pair};

/// The params of one request (RFC 3875 section 4.1), as they stand in FCGI_PARAMS.
///
/// No record holds a part of a pair: php-fpm, tokio-fastcgi and others drop the connection on a pair that goes on in another one.
#[derive(Debug, Default)]
pub(crate) struct Environ {
    bytes: Vec<u8>,
    /// Where a record ends and the next one begins.
    cuts: Vec<usize>,
}

impl Environ {
    /// Both environments say what the web server knows; `own` wins.
    pub(crate) fn new<B>(
        request: &Request<B>,
        own: Option<&Environment>,
        defaults: &Environment,
        length: Option<u64>,
        max_size: usize,
    ) -> Result<Self, Unsendable> {
        let request = &Head::of(request);
        let nothing = Environment::new();
        let own = own.unwrap_or(&nothing);
        let mut writer = Writer { environ: Self::default(), own, defaults, is_bad: None };
        writer.put_request(request)?;
        writer.put_paths(request)?;
        writer.put_addresses(request)?;
        writer.put_body(request, length);
        writer.put_headers(request.headers);
        writer.put_filter_data();
        writer.put_extra();
        match writer.is_bad {
            Some(bad) => Err(bad),
            None if writer.environ.bytes.len() > max_size => Err(Unsendable::Size),
            None => Ok(writer.environ),
        }
    }

    /// The contents of the FCGI_PARAMS records, without the empty one.
    pub(crate) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain([self.bytes.len()]);
        starts.zip(ends).map(|(start, end)| &self.bytes[start..end])
    }

    fn put(&mut self, name: &[u8], value: &[u8]) -> Result<(), Unsendable> {
        // Four bytes for each length at most.
        let most = name.len().saturating_add(value.len()).saturating_add(8);
        if most > MAX_STREAM_CONTENT {
            return Err(Unsendable::LongParam);
        }
        let record_start = self.cuts.last().copied().unwrap_or(0);
        if self.bytes.len() + most - record_start > MAX_STREAM_CONTENT {
            self.cuts.push(self.bytes.len());
        }
        put_pair(&mut self.bytes, name, value);
        Ok(())
    }
}

/// How long the body will be, if that is known.
pub(crate) fn body_length(
    headers: &HeaderMap,
    size: &SizeHint,
    is_end: bool,
) -> Result<Option<u64>, Unsendable> {
    let actual = if is_end { Some(0) } else { size.exact() };
    let mut told = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        let length = decimal::parse(value.as_bytes()).ok_or(Unsendable::Length)?;
        if told.replace(length).is_some_and(|other| other != length) {
            return Err(Unsendable::Length);
        }
    }
    match (told, actual) {
        (Some(told), Some(actual)) if told != actual => Err(Unsendable::Length),
        _ => Ok(told.or(actual)),
    }
}

/// A request but for its body.
struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
}

impl<'a> Head<'a> {
    fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
        }
    }
}

struct Writer<'a> {
    environ: Environ,
    own: &'a Environment,
    defaults: &'a Environment,
    is_bad: Option<Unsendable>,
}

impl<'a> Writer<'a> {
    fn put_request(&mut self, request: &Head<'_>) -> Result<(), Unsendable> {
        self.put("GATEWAY_INTERFACE", "CGI/1.1");
        self.put("SERVER_SOFTWARE", SOFTWARE);
        self.put("SERVER_PROTOCOL", protocol(request.version));
        self.put("REQUEST_METHOD", request.method.as_str());
        let uri = request.uri;
        match uri.path_and_query() {
            // Of `http://host?query`.
            Some(target) if target.as_str().starts_with('?') => {
                self.put("REQUEST_URI", format!("/{}", target.as_str()));
            }
            Some(target) => self.put("REQUEST_URI", target.as_str()),
            None => self.put("REQUEST_URI", uri.authority().map_or("", |it| it.as_str())),
        }
        self.put("QUERY_STRING", uri.query().unwrap_or_default());
        // php-cgi refuses to run a script without it.
        self.put("REDIRECT_STATUS", "200");
        Ok(())
    }

    fn put_paths(&mut self, request: &Head<'_>) -> Result<(), Unsendable> {
        let path = decode_path(request.uri.path()).ok_or(Unsendable::Path)?;
        let root = self.pick(|it| it.document_root.as_deref());
        let script = Script {
            filename: self.pick(|it| it.script_filename.as_deref()),
            root,
            files: self.pick(|it| it.scripts.as_ref()),
            name: self.pick(|it| it.script_name.as_deref()),
        };
        let split = script.split(&path).ok_or(Unsendable::Path)?;
        self.put(
            "DOCUMENT_URI",
            [&split.name[..], split.info.as_deref().unwrap_or_default()].concat(),
        );
        self.put("SCRIPT_NAME", &split.name);
        if let Some(info) = &split.info {
            self.put("PATH_INFO", info);
        }
        if let Some(filename) = &split.filename {
            self.put("SCRIPT_FILENAME", filename);
        }
        if let Some(root) = split.root {
            self.put("DOCUMENT_ROOT", root);
        }
        Ok(())
    }

    fn put_addresses(&mut self, request: &Head<'_>) -> Result<(), Unsendable> {
        let is_https = self.pick(|it| it.https).unwrap_or(false);
        self.put("REQUEST_SCHEME", if is_https { "https" } else { "http" });
        if is_https {
            self.put("HTTPS", "on");
        }
        if let Some(remote) = self.pick(|it| it.remote_addr) {
            self.put("REMOTE_ADDR", remote.ip().to_canonical().to_string());
            // An unknown port is 0.
            if remote.port() != 0 {
                self.put("REMOTE_PORT", remote.port().to_string());
            }
        }
        let server = self.pick(|it| it.server_addr);
        if let Some(server) = server {
            self.put("SERVER_ADDR", server.ip().to_canonical().to_string());
        }
        let host = host(request)?;
        let (name, port) = host.map_or((&b"localhost"[..], None), split_port);
        match self.pick(|it| it.server_name.as_deref()) {
            Some(name) => self.put("SERVER_NAME", name),
            None => self.put("SERVER_NAME", name),
        }
        let configured = self.pick(|it| it.server_port).or(server.map(|addr| addr.port()));
        let port = configured.or(port).unwrap_or(if is_https { 443 } else { 80 });
        self.put("SERVER_PORT", port.to_string());
        if let Some(host) = host {
            self.put("HTTP_HOST", host);
        }
        Ok(())
    }

    fn put_body(&mut self, request: &Head<'_>, length: Option<u64>) {
        let headers = request.headers;
        if let Some(content_type) = headers.get(header::CONTENT_TYPE) {
            self.put("CONTENT_TYPE", content_type.as_bytes());
        }
        let has_body = matches!(*request.method, Method::POST | Method::PUT | Method::PATCH)
            || headers.contains_key(header::CONTENT_LENGTH);
        if let Some(length) = length.filter(|&length| length > 0 || has_body) {
            self.put("CONTENT_LENGTH", length.to_string());
        }
    }

    /// The values of one name become one param, since few applications see more than one of several.
    fn put_headers(&mut self, headers: &HeaderMap) {
        let mut param = Vec::new();
        for name in headers.keys() {
            if !is_passed(name) || is_nominated(name, headers) {
                continue;
            }
            param.clear();
            param.extend_from_slice(b"HTTP_");
            param.extend(name.as_str().bytes().map(|byte| match byte {
                b'-' => b'_',
                byte => byte.to_ascii_uppercase(),
            }));
            let mut values = headers.get_all(name).iter().map(|value| value.as_bytes());
            let first = values.next().unwrap_or_default();
            let separator: &[u8] = if name == header::COOKIE { b"; " } else { b", " };
            match values.next() {
                None => self.put(&param, first),
                Some(second) => {
                    let joined =
                        values.fold([first, second].join(separator), |mut joined, value| {
                            joined.extend_from_slice(separator);
                            joined.extend_from_slice(value);
                            joined
                        });
                    self.put(&param, joined);
                }
            }
        }
    }

    fn put_filter_data(&mut self) {
        if self.pick(|it| it.role) == Some(Role::Filter) {
            let length = self.pick(|it| it.filter_data.as_ref()).map_or(0, Bytes::len);
            self.put("FCGI_DATA_LENGTH", length.to_string());
        }
    }

    fn put_extra(&mut self) {
        for (environment, later) in [(self.defaults, Some(self.own)), (self.own, None)] {
            for (index, (name, value)) in environment.params.iter().enumerate() {
                let is_replaced = is_named(&environment.params[index + 1..], name)
                    || later.is_some_and(|later| is_named(&later.params, name));
                if !is_replaced {
                    self.put_unchecked(name, value);
                }
            }
        }
    }

    /// Puts a param unless one of that name was set by hand: many applications see the first of two, others the last.
    fn put(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = name.as_ref();
        if !is_named(&self.own.params, name) && !is_named(&self.defaults.params, name) {
            self.put_unchecked(name, value.as_ref());
        }
    }

    fn put_unchecked(&mut self, name: &[u8], value: &[u8]) {
        if let Err(bad) = self.environ.put(name, value) {
            self.is_bad = Some(bad);
        }
    }

    fn pick<T>(&self, field: impl Fn(&'a Environment) -> Option<T>) -> Option<T> {
        field(self.own).or_else(|| field(self.defaults))
    }
}

fn is_named(params: &[Param], name: &[u8]) -> bool {
    params.iter().any(|(other, _)| **other == *name)
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// The authority of the URI replaces the header (RFC 9112 section 3.2.2).
fn host<'a>(request: &Head<'a>) -> Result<Option<&'a [u8]>, Unsendable> {
    if let Some(authority) = request.uri.authority() {
        let host = authority.as_str();
        return Ok(Some(host.rsplit_once('@').map_or(host, |(_, host)| host).as_bytes()));
    }
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let Some(first) = hosts.next() else { return Ok(None) };
    match hosts.all(|host| host == first) {
        true => Ok(Some(first.as_bytes()).filter(|host| !host.is_empty())),
        false => Err(Unsendable::Host),
    }
}

fn split_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let Some(colon) = host.iter().rposition(|&byte| byte == b':') else { return (host, None) };
    let port = decimal::parse(&host[colon + 1..]).and_then(|port| u16::try_from(port).ok());
    // Within an IPv6 address.
    if host[colon..].contains(&b']') { (host, None) } else { (&host[..colon], port) }
}

/// Names that hold anything but letters, digits and `-` meet others when they become params. `Proxy` would be HTTP_PROXY, which
/// HTTP clients within the application take for their configuration. The hop-by-hop ones concern the client's connection. The
/// body's own, and Host, are written apart.
fn is_passed(name: &HeaderName) -> bool {
    let name = name.as_str();
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_plain
        && !matches!(
            name,
            "connection"
                | "content-length"
                | "content-type"
                | "expect"
                | "host"
                | "keep-alive"
                | "proxy"
                | "proxy-authorization"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
        )
}

/// Whether `Connection` says that this header concerns the client's connection only (RFC 9110 section 7.6.1).
fn is_nominated(name: &HeaderName, headers: &HeaderMap) -> bool {
    let options = headers.get_all(header::CONNECTION).iter();
    options
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
}

const SOFTWARE: &str = concat!("tower-fastcgi/", env!("CARGO_PKG_VERSION"));
