//! A response that starts long before it ends, and when its start arrives.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use axum::body::Body;
use futures_util::stream;
use tokio::time::sleep;

/// Sends the first event at once and the other after a while, as server-sent events come.
pub(crate) async fn respond() -> ([(&'static str, &'static str); 1], Body) {
    let events = stream::unfold(0, |sent| async move {
        match sent {
            0 => Some((Ok::<_, Infallible>(FIRST), 1)),
            1 => {
                sleep(PAUSE).await;
                Some((Ok("data: last\n\n"), 2))
            }
            _ => None,
        }
    });
    ([("content-type", "text/event-stream")], Body::from_stream(events))
}

/// How long it takes from the request until the first event is there.
pub(crate) fn first_event(address: SocketAddr) -> io::Result<Duration> {
    let mut io = TcpStream::connect(address)?;
    io.set_read_timeout(Some(Duration::from_secs(5)))?;
    let start = Instant::now();
    // In one segment: a second would wait for the acknowledgement of the first.
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    io.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !contains(&answer, FIRST.as_bytes()) {
        let len = io.read(&mut part)?;
        if len == 0 {
            let answer = String::from_utf8_lossy(&answer);
            return Err(io::Error::other(format!("no event in {answer:?}")));
        }
        answer.extend_from_slice(&part[..len]);
    }
    let time = start.elapsed();
    io.read_to_end(&mut answer)?;
    Ok(time)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Between the events. Longer than any buffer waits that sends by time, the 200 ms of a corked TCP socket among them.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);
pub(crate) const PATH: &str = "/stream";
const FIRST: &str = "data: first\n\n";
