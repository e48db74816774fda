//! The Authorizers, and the application behind them, which tells what it sees.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::OriginalUri;
use axum::{Json, Router};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_fastcgi::listener::{AnyAddr, bind};
use tower_fastcgi::roles::{Allow, ApacheRole, Authorizer, Credentials, Decision, InvalidVariable};
use tower_fastcgi::server::Builder;
use tower_fastcgi::{Incoming, Params, Role, SendService, serve};

/// Where each of them listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// Answers by the last part of the path.
    pub(crate) authorizer: SocketAddr,
    /// What is behind it.
    pub(crate) responder: SocketAddr,
    /// An application as any other, that takes requests of this role.
    pub(crate) unaware: SocketAddr,
    /// One that does not.
    pub(crate) refusing: SocketAddr,
    /// Closes each connection when it has read something.
    pub(crate) closing: SocketAddr,
}

pub(crate) async fn start() -> io::Result<Addresses> {
    // Headers that would leak, were they written.
    let authorizer = Authorizer::from_fn(decide).map_response(|mut response| {
        if response.status().is_success() {
            for name in ["set-cookie", "x-leak", "content-type", "location"] {
                response.headers_mut().insert(name, "leak".parse().expect("a value"));
            }
        }
        response
    });
    let unaware = || Router::new().fallback(|| async { "what only some may see" });
    Ok(Addresses {
        authorizer: listen(authorizer, &[Role::Authorizer]).await?,
        responder: listen(Router::new().fallback(tell), &[Role::Responder]).await?,
        unaware: listen(unaware(), &[Role::Responder, Role::Authorizer]).await?,
        refusing: listen(unaware(), &[Role::Responder]).await?,
        closing: close_all().await?,
    })
}

async fn listen<S: SendService>(service: S, roles: &[Role]) -> io::Result<SocketAddr> {
    let listener = bind("127.0.0.1:0").await?;
    let Ok(AnyAddr::Tcp(address)) = listener.local_addr() else { unreachable!("it is on TCP") };
    let mut builder = Builder::new();
    builder.roles(roles.iter().copied()).authorizer_timeout(Duration::from_secs(1));
    tokio::spawn(serve(listener, service).with_builder(builder).into_future());
    Ok(address)
}

async fn close_all() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let _ = connection.readable().await;
        }
    });
    Ok(address)
}

async fn decide(request: Request<Incoming>) -> Result<Decision<String>, InvalidVariable> {
    let path = request.uri().path();
    let allow = Allow::new();
    Ok(match path.rsplit('/').next().expect("a path has parts") {
        "allow" => named(allow, path)?.into(),
        "variables" => named(allow.variable("AUTH_USER", "alice")?, path)?
            .variable("AUTH_GROUPS", "staff, wheel; \"ops\" 100%")?
            .into(),
        "user" => allow.variable("ROLE_SEEN", role_of(&request))?.into(),
        "credentials" if has_password(&request) => {
            allow.variable("ROLE_SEEN", role_of(&request))?.into()
        }
        "invalid" => allow.variable("auth user", "alice")?.into(),
        "error" => return Err(InvalidVariable::Name),
        "panic" => panic!("within a decision"),
        "slow" => pending().await,
        "success" => denial(StatusCode::OK),
        "teapot" => denial(StatusCode::IM_A_TEAPOT),
        "busy" => denial(StatusCode::SERVICE_UNAVAILABLE),
        "login" => denial(StatusCode::FOUND),
        _ => denial(StatusCode::FORBIDDEN),
    })
}

/// Apache wants to know a user where it has asked who it is.
fn named(allow: Allow, path: &str) -> Result<Allow, InvalidVariable> {
    if path.starts_with("/require/") { Ok(allow) } else { allow.variable("NAMED", "somebody") }
}

fn denial(status: StatusCode) -> Decision<String> {
    let mut response = Response::new("not you\n".to_owned());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("x-why", "because".parse().expect("a value"));
    if status == StatusCode::FOUND {
        headers.insert("location", "https://example.com/login".parse().expect("a value"));
    }
    Decision::Deny(response)
}

fn has_password(request: &Request<Incoming>) -> bool {
    let credentials = Credentials::from_params(params(request));
    credentials.is_some_and(|given| (given.user(), given.password()) == (b"alice", b"wonder"))
}

fn role_of(request: &Request<Incoming>) -> String {
    let role = ApacheRole::from_params(params(request));
    role.map_or_else(|| "none".into(), |role| format!("{role:?}"))
}

fn params(request: &Request<Incoming>) -> &Params {
    request.extensions().get().expect("each request has its params")
}

async fn tell(
    OriginalUri(uri): OriginalUri,
    method: Method,
    params: Params,
    body: Bytes,
) -> Result<Json<Value>, Infallible> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let params: serde_json::Map<_, _> =
        params.iter().map(|(name, value)| (text(name), json!(text(value)))).collect();
    Ok(Json(json!({
        "path": uri.path(),
        "method": method.as_str(),
        "params": params,
        "body": body.len(),
    })))
}
