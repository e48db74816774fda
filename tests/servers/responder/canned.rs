//! What is answered to each path: the same as the application does, as far as a web server can see.

use std::io;

use percent_encoding::{CONTROLS, percent_decode_str, percent_encode};
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

use super::wire::Output;
use crate::app::{COMPRESSED, ENDLESS};
use crate::pattern::{Digest, Pattern};
use crate::ranges::Part;
use crate::stage::{Leave, Stage};

/// A request as the web server put it.
pub(super) struct Request {
    params: Vec<(Vec<u8>, Vec<u8>)>,
    stdin: UnboundedReceiver<Vec<u8>>,
    /// How much of the body is to come, if that is known.
    left: Option<u64>,
}

impl Request {
    pub(super) fn new(params: Vec<(Vec<u8>, Vec<u8>)>, stdin: UnboundedReceiver<Vec<u8>>) -> Self {
        let mut request = Self { params, stdin, left: None };
        request.left = request.param("CONTENT_LENGTH").parse().ok();
        request
    }

    /// The last value of that name, each byte as the character of that number.
    fn param(&self, name: &str) -> String {
        let pair = self.params.iter().rfind(|(key, _)| key == name.as_bytes());
        pair.map(|(_, value)| latin1(value)).unwrap_or_default()
    }

    /// The next part of the body. Some servers leave out the end when they have given a length, others give no length.
    async fn body(&mut self) -> Option<Vec<u8>> {
        if self.left == Some(0) {
            return None;
        }
        let Some(part) = self.stdin.recv().await else {
            // The connection is gone, and this answer is about to be dropped.
            return std::future::pending().await;
        };
        if part.is_empty() {
            return None;
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(part.len() as u64);
        }
        Some(part)
    }

    async fn digest(&mut self) -> Digest {
        let mut digest = Digest::default();
        while let Some(part) = self.body().await {
            digest.update(&part);
        }
        digest
    }
}

pub(super) async fn answer(mut request: Request, output: Output, stage: Stage) -> io::Result<()> {
    let target = request.param("REQUEST_URI");
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let path: Vec<&str> = path.split('/').skip(1).collect();
    match path[..] {
        ["identity"] => text(&output, stage.identity()).await,
        ["fail", ..] => whole(&output, "500 Internal Server Error", &[], b"").await,
        ["early"] => whole(&output, "413 Payload Too Large", &[], b"").await,
        ["first-bytes", name] => first_bytes(&mut request, &output, &stage, name).await,
        ["download", len] => download(&request, &output, number(len), query).await,
        ["cut" | "panic", len] => cut(&output, number(len), query == "length=unknown").await,
        ["claim", claimed, len] => claim(&output, number(claimed), number(len)).await,
        ["held", name, len] => held(&output, &stage, name, number(len)).await,
        ["ranges", len] => ranges(&request, &output, number(len), query).await,
        ["compressed"] => whole(&output, OK, &GZIP, COMPRESSED).await,
        ["echo"] => echo(&mut request, &output).await,
        ["endless", name] => endless(&output, stage, name).await,
        ["silent", name] => silent(&output, stage, name).await,
        ["events", name] => events(&output, &stage, name, query).await,
        ["status", code] => status(&output, code, query).await,
        ["untyped"] => {
            whole(&output, OK, &["Content-Type: application/octet-stream"], b"<html>no type").await
        }
        ["headers"] => headers(&output).await,
        ["head", len] => large_head(&output, number(len)).await,
        _ => saw(&mut request, &output, &target).await,
    }
}

