use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::UNIX_EPOCH;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use tower_fastcgi::Role;
use tower_fastcgi::client::Environment;

use super::options::{Header, Options, RoleName};
use super::target::Target;
use super::upload::Upload;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal;

/// What is to be sent, made of the options.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) request: Request<()>,
    pub(super) environment: Environment,
    pub(super) upload: Upload,
}

impl Order {
    pub(super) fn new(options: &Options, target: &Target) -> Outcome<Self> {
        let mut request = Request::new(());
        *request.method_mut() = method(options);
        *request.uri_mut() = target.uri.clone();
        *request.headers_mut() = headers(options);
        let environment = environment(options, target)?;
        if options.role == RoleName::Authorizer
            && (has_data(options) || options.upload_file.is_some())
        {
            return Err(Failure::new(
                Exit::Usage,
                "an Authorizer gets the params alone, and no body",
            )
            .advise("leave the body out, or ask a responder"));
        }
        Ok(Self { request, environment, upload: Upload::open(options)? })
    }
}

fn method(options: &Options) -> Method {
    let is_form = has_data(options);
    options.method.clone().unwrap_or(match options {
        Options { head: true, .. } => Method::HEAD,
        Options { upload_file: Some(_), .. } => Method::PUT,
        _ if is_form => Method::POST,
        _ => Method::GET,
    })
}

fn has_data(options: &Options) -> bool {
    !(options.data.is_empty() && options.data_binary.is_empty() && options.data_raw.is_empty())
}

fn headers(options: &Options) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    if has_data(options) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
    }
    // What is given replaces the default, and comes beside what else is given.
    for given in &options.headers {
        let (Header::Send(name, _) | Header::Omit(name)) = given;
        headers.remove(name);
    }
    for given in &options.headers {
        if let Header::Send(name, value) = given {
            warn_if_dropped(name, options);
            headers.append(name, value.clone());
        }
    }
    headers
}

fn warn_if_dropped(name: &HeaderName, options: &Options) {
    let is_plain = name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_dropped = !is_plain || DROPPED.contains(&name.as_str());
    if is_dropped && options.tells_errors() {
        terminal::hint(&format!(
            "the header {name} is not sent, as web servers do not{}",
            instead(name)
        ));
    }
}

fn instead(name: &HeaderName) -> String {
    let param = name.as_str().to_ascii_uppercase().replace('-', "_");
    match param.as_str() {
        // HTTP clients within the application would take it for their configuration.
        "PROXY" => String::new(),
        param => format!("; --param HTTP_{param}=VALUE sends it all the same"),
    }
}

fn environment(options: &Options, target: &Target) -> Outcome<Environment> {
    let mut environment = Environment::new();
    environment.remote_addr(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
    environment.https(target.is_https).role(options.role.into());
    if let Some(file) = &options.script_filename {
        environment.script_filename(file);
    }
    if let Some(name) = &options.script_name {
        environment.script_name(name);
    }
    if let Some(root) = &options.document_root {
        if target.goes_up() {
            return Err(Failure::new(Exit::BadUrl, "the path leaves the document root")
                .advise("write it without .."));
        }
        environment.document_root(root).scripts(".php", "index.php");
    }
    put_filter_data(options, &mut environment)?;
    for param in &options.params {
        environment.param(&param.name, &param.value);
    }
    Ok(environment)
}

fn put_filter_data(options: &Options, environment: &mut Environment) -> Outcome {
    let Some(path) = &options.filter_data else { return Ok(()) };
    if options.role != RoleName::Filter {
        return Err(
            Failure::new(Exit::Usage, "--filter-data is for filters").advise("add --role filter")
        );
    }
    let unreadable = |error| {
        let message = format!("cannot read {}: {error}", path.display());
        Failure::new(Exit::Read, message).advise("is the path right, and may you read the file?")
    };
    environment.role(Role::Filter).filter_data(std::fs::read(path).map_err(unreadable)?);
    let modified = path.metadata().and_then(|metadata| metadata.modified()).map_err(unreadable)?;
    if let Ok(age) = modified.duration_since(UNIX_EPOCH) {
        environment.param("FCGI_DATA_LAST_MOD", age.as_secs().to_string());
    }
    Ok(())
}

const USER_AGENT: &str = concat!("fcgi/", env!("CARGO_PKG_VERSION"));
const FORM: &str = "application/x-www-form-urlencoded";

/// What the client does not send.
const DROPPED: [&str; 10] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
