use bytes::Bytes;

use super::ask::{Ask, ParamList};

/// A request and the body of the right answer.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(super) ask: Ask,
    pub(super) answer: Bytes,
}

impl Exchange {
    pub(crate) fn get(uri: &'static str, answer: impl Into<Bytes>) -> Self {
        Self { ask: Ask::get(uri), answer: answer.into() }
    }

    /// The same request with other params over FastCGI.
    pub(crate) fn with_params(self, params: ParamList) -> Self {
        Self { ask: self.ask.with_params(params), ..self }
    }

    /// An upload of `len` bytes, which is to be answered with its length.
    pub(crate) fn upload(uri: &'static str, len: usize) -> Self {
        Self { ask: Ask::upload(uri, len), answer: len.to_string().into() }
    }
}
