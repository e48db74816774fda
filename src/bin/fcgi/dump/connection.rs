use std::io;
use std::sync::Arc;
use std::time::Instant;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tower_fastcgi::listener::{AnyAddr, AnyIo};

use super::Options;
use super::tap::{Tap, Teller};
use crate::connect::connect;
use crate::failure::Outcome;
use crate::wire::Direction;

/// Passes a connection's bytes on, both ways, and prints them. Fails only when they cannot be printed.
pub(super) async fn pass(
    web_server: AnyIo,
    peer: AnyAddr,
    number: u64,
    options: Arc<Options>,
) -> Outcome {
    let teller = Teller::new(number, Instant::now(), options.clone());
    teller.connects(&peer)?;
    let application = match connect(&options.to, None).await {
        Ok(io) => TokioIo::new(io),
        Err(failure) => return teller.fails(&failure),
    };
    let (from_web_server, to_web_server) = split(web_server);
    let (from_application, to_application) = split(application);
    let requests = forward(from_web_server, to_application, Tap::new(Direction::Request, &teller));
    let responses =
        forward(from_application, to_web_server, Tap::new(Direction::Response, &teller));
    tokio::try_join!(requests, responses).map(|_| ())
}

/// Each block is printed before it is passed on, so that no answer is printed before its question.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut tap: Tap<'_>,
) -> Outcome {
    let mut block = vec![0; BLOCK];
    loop {
        let read = match from.read(&mut block).await {
            Ok(0) => break,
            Ok(len) => &block[..len],
            Err(error) => return stop(to, tap, &error).await,
        };
        tap.take(read)?;
        if let Err(error) = to.write_all(read).await {
            return stop(to, tap, &error).await;
        }
    }
    tap.ends(None)?;
    // The other side may have closed already.
    let _ = to.shutdown().await;
    Ok(())
}

async fn stop(mut to: impl AsyncWrite + Unpin, mut tap: Tap<'_>, error: &io::Error) -> Outcome {
    let _ = to.shutdown().await;
    tap.ends(Some(error))
}

const BLOCK: usize = 64 * 1024;