/// What it got, in the application's words. An empty type or length is none, one as a header does not count, and cookies are joined
/// as everywhere.
async fn saw(request: &mut Request, output: &Output, target: &str) -> io::Result<()> {
    let body = request.digest().await.to_string();
    let (headers, params): (Vec<_>, Vec<_>) = request
        .params
        .iter()
        .map(|(name, value)| (latin1(name), latin1(value)))
        .partition(|(name, _)| name.starts_with("HTTP_") || name.starts_with("CONTENT_"));
    let mut lines: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        let is_twin = ["HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"].contains(&&*name);
        if is_twin || name.starts_with("CONTENT_") && value.is_empty() {
            continue;
        }
        let name = name.strip_prefix("HTTP_").unwrap_or(&name).to_lowercase().replace('_', "-");
        match lines.iter_mut().find(|line| line.0 == "cookie" && name == "cookie") {
            Some(line) => line.1 += &format!("; {value}"),
            None => lines.push((name, value)),
        }
    }
    let bytes: Vec<u8> = target.chars().map(|c| u8::try_from(c).expect("latin-1")).collect();
    let uri = percent_encode(&bytes, CONTROLS).to_string();
    let peer = format!("{}:{}", request.param("REMOTE_ADDR"), request.param("REMOTE_PORT"));
    let seen = json!({
        "method": request.param("REQUEST_METHOD"),
        "uri": uri,
        "version": request.param("SERVER_PROTOCOL"),
        "headers": lines,
        "params": params,
        "params_debug": "",
        "peer": peer,
        "body": body,
    });
    let type_ = "Content-Type: application/json";
    whole(output, OK, &[type_], seen.to_string().as_bytes()).await
}

async fn first_bytes(
    request: &mut Request,
    output: &Output,
    stage: &Stage,
    name: &str,
) -> io::Result<()> {
    let left = Leave(stage.clone(), format!("{name}/left"));
    let mut digest = Digest::default();
    digest.update(&request.body().await.unwrap_or_default());
    stage.open(name);
    while let Some(part) = request.body().await {
        digest.update(&part);
    }
    std::mem::forget(left);
    text(output, &digest.to_string()).await
}

async fn download(request: &Request, output: &Output, len: u64, query: &str) -> io::Result<()> {
    let known = (query != "length=unknown").then_some(len);
    head(output, OK, &["Content-Type: application/x-pattern"], known).await?;
    if request.param("REQUEST_METHOD") != "HEAD" {
        pattern(output, len).await?;
    }
    output.end().await
}

async fn ranges(request: &Request, output: &Output, len: u64, query: &str) -> io::Result<()> {
    let bytes: Vec<u8> = Pattern::sized(len).flatten().collect();
    let range = if query.is_empty() { request.param("HTTP_RANGE") } else { String::new() };
    let (accepts, type_) = ("Accept-Ranges: bytes", "Content-Type: application/octet-stream");
    match Part::asked_for(&range, bytes.len()) {
        Part::Whole => whole(output, OK, &[type_, accepts], &bytes).await,
        Part::Of(first, last) => {
            let range = format!("Content-Range: bytes {first}-{last}/{len}");
            let lines = [type_, accepts, &*range];
            whole(output, "206 Partial Content", &lines, &bytes[first..=last]).await
        }
        Part::Nothing => {
            let range = format!("Content-Range: bytes */{len}");
            whole(output, "416 Range Not Satisfiable", &[&*range], b"").await
        }
    }
}

async fn cut(output: &Output, len: u64, is_unknown: bool) -> io::Result<()> {
    head(output, OK, &[TEXT], (!is_unknown).then_some(2 * len)).await?;
    pattern(output, len).await?;
    output.cut().await
}

async fn claim(output: &Output, claimed: u64, len: u64) -> io::Result<()> {
    head(output, OK, &[TEXT], Some(claimed)).await?;
    pattern(output, len.min(claimed)).await?;
    if len < claimed { output.cut().await } else { output.end().await }
}

async fn held(output: &Output, stage: &Stage, name: &str, len: u64) -> io::Result<()> {
    head(output, OK, &[TEXT], None).await?;
    let mut whole = Vec::from_iter(Pattern::sized(len));
    let rest = whole.split_off(whole.len() / 2).concat();
    output.stdout(&whole.concat()).await?;
    stage.open(&format!("{name}/begun"));
    stage.pass(&format!("{name}/rest")).await;
    output.stdout(&rest).await?;
    output.end().await
}

async fn echo(request: &mut Request, output: &Output) -> io::Result<()> {
    head(output, OK, &[TEXT], None).await?;
    while let Some(part) = request.body().await {
        output.stdout(&part).await?;
    }
    output.end().await
}

