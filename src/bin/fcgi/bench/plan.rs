use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::{HeaderValue, Method, Request, header};
use hyper_util::rt::TokioTimer;
use tower_fastcgi::client::conn::Builder;
use tower_fastcgi::client::{Environment, Stderr};

use super::options::{Data, Options};
use super::payload::Payload;
use crate::address::Address;
use crate::failure::{Exit, Failure, Outcome};

/// What is asked, and of whom.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) address: Address,
    pub(super) request: Request<Payload>,
    pub(super) builder: Builder,
    pub(super) connections: u32,
    pub(super) multiplex: u16,
    pub(super) is_kept: bool,
    pub(super) timeout: Duration,
    pub(super) extent: Extent,
    pub(super) is_any_right: bool,
}

/// When enough requests were made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    Number(u64),
    Time(Duration),
}

impl Plan {
    pub(super) fn new(options: &Options) -> Outcome<Self> {
        let extent = match options.number {
            Some(number) => Extent::Number(number),
            None => Extent::Time(options.duration),
        };
        Ok(Self {
            address: options.address.clone(),
            request: request(options)?,
            builder: builder(options),
            connections: options.connections,
            multiplex: options.multiplex,
            is_kept: !options.no_keep,
            timeout: options.timeout,
            extent,
            is_any_right: options.any,
        })
    }
}

fn request(options: &Options) -> Outcome<Request<Payload>> {
    let body = options.data.as_ref().map(read).transpose()?;
    let default = if body.is_some() { Method::POST } else { Method::GET };
    let mut request = Request::new(Payload::new(body.unwrap_or_default()));
    *request.method_mut() = options.method.clone().unwrap_or(default);
    *request.uri_mut() = options.target.clone();
    let headers = request.headers_mut();
    for (name, value) in &options.headers {
        headers.append(name, value.clone());
    }
    headers.entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
    if options.data.is_some() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.entry(header::CONTENT_TYPE).or_insert(form);
    }
    Ok(request)
}

fn read(data: &Data) -> Outcome<Vec<u8>> {
    match data {
        Data::Text(text) => Ok(text.clone().into_bytes()),
        Data::File(path) => std::fs::read(path).map_err(|error| {
            Failure::new(Exit::Read, format_args!("cannot read {}: {error}", path.display()))
        }),
    }
}

/// The lane's own timeout takes the place of most of the connection's.
fn builder(options: &Options) -> Builder {
    let mut environment = Environment::new();
    environment.remote_addr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    if let Some(file) = &options.script_filename {
        environment.script_filename(file).script_name("");
    }
    for param in &options.params {
        environment.param(&param.name, &param.value);
    }
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .environment(environment)
        .stderr(Stderr::discard())
        .keep_conn(!options.no_keep)
        .max_requests(options.multiplex.into())
        .head_timeout(None)
        .body_timeout(None)
        .send_timeout(None);
    builder
}
