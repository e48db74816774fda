//! The applications: they answer what they believe, number by number as the questions are. Over FastCGI they say what they are told, too.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use http::request::Parts;
use tokio::net::TcpListener;

use crate::client::CLIENT;
use crate::confusion::{Ask, QUESTIONS, Question, connected};
use crate::{RUNTIME, answers};

pub(crate) fn start_http() -> io::Result<SocketAddr> {
    let (listener, addr) = bind()?;
    let app = app(|question| question.over_http);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    RUNTIME.spawn(axum::serve(listener, app).into_future());
    Ok(addr)
}

pub(crate) fn start_fastcgi() -> io::Result<SocketAddr> {
    let (listener, addr) = bind()?;
    let app = app(|question| question.over_fastcgi).merge(answers::router());
    RUNTIME.spawn(tower_fastcgi::serve(listener, app).into_future());
    Ok(addr)
}

fn bind() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

fn app(ask: fn(&Question) -> Ask) -> Router {
    let tell = async move |Path(number): Path<usize>, parts: Parts| {
        let question = &QUESTIONS[number];
        let found = ask(question)(&parts);
        let is_address = question.truth == CLIENT;
        // A middleware that finds nothing goes by the connection.
        let found = if is_address { found.or_else(|| connected(&parts)) } else { found };
        found.unwrap_or_default()
    };
    Router::new().route("/{number}", get(tell))
}
