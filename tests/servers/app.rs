//! The one application behind every server: it tells what it saw, and does what it is asked to.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Query, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures_util::StreamExt;
use futures_util::stream::{iter, once, pending};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde_json::json;
use tower::{BoxError, Service, ServiceBuilder};
use tower_fastcgi::{Incoming, Params};

use crate::pattern::{Digest, MIB, Pattern};
use crate::ranges::Part;
use crate::stage::{Leave, Stage};

/// The application as a service whose error is not `Infallible`: a request for `/fail/error` never reaches the router.
pub(crate) fn app(
    stage: Stage,
) -> impl Service<Request<Incoming>, Response = Response, Error = BoxError, Future: Send> + Clone + Send
{
    ServiceBuilder::new().filter(refuse_to_serve).map_response(forget_length).service(router(stage))
}

/// axum sets `Content-Length` wherever a body knows its length. Without that, the crate has to find it out.
fn forget_length(mut response: Response) -> Response {
    if response.body().size_hint().exact().is_some_and(|length| length > 0) {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

fn refuse_to_serve(request: Request<Incoming>) -> Result<Request<Incoming>, BoxError> {
    if request.uri().path() == "/fail/error" { Err(SECRET.into()) } else { Ok(request) }
}

fn router(stage: Stage) -> Router {
    let identity = stage.identity().to_owned();
    Router::new()
        .route("/identity", get(identity))
        .route("/fail/panic", get(panic))
        .route("/early", any(early))
        .route("/first-bytes/{name}", any(first_bytes))
        .route("/download/{len}", get(download))
        .route("/cut/{len}", any(cut))
        .route("/panic/{len}", get(panicking_body))
        .route("/claim/{claimed}/{len}", get(claim))
        .route("/held/{name}/{len}", get(held))
        .route("/ranges/{len}", get(ranges))
        .route("/compressed", get(compressed))
        .route("/echo", any(echo))
        .route("/endless/{name}", get(endless))
        .route("/silent/{name}", get(silent))
        .route("/events/{name}", get(events))
        .route("/status/{code}", any(status))
        .route("/untyped", get(untyped))
        .route("/headers", get(headers))
        .route("/head/{len}", get(large_head))
        .fallback(saw)
        .with_state(stage)
}

/// Everything about a request, each byte of a header or param value as the character of that number.
async fn saw(request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let params = parts.extensions.get::<Params>().expect("each request has its params");
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let body = match Digest::of(body).await {
        Ok(digest) => digest.to_string(),
        Err(error) => format!("{error:?}"),
    };
    let seen = json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "version": format!("{:?}", parts.version),
        "headers": parts.headers.iter().map(|(name, value)| [name.as_str().into(), latin1(value.as_bytes())]).collect::<Vec<_>>(),
        "params": params.iter().map(|(name, value)| [latin1(name), latin1(value)]).collect::<Vec<_>>(),
        "params_debug": format!("{params:?}"),
        "peer": peer.map(|ConnectInfo(address)| address.to_string()),
        "body": body,
    });
    axum::Json(seen).into_response()
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

async fn panic() {
    std::panic::panic_any(Expected)
}

/// Answers while the upload still goes on, and never looks at it.
async fn early() -> StatusCode {
    StatusCode::PAYLOAD_TOO_LARGE
}

/// Opens the gate `{name}` with the first bytes of the body, and `{name}/left` if it is dropped before the last.
async fn first_bytes(
    State(stage): State<Stage>,
    Path(name): Path<String>,
    mut body: Body,
) -> String {
    let left = Leave(stage.clone(), format!("{name}/left"));
    let first = body.frame().await.expect("a body").expect("no error");
    stage.open(&name);
    let mut digest = Digest::default();
    digest.update(first.data_ref().expect("no trailers"));
    match digest.update_all(body).await {
        Ok(()) => std::mem::forget(left),
        Err(_) => drop(left),
    }
    digest.to_string()
}

async fn download(Path(len): Path<u64>, Query(query): Query<HashMap<String, String>>) -> Response {
    let body = match query.get("length").map(String::as_str) {
        Some("unknown") => Body::new(Pattern::unsized_(len)),
        _ => Body::new(Pattern::sized(len)),
    };
    ([(header::CONTENT_TYPE, "application/x-pattern")], body).into_response()
}

/// `{len}` bytes or the part that was asked for, unless the query tells to ignore that.
async fn ranges(Path(len): Path<u64>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let whole: Vec<u8> = Pattern::sized(len).flatten().collect();
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = if query.is_some() { None } else { range };
    let accepts = [(header::ACCEPT_RANGES, "bytes")];
    match Part::asked_for(range.unwrap_or_default(), whole.len()) {
        Part::Whole => (accepts, whole).into_response(),
        Part::Of(first, last) => {
            let range = [(header::CONTENT_RANGE, format!("bytes {first}-{last}/{len}"))];
            let part = whole[first..=last].to_vec();
            (StatusCode::PARTIAL_CONTENT, accepts, range, part).into_response()
        }
        Part::Nothing => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{len}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, range).into_response()
        }
    }
}

async fn compressed() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/plain"),
        (header::CONTENT_ENCODING, "gzip"),
        (header::VARY, "accept-encoding"),
    ];
    (headers, COMPRESSED)
}

/// A response that fails after `{len}` bytes, of the twice as many that it may have announced.
async fn cut(Path(len): Path<u64>, Query(query): Query<HashMap<String, String>>) -> Response {
    let chunks = Pattern::sized(len).map(Ok).chain([Err(SECRET)]);
    let mut response = Response::new(Body::from_stream(iter(chunks)));
    if !query.contains_key("length") {
        response.headers_mut().insert(header::CONTENT_LENGTH, (2 * len).into());
    }
    response
}

