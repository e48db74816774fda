//! The application on the crate `tokio-fastcgi`, in its own style but for what costs it most: its reads are buffered, and what can
//! leave in one write does. Writes cannot be buffered, because it does not flush after FCGI_END_REQUEST.

use std::hint::black_box;
use std::io;
use std::sync::{Arc, LazyLock};

use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio_fastcgi::{Request, RequestResult, Requests};

use super::router::{RELEASED, compute, wait_for_release};
use super::{Listening, listen};
use crate::content::{HELLO, KIB_64, MIB, body};

pub(super) async fn serve(address: &str) -> io::Result<()> {
    match listen(address).await? {
        Listening::Unix(listener) => loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                let (reader, writer) = stream.split();
                serve_connection(reader, writer).await;
            });
        },
        Listening::Tcp(listener) => loop {
            let (mut stream, _) = listener.accept().await?;
            // It writes each record by itself, which Nagle's algorithm would hold back.
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let (reader, writer) = stream.split();
                serve_connection(reader, writer).await;
            });
        },
    }
}

/// One request after the other: two that write at a time would panic.
async fn serve_connection<R, W>(reader: R, writer: W)
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin,
{
    let mut requests = Requests::new(BufReader::new(reader), writer, u8::MAX, u8::MAX);
    while let Ok(Some(request)) = requests.next().await {
        let answered = request.process(|request| async move {
            match answer(&request).await {
                Ok(()) => RequestResult::Complete(0),
                Err(_) => RequestResult::Complete(1),
            }
        });
        if answered.await.is_err() {
            return;
        }
    }
}

async fn answer<W>(request: &Arc<Request<W>>) -> Result<(), tokio_fastcgi::Error>
where
    W: AsyncWrite + Unpin,
{
    let method = request.get_str_param("REQUEST_METHOD").unwrap_or_default();
    let uri = request.get_str_param("REQUEST_URI").unwrap_or_default();
    match (method, uri) {
        ("GET", "/") => small(request, HELLO).await,
        ("GET", "/64k") => large(request, &BODY_64K).await,
        ("GET", "/1m") => large(request, &BODY_1M).await,
        ("GET", "/busy") => {
            black_box(compute());
            small(request, HELLO).await
        }
        ("POST", "/upload") => small(request, &length(request)?).await,
        ("POST", "/held") => {
            wait_for_release().await;
            small(request, &length(request)?).await
        }
        ("GET", "/release") => {
            RELEASED.close();
            small(request, HELLO).await
        }
        _ => not_found(request).await,
    }
}

fn length<W: AsyncWrite + Unpin>(request: &Request<W>) -> io::Result<String> {
    let length = io::copy(&mut *request.get_stdin(), &mut io::sink())?;
    Ok(length.to_string())
}

async fn small<W>(request: &Request<W>, body: &str) -> Result<(), tokio_fastcgi::Error>
where
    W: AsyncWrite + Unpin,
{
    let length = body.len();
    let answer = format!(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    request.get_stdout().write(answer.as_bytes()).await?;
    Ok(())
}

async fn large<W>(request: &Request<W>, body: &[u8]) -> Result<(), tokio_fastcgi::Error>
where
    W: AsyncWrite + Unpin,
{
    let length = body.len();
    let head =
        format!("Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n");
    let mut stdout = request.get_stdout();
    stdout.write(head.as_bytes()).await?;
    stdout.write(body).await?;
    Ok(())
}

async fn not_found<W>(request: &Request<W>) -> Result<(), tokio_fastcgi::Error>
where
    W: AsyncWrite + Unpin,
{
    let answer = b"Status: 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    request.get_stdout().write(answer).await?;
    Ok(())
}

static BODY_64K: LazyLock<Vec<u8>> = LazyLock::new(|| body(KIB_64));
static BODY_1M: LazyLock<Vec<u8>> = LazyLock::new(|| body(MIB));
