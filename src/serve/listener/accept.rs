use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::trace::error;

/// Accepts until it succeeds.
pub(super) async fn accept<T>(
    mut poll_accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
) -> T {
    let mut pause = FIRST_PAUSE;
    loop {
        match poll_fn(&mut poll_accept).await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                error!(%error, ?pause, "cannot accept a connection, trying again after a pause");
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        }
    }
}

/// Such an error took one connection off the queue; the next may be sound.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Out of descriptors or memory (EMFILE, ENFILE, ENOMEM), the waiting connection stays in the queue and accepting fails at
/// once until something is freed: without a pause that would be a busy loop.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::time::Instant;

    use super::*;

    /// What accepting yields, in order, and when it was asked.
    struct Source {
        results: VecDeque<io::Result<u32>>,
        asked: Vec<Duration>,
    }

    impl Source {
        fn new(errors: impl IntoIterator<Item = io::Error>) -> Self {
            let results = errors.into_iter().map(Err).chain([Ok(7)]).collect();
            Self { results, asked: Vec::new() }
        }

        async fn accept(&mut self) -> u32 {
            let start = Instant::now();
            accept(|_| {
                self.asked.push(start.elapsed());
                Poll::Ready(self.results.pop_front().expect("asked no more after success"))
            })
            .await
        }
    }

    fn out_of_descriptors() -> io::Error {
        const EMFILE: i32 = 24;
        io::Error::from_raw_os_error(EMFILE)
    }

    #[tokio::test(start_paused = true)]
    async fn waits_longer_after_each_failure_up_to_a_second() {
        let mut source = Source::new((0..10).map(|_| out_of_descriptors()));
        assert_eq!(source.accept().await, 7);
        let pauses: Vec<_> =
            source.asked.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_at_once_after_a_broken_connection() {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        let kinds = [ConnectionAborted, ConnectionRefused, ConnectionReset];
        let mut source = Source::new(kinds.into_iter().cycle().take(9).map(io::Error::from));
        assert_eq!(source.accept().await, 7);
        assert_eq!(source.asked, [Duration::ZERO; 10]);
    }
}
