use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Request, Response, StatusCode};
use tower_fastcgi::client::Escaped;
use tower_fastcgi::gateway::{Gateway, ResponseBody};
use tower_fastcgi::{Incoming, Transport};
use tower_service::Service;

use crate::terminal::{self, Colour, Style};

/// A gateway that prints a line for each request, once the head of its response is there.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    gateway: Gateway,
    is_silent: bool,
    style: Style,
}

impl Logged {
    pub(super) fn new(gateway: Gateway, is_silent: bool) -> Self {
        Self { gateway, is_silent, style: Style::of(&io::stderr()) }
    }
}

type Responding = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send>>;

impl Service<Request<Incoming>> for Logged {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Responding;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Incoming>>::poll_ready(&mut self.gateway, cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Responding {
        let (begin, style) = (Instant::now(), self.style);
        let line = (!self.is_silent).then(|| asked(&request));
        let responding = self.gateway.call(request);
        Box::pin(async move {
            let response = responding.await?;
            if let Some(line) = line {
                let status = style.paint(colour(response.status()), response.status().as_u16());
                let millis = begin.elapsed().as_secs_f64() * 1000.0;
                terminal::note(format_args!("{line} {status} {millis:.1} ms"));
            }
            Ok(response)
        })
    }
}

/// Who asked for what.
fn asked(request: &Request<Incoming>) -> String {
    let peer =
        request.extensions().get::<Transport>().map(|transport| transport.peer().to_string());
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    format!("{} {} {}", peer.unwrap_or_default(), request.method(), Escaped(target.as_bytes()))
}

fn colour(status: StatusCode) -> Colour {
    match status.as_u16() {
        ..=399 => Colour::Green,
        400..=499 => Colour::Yellow,
        500.. => Colour::Red,
    }
}
