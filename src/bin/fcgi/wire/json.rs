use serde_json::{Map, Value, json};
use tower_fastcgi::record::RequestId;

use super::{Direction, Meaning, Pair, Record};

/// The members of an object that tells of a record.
pub(crate) fn record_as_json(
    direction: Direction,
    record: &Record,
    meaning: &Meaning,
    max_content: usize,
) -> Map<String, Value> {
    let header = &record.header;
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("direction", direction.to_string().into());
    put("type", header.record_type.to_string().into());
    put("type_number", u8::from(header.record_type).into());
    put("id", header.request_id.map_or(0, RequestId::value).into());
    put("length", header.content_length.into());
    put("padding", header.padding_length.into());
    match meaning {
        Meaning::Begin(begin) => {
            put("role", begin.role.into());
            put("keep_conn", begin.keep_conn.into());
        }
        Meaning::End(end) => {
            put("app_status", end.app_status.into());
            put("protocol_status", end.protocol_status.to_string().into());
        }
        Meaning::UnknownType(record_type) => {
            put("unknown_type", (*record_type).into());
        }
        Meaning::Pairs { pairs, goes_on } => {
            put("pairs", pairs_as_json(pairs));
            put("pair_goes_on", (*goes_on).into());
        }
        Meaning::BrokenPairs(pairs) => {
            put("pairs", pairs_as_json(pairs));
            put("malformed", "ends within a pair".into());
        }
        Meaning::Content => put_content(&mut members, &record.content, max_content),
        Meaning::Empty => {}
        Meaning::WrongLength { expected } => {
            put("malformed", format!("its length is {expected} by the specification").into());
            put_content(&mut members, &record.content, max_content);
        }
    }
    members
}

fn put_content(members: &mut Map<String, Value>, content: &[u8], max: usize) {
    let shown = &content[..content.len().min(max)];
    let (name, value) = bytes_as_json("content", shown);
    members.insert(name, value);
    members.insert("content_is_cut".to_owned(), (shown.len() < content.len()).into());
}

/// A member that holds bytes: as text if they are UTF-8, else in base64 and with a name that says so.
pub(crate) fn bytes_as_json(name: &str, bytes: &[u8]) -> (String, Value) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (name.to_owned(), text.into()),
        Err(_) => (format!("{name}_base64"), base64(bytes).into()),
    }
}

/// Pairs in order, duplicates included. What is no UTF-8 is replaced by U+FFFD.
pub(crate) fn pairs_as_json(pairs: &[Pair]) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    pairs.iter().map(|(name, value)| json!([text(name), text(value)])).collect()
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for index in 0..4 {
            let digit = (bits >> (18 - 6 * index) & 63) as usize;
            encoded.push(if index <= group.len() { char::from(ALPHABET[digit]) } else { '=' });
        }
    }
    encoded
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let vectors = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (len, expected) in vectors.into_iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..len]), expected);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfb]), "//77");
    }

    #[test]
    fn bytes_are_text_if_they_can_be() {
        assert_eq!(bytes_as_json("body", "é".as_bytes()), ("body".into(), json!("é")));
        assert_eq!(bytes_as_json("body", b"\xff"), ("body_base64".into(), json!("/w==")));
    }
}
