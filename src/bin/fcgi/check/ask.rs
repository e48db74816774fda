use tower_fastcgi::record::{RecordType, put_pair};

use super::wire::{MAX_CONTENT, record, stream};

/// A request that a case makes, which it may take apart.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) id: u16,
    pub(super) role: u16,
    pub(super) flags: u8,
    pub(super) params: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn new(params: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { id: 1, role: RESPONDER, flags: 0, params, body }
    }

    pub(super) fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    pub(super) fn role(mut self, role: u16) -> Self {
        self.role = role;
        self
    }

    pub(super) fn keep(self) -> Self {
        self.flags(KEEP_CONN)
    }

    pub(super) fn flags(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    pub(super) fn param(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The record that begins it.
    pub(super) fn begin(&self) -> Vec<u8> {
        record(RecordType::BeginRequest, self.id, &self.begin_content())
    }

    pub(super) fn begin_content(&self) -> [u8; 8] {
        let [role1, role0] = self.role.to_be_bytes();
        [role1, role0, self.flags, 0, 0, 0, 0, 0]
    }

    /// The name-value pairs.
    pub(super) fn pairs(&self) -> Vec<u8> {
        let mut pairs = Vec::new();
        for (name, value) in &self.params {
            put_pair(&mut pairs, name.as_bytes(), value.as_bytes());
        }
        pairs
    }

    /// FCGI_PARAMS in one record, and its end.
    pub(super) fn params(&self) -> Vec<u8> {
        stream(RecordType::Params, self.id, &self.pairs(), MAX_CONTENT, 0)
    }

    /// FCGI_STDIN in large records, and its end.
    pub(super) fn stdin(&self) -> Vec<u8> {
        stream(RecordType::Stdin, self.id, &self.body, 32 * 1024, 0)
    }

    /// All of it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.begin(), self.params(), self.stdin()].concat()
    }
}

pub(super) const RESPONDER: u16 = 1;
pub(super) const AUTHORIZER: u16 = 2;
pub(super) const FILTER: u16 = 3;
const KEEP_CONN: u8 = 1;
