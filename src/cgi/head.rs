use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::response::Parts;
use http::{Response, StatusCode};

use super::decimal;
use crate::error::BadHead;

/// The head of a CGI response (RFC 3875 section 6) as it arrives, in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    bytes: Vec<u8>,
    /// So many bytes hold no end of the head.
    searched: usize,
}

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// In bytes, the empty line at its end included.
    pub(crate) size: usize,
    /// How many header lines.
    pub(crate) headers: usize,
}

/// A response whose body is still to come.
#[derive(Debug)]
pub(crate) struct MappedHead {
    pub(crate) parts: Parts,
    pub(crate) content_length: Option<u64>,
}

impl HeadReader {
    /// Takes what belongs to the head off the front of `content`. The mapped head, once it is whole.
    pub(crate) fn read(
        &mut self,
        content: &mut &[u8],
        limits: HeadLimits,
    ) -> Result<Option<MappedHead>, BadHead> {
        // Most heads come in one piece, which need not be copied.
        if self.bytes.is_empty() {
            if let Some(end) = find_end(content, 0).filter(|&end| end <= limits.size) {
                let (head, rest) = content.split_at(end);
                *content = rest;
                return map_head(head, limits.headers).map(Some);
            }
        }
        let before = self.bytes.len();
        let room = (limits.size + 1).saturating_sub(before).min(content.len());
        self.bytes.extend_from_slice(&content[..room]);
        let end = find_end(&self.bytes, self.searched);
        match end.filter(|&end| end <= limits.size) {
            Some(end) => {
                *content = &content[end - before..];
                let head = std::mem::take(&mut self.bytes);
                map_head(&head[..end], limits.headers).map(Some)
            }
            None if self.bytes.len() > limits.size => Err(BadHead::TooLarge),
            None => {
                *content = &[];
                // The end is three bytes at most.
                self.searched = self.bytes.len().saturating_sub(2);
                Ok(None)
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Where the head ends: behind its empty line. Lines end with LF, or CRLF (RFC 3875 section 6.2 and what scripts print).
fn find_end(bytes: &[u8], searched: usize) -> Option<usize> {
    if searched == 0 {
        match bytes {
            [b'\n', ..] => return Some(1),
            [b'\r', b'\n', ..] => return Some(2),
            _ => {}
        }
    }
    let newlines = bytes.iter().enumerate().skip(searched).filter(|&(_, &byte)| byte == b'\n');
    newlines.map(|(at, _)| at + 1).find_map(|next| match bytes[next..] {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

fn map_head(head: &[u8], max_headers: usize) -> Result<MappedHead, BadHead> {
    let lines = head.iter().filter(|&&byte| byte == b'\n').count() - 1;
    if lines > max_headers {
        return Err(BadHead::TooManyHeaders);
    }
    let mut parsed = vec![httparse::EMPTY_HEADER; lines];
    let parsed = match httparse::parse_headers(head, &mut parsed) {
        Ok(httparse::Status::Complete((_, []))) => return Err(BadHead::Empty),
        Ok(httparse::Status::Complete((_, parsed))) => parsed,
        Ok(httparse::Status::Partial) | Err(_) => return Err(BadHead::Malformed),
    };
    let mut fields =
        Fields { map: HeaderMap::with_capacity(lines.min(USUAL_HEADERS)), ..Fields::default() };
    parsed.iter().try_for_each(|header| fields.add(header))?;
    fields.finish()
}

/// What the header lines say.
#[derive(Default)]
struct Fields {
    map: HeaderMap,
    status: Option<StatusCode>,
    content_length: Option<u64>,
    nominated: Vec<HeaderName>,
}

impl Fields {
    fn add(&mut self, header: &httparse::Header<'_>) -> Result<(), BadHead> {
        if header.name.eq_ignore_ascii_case("status") {
            return self.set_status(header.value);
        }
        let name =
            HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| BadHead::Malformed)?;
        if name == header::CONNECTION {
            self.nominate(header.value);
        }
        if is_hop_by_hop(&name) {
            return Ok(());
        }
        if name == header::CONTENT_LENGTH {
            return self.set_content_length(header.value);
        }
        let value = HeaderValue::from_bytes(header.value).map_err(|_| BadHead::Malformed)?;
        self.map.try_append(name, value).map(drop).map_err(|_| BadHead::TooManyHeaders)
    }

    /// Notes what concerns the connection only (RFC 9110 section 7.6.1).
    fn nominate(&mut self, options: &[u8]) {
        let names = options.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        self.nominated.extend(names.filter_map(|name| HeaderName::from_bytes(name).ok()));
    }

    fn set_status(&mut self, value: &[u8]) -> Result<(), BadHead> {
        let status = parse_status(value)?;
        match self.status.replace(status) {
            Some(other) if other != status => Err(BadHead::Status),
            _ => Ok(()),
        }
    }

    /// The same one several times is one (RFC 9110 section 8.6).
    fn set_content_length(&mut self, value: &[u8]) -> Result<(), BadHead> {
        let length = decimal::parse(value).ok_or(BadHead::ContentLength)?;
        match self.content_length.replace(length) {
            Some(other) if other != length => Err(BadHead::ContentLength),
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<MappedHead, BadHead> {
        for name in &self.nominated {
            self.map.remove(name);
        }
        let mut parts = Response::new(()).into_parts().0;
        parts.status = self.status.unwrap_or_else(|| self.default_status());
        // RFC 9110 section 8.6 forbids it there.
        let length = self.content_length.filter(|_| parts.status != StatusCode::NO_CONTENT);
        if let Some(length) = length {
            self.map.insert(header::CONTENT_LENGTH, length.into());
        }
        parts.headers = self.map;
        Ok(MappedHead { parts, content_length: length })
    }

    /// RFC 3875 sections 6.2.3 and 6.3.3.
    fn default_status(&self) -> StatusCode {
        match self.map.contains_key(header::LOCATION) {
            true => StatusCode::FOUND,
            false => StatusCode::OK,
        }
    }
}

/// Three digits, and a reason behind a space, which is nobody's concern.
fn parse_status(value: &[u8]) -> Result<StatusCode, BadHead> {
    let (code, reason) = value.split_at_checked(3).ok_or(BadHead::Status)?;
    if !matches!(reason.first(), None | Some(b' ')) {
        return Err(BadHead::Status);
    }
    let status = StatusCode::from_bytes(code).map_err(|_| BadHead::Status)?;
    match status.is_informational() {
        true => Err(BadHead::Informational(status.as_u16())),
        false => Ok(status),
    }
}

/// What concerns the application's connection and not the response. An application that frames its body once more would have it
/// framed twice.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "trailers"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// So many have room at first.
const USUAL_HEADERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { size: 1000, headers: 10 };

    fn read_in(chunk: usize, text: &[u8]) -> Result<Option<(MappedHead, Vec<u8>)>, BadHead> {
        let mut reader = HeadReader::default();
        for (index, part) in text.chunks(chunk).enumerate() {
            let mut content = part;
            if let Some(head) = reader.read(&mut content, LIMITS)? {
                let later = text.chunks(chunk).skip(index + 1).flatten();
                let rest = content.iter().chain(later).copied().collect();
                return Ok(Some((head, rest)));
            }
            assert!(content.is_empty(), "a head that is not whole takes everything");
        }
        Ok(None)
    }

    #[track_caller]
    fn head(text: &str) -> MappedHead {
        let (head, rest) = read_in(usize::MAX, text.as_bytes()).unwrap().expect("a whole head");
        assert_eq!(rest, b"");
        head
    }

    #[track_caller]
    fn assert_bad(text: &str, expected: BadHead) {
        for chunk in [1, 2, 3, usize::MAX] {
            assert_eq!(read_in(chunk, text.as_bytes()).unwrap_err(), expected, "{text:?}");
        }
    }

    fn headers(head: &MappedHead) -> Vec<(&str, &[u8])> {
        head.parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    #[test]
    fn what_php_sends() {
        let head = head(
            "Status: 404 Not Found\r\nX-Powered-By: PHP/8.2\r\nContent-type: text/html; charset=UTF-8\r\n\r\n",
        );
        assert_eq!(head.parts.status, 404);
        let expected =
            [("x-powered-by", &b"PHP/8.2"[..]), ("content-type", b"text/html; charset=UTF-8")];
        assert_eq!(headers(&head), expected);
        assert_eq!(head.content_length, None);
    }

    #[test]
    fn however_it_is_cut_it_is_the_same_head_and_body() {
        for end in ["\r\n", "\n"] {
            let text = format!("Status: 201 Created{end}A: b{end}C:d{end}{end}\n\r\nbody\n\n");
            for chunk in (1..text.len()).chain([usize::MAX]) {
                let (head, rest) = read_in(chunk, text.as_bytes()).unwrap().unwrap();
                assert_eq!(head.parts.status, 201);
                assert_eq!(headers(&head), [("a", &b"b"[..]), ("c", b"d")]);
                assert_eq!(rest, b"\n\r\nbody\n\n", "in pieces of {chunk}");
            }
        }
    }

    #[test]
    fn a_head_that_is_not_whole_is_waited_for() {
        for text in ["", "A", "A: b", "A: b\r", "A: b\r\n", "A: b\r\n\r", "\r"] {
            assert!(read_in(1, text.as_bytes()).unwrap().is_none(), "{text:?}");
        }
    }

    #[test]
    fn the_status_is_200_or_302_unless_it_is_told() {
        assert_eq!(head("Content-Type: a/b\n\n").parts.status, 200);
        assert_eq!(head("Location: /here\n\n").parts.status, 302);
        assert_eq!(head("Location: /here\nStatus: 201\n\n").parts.status, 201);
        assert_eq!(head("Status: 301 Moved\nLocation: /here\n\n").parts.status, 301);
        assert_eq!(head("STATUS:   599 \n\n").parts.status, 599);
        assert_eq!(head("Status: 200\nStatus: 200 OK\n\n").parts.status, 200);
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for status in ["", "20", "2000", "abc", "+20", "200OK", "099", "0x1", "\u{661}\u{662}"] {
            assert_bad(&format!("Status: {status}\r\n\r\n"), BadHead::Status);
        }
        assert_bad("Status: 200\r\nStatus: 404\r\n\r\n", BadHead::Status);
        assert_bad("Status: 101 Switching\r\n\r\n", BadHead::Informational(101));
        assert_bad("Status: 100\r\n\r\n", BadHead::Informational(100));
    }

    #[test]
    fn lengths_agree_or_are_refused() {
        let one = head("Content-Length: 5\nContent-Length: 5\n\n");
        assert_eq!(one.content_length, Some(5));
        assert_eq!(headers(&one), [("content-length", &b"5"[..])]);
        for length in ["", "-1", "5,5", "5 5", "0x5", "99999999999999999999"] {
            assert_bad(&format!("Content-Length: {length}\r\n\r\n"), BadHead::ContentLength);
        }
        assert_bad("Content-Length: 5\r\nContent-Length: 6\r\n\r\n", BadHead::ContentLength);
        let none = head("Status: 204\nContent-Length: 5\n\n");
        assert_eq!((none.content_length, headers(&none)), (None, vec![]));
    }

    #[test]
    fn hop_by_hop_headers_are_dropped() {
        let dropped = head(
            "Connection: close\nKeep-Alive: 5\nProxy-Connection: x\nTE: x\nTrailer: x\nTrailers: x\n\
             Transfer-Encoding: chunked\nUpgrade: h2c\nSet-Cookie: a\nSet-Cookie: b\n\n",
        );
        assert_eq!(headers(&dropped), [("set-cookie", &b"a"[..]), ("set-cookie", b"b")]);
    }

    #[test]
    fn values_are_bytes_without_control_characters() {
        let text = b"X: caf\xe9\t\xff\r\n\r\n";
        let (head, _) = read_in(usize::MAX, text).unwrap().unwrap();
        assert_eq!(headers(&head), [("x", &b"caf\xe9\t\xff"[..])]);
        for text in ["X: a\0b\n\n", "X: a\rb\n\n", "X: a\x7fb\n\n", "X: a\x01\n\n"] {
            assert_bad(text, BadHead::Malformed);
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        assert_bad("\r\nbody", BadHead::Empty);
        assert_bad("\nbody", BadHead::Empty);
        for text in [
            "no colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
            ": b\r\n\r\n",
            "A : b\r\n\r\n",
            " A: b\r\n\r\n",
            "A: b\r\n folded\r\n\r\n",
            "A(: b\r\n\r\n",
            "\u{e9}: b\r\n\r\n",
        ] {
            assert_bad(text, BadHead::Malformed);
        }
    }

    #[test]
    fn a_head_has_a_largest_size() {
        let of_size = |size: usize| format!("A: {}\r\n\r\n", "b".repeat(size - 7));
        assert_eq!(headers(&head(&of_size(1000)))[0].1.len(), 993);
        assert_bad(&of_size(1001), BadHead::TooLarge);
        assert_bad(&"A".repeat(1001), BadHead::TooLarge);
        assert!(read_in(7, "A".repeat(1000).as_bytes()).unwrap().is_none());
    }

    #[test]
    fn a_head_has_so_many_headers_at_most() {
        assert_eq!(headers(&head(&format!("{}\n", "A: b\n".repeat(10)))).len(), 10);
        assert_bad(&format!("{}\n", "A: b\n".repeat(11)), BadHead::TooManyHeaders);
    }
}
