use super::case::{Found, departs};

/// The head of a CGI response (RFC 3875 section 6).
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) content_length: Option<usize>,
    /// How many bytes of FCGI_STDOUT it takes, with the empty line.
    pub(super) len: usize,
}

pub(super) fn parse(stdout: &[u8]) -> Found<Head> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    match httparse::parse_headers(stdout, &mut headers) {
        Ok(httparse::Status::Complete((len, headers))) => read(len, headers),
        Ok(httparse::Status::Partial) => departs("the response has no empty line behind its head"),
        Err(error) => departs(format!("the head of the response is malformed: {error}")),
    }
}

fn read(len: usize, headers: &[httparse::Header<'_>]) -> Found<Head> {
    let find = |name: &str| {
        let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.map(|header| header.value)
    };
    let (status, location) = (find("status"), find("location"));
    if status.is_none() && location.is_none() && find("content-type").is_none() {
        return departs("the head has neither Content-Type nor Status nor Location");
    }
    let status = match status {
        Some(value) => parse_status(value)?,
        None if location.is_some() => 302,
        None => 200,
    };
    let length = find("content-length").map(parse_length).transpose()?;
    Ok(Head { status, content_length: length, len })
}

fn parse_status(value: &[u8]) -> Found<u16> {
    let digits = value.get(..3).filter(|_| matches!(value.get(3), None | Some(b' ')));
    let status = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    match status {
        Some(status @ 100..=999) => Ok(status),
        _ => departs(format!("Status is {:?}", String::from_utf8_lossy(value))),
    }
}

fn parse_length(value: &[u8]) -> Found<usize> {
    let length = std::str::from_utf8(value).ok().and_then(|value| value.trim().parse().ok());
    length.map_or_else(
        || departs(format!("Content-Length is {:?}", String::from_utf8_lossy(value))),
        Ok,
    )
}

const MAX_HEADERS: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::case::Obstacle;
    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line() {
        let head = parse(b"Status: 404 Not Found\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        assert_eq!((head.status, head.content_length, head.len), (404, Some(3), 44));
        let head = parse(b"Content-Type: text/plain\n\nabc").unwrap();
        assert_eq!((head.status, head.content_length, head.len), (200, None, 26));
        assert_eq!(parse(b"Location: /a\r\n\r\n").unwrap().status, 302);
    }

    #[test]
    fn what_is_no_head_departs() {
        for wrong in [
            "",
            "\r\n",
            "Content-Type: text/plain",
            "Content-Type: text/plain\r\n",
            "hello\r\n\r\n",
            "X-A: b\r\n\r\n",
            "Status: 42\r\n\r\n",
            "Status: 2000\r\n\r\n",
            "Status: OK\r\n\r\n",
            "Status: 200\r\nContent-Length: x\r\n\r\n",
        ] {
            assert!(matches!(parse(wrong.as_bytes()), Err(Obstacle::Departs(_))), "{wrong:?}");
        }
    }
}