/// Like `cut`, but the body panics instead.
async fn panicking_body(len: Path<u64>, query: Query<HashMap<String, String>>) -> Response {
    let response = cut(len, query).await;
    response
        .map(|body| Body::new(body.map_err(|_| -> Infallible { std::panic::panic_any(Expected) })))
}

/// `{len}` bytes after a Content-Length of `{claimed}`.
async fn claim(Path((claimed, len)): Path<(u64, u64)>) -> impl IntoResponse {
    let body = Body::from_stream(iter(Pattern::sized(len).map(Ok::<_, Infallible>)));
    ([(header::CONTENT_LENGTH, claimed.to_string())], body)
}

/// `{len}` bytes, the second half not before the gate `{name}/rest` opens. The gate `{name}/begun` opens when the first half
/// has been taken.
async fn held(State(stage): State<Stage>, Path((name, len)): Path<(String, u64)>) -> Body {
    let mut whole = Vec::from_iter(Pattern::sized(len));
    let rest = whole.split_off(whole.len() / 2);
    let gate = once(async move {
        stage.open(&format!("{name}/begun"));
        stage.pass(&format!("{name}/rest")).await;
        Bytes::new()
    });
    Body::from_stream(iter(whole).chain(gate).chain(iter(rest)).map(Ok::<_, Infallible>))
}

async fn echo(body: Body) -> Body {
    body
}

/// A response without end. The gate `{name}` opens when its body is dropped.
async fn endless(State(stage): State<Stage>, Path(name): Path<String>) -> Body {
    let leave = Leave(stage, name);
    let chunks = iter(Pattern::sized(ENDLESS)).chain(pending());
    Body::from_stream(chunks.map(move |chunk| {
        let _held = &leave;
        Ok::<_, Infallible>(chunk)
    }))
}

/// A handler that says nothing until the gate `{name}/answer` opens. The gate `{name}/begun` opens when it starts and
/// `{name}/left` when it is dropped before that.
async fn silent(State(stage): State<Stage>, Path(name): Path<String>) -> &'static str {
    stage.open(&format!("{name}/begun"));
    let left = Leave(stage.clone(), format!("{name}/left"));
    stage.pass(&format!("{name}/answer")).await;
    std::mem::forget(left);
    stage.open(&format!("{name}/answered"));
    "at last"
}

/// Two events; the second stays back until the gate `{name}` opens.
async fn events(
    State(stage): State<Stage>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let first = once(async { Event::default().data("first") });
    let second = once(async move {
        stage.pass(&name).await;
        Event::default().data("second")
    });
    let stream = first.chain(second).map(Ok::<_, Infallible>);
    let mut response = Sse::new(stream).into_response();
    if query.contains_key("unbuffered") {
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    response
}

async fn status(Path(code): Path<u16>, Query(query): Query<HashMap<String, String>>) -> Response {
    let code = StatusCode::from_u16(code).expect("probes ask for real codes");
    let mut response = match code {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => code.into_response(),
        _ => (code, format!("status {code}")).into_response(),
    };
    for (name, value) in query {
        let name = HeaderName::try_from(name).expect("probes send real names");
        response.headers_mut().append(name, value.try_into().expect("probes send real values"));
    }
    response
}

async fn untyped() -> Response {
    Response::new(Body::from("<html>no type"))
}

/// Headers that must arrive, and some that must not.
async fn headers() -> (HeaderMap, &'static str) {
    let mut headers = HeaderMap::new();
    for value in ["a=1; Path=/; HttpOnly", "b=2; Expires=Thu, 01 Jan 2032 00:00:00 GMT", "c="] {
        headers.append(header::SET_COOKIE, HeaderValue::from_static(value));
    }
    headers.append("x-twice", HeaderValue::from_static("one"));
    headers.append("x-twice", HeaderValue::from_static("two"));
    headers.insert("x-latin", HeaderValue::from_bytes(b"gr\xfcn").expect("bytes are fine"));
    headers.insert("x-utf8", HeaderValue::from_bytes("grün".as_bytes()).expect("bytes are fine"));
    headers.insert("status", HeaderValue::from_static("418 Not this"));
    headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert("keep-alive", HeaderValue::from_static("timeout=1"));
    headers.insert(header::TRAILER, HeaderValue::from_static("x-twice"));
    (headers, "headers")
}

async fn large_head(Path(len): Path<usize>) -> impl IntoResponse {
    ([("x-large", "x".repeat(len))], "large head")
}

/// `compressed by the application`, by gzip.
pub(crate) const COMPRESSED: &[u8] = b"\
    \x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\xce\xcf\x2d\x28\x4a\x2d\x2e\x4e\x4d\x51\x48\xaa\x54\x28\
    \xc9\x48\x55\x48\x2c\x28\xc8\xc9\x4c\x4e\x2c\xc9\xcc\xcf\x03\x00\x3f\x93\x5e\x91\x1d\x00\x00\x00";

/// The text of a service error, which is nobody's business but the log's.
pub(crate) const SECRET: &str = "the database password is wrong";

/// What comes of a response without end: more than all buffers take, but no more than a disk should, for some servers gather
/// responses there.
pub(crate) const ENDLESS: u64 = 64 * MIB;

/// What the handler panics with, on purpose.
#[derive(Debug)]
pub(crate) struct Expected;
