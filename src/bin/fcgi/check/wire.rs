//! Records as a case needs them, wrong ones included.

use tower_fastcgi::record::{Header, RecordType, RequestId};

/// A record with an id that may be 0.
pub(super) fn record(record_type: RecordType, id: u16, content: &[u8]) -> Vec<u8> {
    padded(record_type, id, content, 0)
}

/// A record with padding, which is not of zeros: it means nothing.
pub(super) fn padded(
    record_type: RecordType,
    id: u16,
    content: &[u8],
    padding_length: u8,
) -> Vec<u8> {
    let content_length = u16::try_from(content.len()).expect("cases make records that can be");
    let request_id = RequestId::new(id);
    let header = Header { record_type, request_id, content_length, padding_length };
    let padding = vec![0xa5; usize::from(padding_length)];
    [&header.encode()[..], content, &padding].concat()
}

/// A stream in records of `size` bytes, each with padding, and its end.
pub(super) fn stream(
    record_type: RecordType,
    id: u16,
    content: &[u8],
    size: usize,
    padding: u8,
) -> Vec<u8> {
    let records = content.chunks(size).chain([&[][..]]);
    records.flat_map(|part| padded(record_type, id, part, padding)).collect()
}

/// A stream in two records, cut at `at`, and its end.
pub(super) fn stream_cut_at(
    record_type: RecordType,
    id: u16,
    content: &[u8],
    at: usize,
) -> Vec<u8> {
    let (first, second) = content.split_at(at);
    let records = [first, second, &[]].map(|part| record(record_type, id, part));
    records.concat()
}

/// The most content a record can have.
pub(super) const MAX_CONTENT: usize = 65_535;
