//! Many connections of which few are busy.

use std::collections::VecDeque;
use std::time::Instant;

use super::connection::Turn;
use super::{Done, Load, PATIENCE, Result, Until};

impl Load {
    /// Sends requests over all connections in turn, one after the other, `at_a_time` of them under way, and returns when the last is
    /// answered. Those that have nothing under way are not looked at.
    ///
    /// # Errors
    ///
    /// When a connection fails, an answer is wrong, or there is none for 10 seconds.
    pub(crate) fn rotate(&mut self, until: Until, at_a_time: usize) -> Result<Done> {
        let start = Instant::now();
        let mut now = start;
        let mut asked = 0;
        let mut next = 0;
        let mut latencies = Vec::new();
        let mut busy = VecDeque::new();
        while busy.len() < at_a_time.min(self.connections.len()) {
            asked += self.ask_next(&mut next, &mut busy, now)?;
        }
        let mut last_answer = start;
        while let Some(index) = busy.pop_front() {
            let turn = self.connections[index].turn(&mut self.block, |asked_at| {
                now = Instant::now();
                latencies.push(now - asked_at);
            })?;
            if turn == Turn::Nothing {
                busy.push_back(index);
                std::hint::spin_loop();
                if last_answer.elapsed() > PATIENCE {
                    return Err(
                        format!("no answer for 10 seconds, {} are missing", busy.len()).into()
                    );
                }
                continue;
            }
            last_answer = now;
            if until.left(asked, now - start) > 0 {
                asked += self.ask_next(&mut next, &mut busy, now)?;
            }
        }
        Ok(Done { requests: latencies.len() as u64, elapsed: start.elapsed(), latencies })
    }

    fn ask_next(
        &mut self,
        next: &mut usize,
        busy: &mut VecDeque<usize>,
        now: Instant,
    ) -> Result<u64> {
        // One whose answer is slow keeps its place; the next that is free takes the request.
        while self.connections[*next].ask(now, 1) == 0 {
            *next = (*next + 1) % self.connections.len();
        }
        self.connections[*next].send(usize::MAX)?;
        busy.push_back(*next);
        *next = (*next + 1) % self.connections.len();
        Ok(1)
    }
}