async fn endless(output: &Output, stage: Stage, name: &str) -> io::Result<()> {
    let _leave = Leave(stage, name.to_owned());
    head(output, OK, &[TEXT], None).await?;
    pattern(output, ENDLESS).await?;
    std::future::pending().await
}

async fn silent(output: &Output, stage: Stage, name: &str) -> io::Result<()> {
    stage.open(&format!("{name}/begun"));
    let left = Leave(stage.clone(), format!("{name}/left"));
    stage.pass(&format!("{name}/answer")).await;
    std::mem::forget(left);
    stage.open(&format!("{name}/answered"));
    text(output, "at last").await
}

async fn events(output: &Output, stage: &Stage, name: &str, query: &str) -> io::Result<()> {
    let unbuffered = ["Content-Type: text/event-stream", "X-Accel-Buffering: no"];
    let lines = if query.is_empty() { &unbuffered[..1] } else { &unbuffered };
    head(output, OK, lines, None).await?;
    output.stdout(b"data: first\n\n").await?;
    stage.pass(name).await;
    output.stdout(b"data: second\n\n").await?;
    output.end().await
}

/// With one header, which the query tells.
async fn status(output: &Output, code: &str, query: &str) -> io::Result<()> {
    let decoded = percent_decode_str(query).decode_utf8_lossy();
    let line = decoded.replacen('=', ": ", 1);
    let code = http::StatusCode::from_bytes(code.as_bytes()).expect("probes ask for real codes");
    // Servers show the number alone as well.
    let status = format!("{} {}", code.as_str(), code.canonical_reason().unwrap_or(""));
    let status = status.trim_end();
    let mut lines = vec![TEXT, &*line];
    lines.retain(|line| !line.is_empty());
    if [204, 304].contains(&code.as_u16()) {
        lines.remove(0);
        head(output, status, &lines, None).await?;
        return output.end().await;
    }
    whole(output, status, &lines, format!("status {code}").as_bytes()).await
}

async fn headers(output: &Output) -> io::Result<()> {
    let lines = "\
        Set-Cookie: a=1; Path=/; HttpOnly\r\n\
        Set-Cookie: b=2; Expires=Thu, 01 Jan 2032 00:00:00 GMT\r\n\
        Set-Cookie: c=\r\n\
        X-Twice: one\r\nX-Twice: two\r\n\
        X-Latin: gr\u{fc}n\r\nX-Utf8: gr\u{c3}\u{bc}n\r\n\
        Date: Thu, 01 Jan 2026 00:00:00 GMT";
    whole(output, OK, &[TEXT, lines], b"headers").await
}

async fn large_head(output: &Output, len: u64) -> io::Result<()> {
    let line = format!("X-Large: {}", "x".repeat(len as usize));
    whole(output, OK, &[TEXT, &line], b"large head").await
}

async fn text(output: &Output, text: &str) -> io::Result<()> {
    whole(output, OK, &[TEXT], text.as_bytes()).await
}

async fn whole(output: &Output, status: &str, lines: &[&str], body: &[u8]) -> io::Result<()> {
    head(output, status, lines, Some(body.len() as u64)).await?;
    output.stdout(body).await?;
    output.end().await
}

/// The header block in one record. A Location comes before the Status: HAProxy 2.6 lets the later one win.
async fn head(output: &Output, status: &str, lines: &[&str], len: Option<u64>) -> io::Result<()> {
    let mut head: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    if let Some(len) = len {
        head += &format!("Content-Length: {len}\r\n");
    }
    head += &format!("Status: {status}\r\n\r\n");
    let bytes: Vec<u8> = head.chars().map(|c| u8::try_from(c).expect("latin-1")).collect();
    output.stdout(&bytes).await
}

async fn pattern(output: &Output, len: u64) -> io::Result<()> {
    for chunk in Pattern::sized(len) {
        output.stdout(&chunk).await?;
    }
    Ok(())
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn number(text: &str) -> u64 {
    text.parse().expect("probes ask for numbers")
}

const OK: &str = "200 OK";
const GZIP: [&str; 3] =
    ["Content-Type: text/plain", "Content-Encoding: gzip", "Vary: accept-encoding"];
const TEXT: &str = "Content-Type: text/plain";
