/// How many bytes of answers that no service made wait to be written, behind and among other bytes.
///
/// They are counted in two lots, and a lot is forgotten when the last byte of it is out: at most a lot too many is told, but
/// nothing waits for a queue to become empty that a stream may keep filled for hours.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    older: Lot,
    newer: Lot,
}

/// So many bytes, the last of which is out when so many bytes were written in all.
#[derive(Debug, Default)]
struct Lot {
    len: usize,
    end: u64,
}

impl Backlog {
    pub(super) fn len(&self) -> usize {
        self.older.len + self.newer.len
    }

    /// So many bytes were queued, and are out when `end` bytes were written in all.
    pub(super) fn on_queued(&mut self, len: usize, end: u64) {
        self.newer.len += len;
        self.newer.end = end;
    }

    /// So many bytes were written in all.
    pub(super) fn on_written(&mut self, written: u64) {
        if written >= self.older.end {
            self.older = std::mem::take(&mut self.newer);
        }
        if written >= self.older.end {
            self.older = Lot::default();
        }
    }
}
