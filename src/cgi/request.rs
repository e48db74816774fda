use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Method, Request, StatusCode, Version};

use super::authority::server_authority;
use super::decimal;
use super::forwarded::Forwarded;
use super::headers::{Headers, header_value};
use super::params::{Params, remote_addr};
use super::target::{Target, UriSource};
use super::variables::Variables;
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
    /// [`Params`] and [`Role`] are in its extensions.
    pub(crate) request: Request<()>,
    /// `None` if the body ends where FCGI_STDIN ends.
    pub(crate) content_length: Option<u64>,
    pub(crate) remote_addr: Option<SocketAddr>,
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
    let (variables, headers) = read(&raw, options)?;
    let method = method(&variables)?;
    let version = version(&variables);
    let target = Target::new(&raw, &variables, &method, options.uri_source)?;
    let content_length = content_length(&variables)?;
    let remote_addr = remote_addr(variables.remote_addr, variables.remote_port);
    let headers = finish(headers, &raw, &variables, target.authority)?;

    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = target.uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    request.extensions_mut().insert(Params::new(raw));
    request.extensions_mut().insert(role);
    Ok(MappedRequest { request, content_length, remote_addr })
}

fn read<'a>(
    raw: &'a Bytes,
    options: &RequestOptions,
) -> Result<(Variables<'a>, Headers<'a>), Refusal> {
    let mut variables = Variables::default();
    let mut headers = Headers::new(raw, options.forwarded);
    for (index, pair) in Pairs::new(raw).enumerate() {
        if index == options.max_params {
            return Err(Refusal::TOO_MANY_PARAMS);
        }
        let Ok((name, value)) = pair else {
            return Err(Refusal::bad_request("FCGI_PARAMS ends within a param"));
        };
        match name.strip_prefix(b"HTTP_") {
            Some(name) => headers.add(name, value)?,
            None => variables.set(name, value),
        }
    }
    Ok((variables, headers))
}

/// Adds the headers that come from other params than `HTTP_*`.
fn finish(
    mut headers: Headers<'_>,
    raw: &Bytes,
    variables: &Variables<'_>,
    authority: Option<Bytes>,
) -> Result<HeaderMap, Refusal> {
    let host = authority
        .or_else(|| headers.host().map(|host| raw.slice_ref(host)))
        .or_else(|| server_authority(raw, variables));
    if let Some(host) = host {
        headers.append_value(header::HOST, header_value(host)?)?;
    }
    if let Some(content_type) = variables.content_type.filter(|value| !value.is_empty()) {
        headers.append(header::CONTENT_TYPE, content_type)?;
    }
    if let Some(content_length) = known_length(variables) {
        headers.append(header::CONTENT_LENGTH, content_length)?;
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
