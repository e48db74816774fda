//! An application on the crate `tokio-fastcgi`.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use tokio::io::AsyncWrite;
use tokio::net::UnixListener;
use tokio_fastcgi::{Error, Request, RequestResult, Requests};

/// Serves at a Unix socket for as long as the runtime lasts.
pub(crate) fn serve(socket: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut requests = Requests::from_split_socket(stream.split(), 10, 10);
                while let Ok(Some(request)) = requests.next().await {
                    let answered = request.process(|request| async move {
                        RequestResult::Complete(u32::from(answer(&request).await.is_err()))
                    });
                    if answered.await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(())
}

async fn answer<W: AsyncWrite + Unpin>(request: &Arc<Request<W>>) -> Result<(), Error> {
    let path = request.get_str_param("PATH_INFO").unwrap_or_default();
    let body = match path {
        "/hello" => b"hello".to_vec(),
        "/echo" => {
            let mut body = Vec::new();
            request.get_stdin().read_to_end(&mut body)?;
            body
        }
        "/params" => params(request),
        "/large" => vec![b'x'; 200_000],
        _ => b"nothing".to_vec(),
    };
    let head = format!("Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut stdout = request.get_stdout();
    stdout.write(head.as_bytes()).await?;
    // An empty write would be an empty record, which ends the stream.
    if !body.is_empty() {
        stdout.write(&body).await?;
    }
    Ok(())
}

fn params<W: AsyncWrite + Unpin>(request: &Request<W>) -> Vec<u8> {
    let params = request.params_iter().expect("the params are complete");
    // Names come in lower case.
    let line = |(name, value): (&str, &[u8])| {
        [name.to_ascii_uppercase().as_bytes(), b"=", value, b"\n"].concat()
    };
    params.flat_map(line).collect()
}
