//! Bodies of any size that need no memory: bytes that depend on their position, and a digest to compare both ends by.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hasher};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};

pub(crate) const KIB: u64 = 1024;
pub(crate) const MIB: u64 = 1024 * KIB;

/// The first `left` bytes of the one sequence that all bodies here are made of.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    chunks: usize,
    left: u64,
    sized: bool,
}

impl Pattern {
    /// A body that knows its length.
    pub(crate) fn sized(len: u64) -> Self {
        Self { chunks: 0, left: len, sized: true }
    }

    /// A body that does not say how long it is.
    pub(crate) fn unsized_(len: u64) -> Self {
        Self { sized: false, ..Self::sized(len) }
    }

    pub(crate) fn digest(len: u64) -> Digest {
        let mut digest = Digest::default();
        Self::sized(len).for_each(|chunk| digest.update(&chunk));
        digest
    }
}

impl Iterator for Pattern {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let len = self.left.min(CHUNK);
        if len == 0 {
            return None;
        }
        let start = self.chunks.wrapping_mul(STRIDE) % (TABLE.len() - CHUNK as usize);
        self.chunks = self.chunks.wrapping_add(1);
        self.left -= len;
        Some(TABLE.slice(start..start + len as usize))
    }
}

impl Body for Pattern {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.sized { SizeHint::with_exact(self.left) } else { SizeHint::default() }
    }
}

impl From<Pattern> for axum::body::Body {
    fn from(pattern: Pattern) -> Self {
        Self::new(pattern)
    }
}

/// How many bytes went by, and which.
#[derive(Clone, Default)]
pub(crate) struct Digest {
    len: u64,
    hasher: DefaultHasher,
}

impl Digest {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.hasher.write(bytes);
    }

    /// Takes a whole body in without keeping it.
    pub(crate) async fn of<B: Body<Data = Bytes> + Unpin>(body: B) -> Result<Self, B::Error> {
        let mut digest = Self::default();
        digest.update_all(body).await?;
        Ok(digest)
    }

    /// Takes the rest of a body in.
    pub(crate) async fn update_all<B>(&mut self, mut body: B) -> Result<(), B::Error>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                self.update(&data);
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes {:016x}", self.len, self.hasher.finish())
    }
}

/// Where each chunk is a slice of, from a place of its own, so that a lost, doubled or swapped chunk cannot go unseen.
static TABLE: LazyLock<Bytes> = LazyLock::new(|| (0..1 << 15).flat_map(scramble).collect());

/// The finalizer of splitmix64: neighbours share nothing.
fn scramble(word: u64) -> [u8; 8] {
    let mut z = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()
}

/// No multiple of anything that the wire or a server knows.
const CHUNK: u64 = 40_009;
/// A prime, so that starts do not come again before all were there.
const STRIDE: usize = 7_919;
