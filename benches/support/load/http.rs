use super::Protocol;
use super::reply::{Reply, WrongAnswer};

/// The answers of one connection, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    reply: Reply,
}

impl Replies {
    /// Calls `complete` when `input` ends the answer. Only one request is under way, so nothing may follow.
    pub(crate) fn take(
        &mut self,
        mut input: &[u8],
        answer: &[u8],
        complete: impl FnOnce(),
    ) -> Result<(), WrongAnswer> {
        self.reply.take(&mut input, Protocol::Http, answer)?;
        if !input.is_empty() {
            return Err(WrongAnswer::Long);
        }
        if self.reply.is_complete(answer) {
            self.reply = Reply::default();
            complete();
        }
        Ok(())
    }
}
