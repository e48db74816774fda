use bytes::BufMut;

use super::{EndRequest, Header, RecordType, RequestId};

/// The most content this crate puts into one record of a stream: the largest multiple of eight that the length field takes,
/// so that no padding is needed to keep records aligned (section 3.3).
pub const MAX_STREAM_CONTENT: usize = 65_528;

/// Appends one record without padding.
///
/// # Panics
///
/// If `content` is longer than 65,535 bytes, which one record cannot hold; see [`put_stream`].
pub fn put_record(
    dst: &mut impl BufMut,
    record_type: RecordType,
    request_id: Option<RequestId>,
    content: &[u8],
) {
    let content_length = u16::try_from(content.len()).expect("content fits one record");
    let header = Header { record_type, request_id, content_length, padding_length: 0 };
    dst.put_slice(&header.encode());
    dst.put_slice(content);
}

/// Appends `content` to a stream, in as many records as it takes. Empty content appends nothing: an empty record would end
/// the stream, which is [`put_stream_end`]'s to do.
pub fn put_stream(
    dst: &mut impl BufMut,
    record_type: RecordType,
    request_id: RequestId,
    content: &[u8],
) {
    for chunk in content.chunks(MAX_STREAM_CONTENT) {
        put_record(dst, record_type, Some(request_id), chunk);
    }
}

/// Appends the empty record that ends a stream.
pub fn put_stream_end(dst: &mut impl BufMut, record_type: RecordType, request_id: RequestId) {
    put_record(dst, record_type, Some(request_id), &[]);
}

/// Appends FCGI_END_REQUEST.
pub fn put_end_request(dst: &mut impl BufMut, request_id: RequestId, end: EndRequest) {
    put_record(dst, RecordType::EndRequest, Some(request_id), &end.encode());
}

/// The header of one record of a stream, for content that is written from elsewhere.
///
/// # Panics
///
/// If `content_length` is 0 or above [`MAX_STREAM_CONTENT`].
pub fn stream_header(
    record_type: RecordType,
    request_id: RequestId,
    content_length: usize,
) -> [u8; Header::LEN] {
    assert!(
        (1..=MAX_STREAM_CONTENT).contains(&content_length),
        "a record of a stream holds 1 to 65,528 bytes"
    );
    let content_length = content_length as u16;
    Header { record_type, request_id: Some(request_id), content_length, padding_length: 0 }.encode()
}
