use crate::load::Protocol;
use crate::load::reply::{Reply, WrongAnswer};

fn take(protocol: Protocol, pieces: &[&[u8]]) -> Result<Reply, WrongAnswer> {
    let mut reply = Reply::default();
    for mut piece in pieces.iter().copied() {
        reply.take(&mut piece, protocol, b"hello")?;
        if !piece.is_empty() {
            return Err(WrongAnswer::Long);
        }
    }
    Ok(reply)
}

const CGI: &[u8] = b"Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const HTTP: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[test]
fn an_answer_is_complete_wherever_it_is_cut() {
    for (protocol, whole) in [(Protocol::FastCgi, CGI), (Protocol::Http, HTTP)] {
        for cut in 0..whole.len() {
            let begun = take(protocol, &[&whole[..cut]]).unwrap();
            assert!(!begun.is_complete(b"hello"), "{cut}");
            let (first, second) = whole.split_at(cut);
            assert!(take(protocol, &[first, second]).unwrap().is_complete(b"hello"), "{cut}");
        }
    }
}

#[test]
fn cgi_needs_neither_status_nor_length_nor_carriage_returns() {
    let reply = take(Protocol::FastCgi, &[b"Content-Type: text/plain\n\nhello"]);
    assert!(reply.unwrap().is_complete(b"hello"));
}

#[test]
fn http_needs_a_length() {
    let reply = take(Protocol::Http, &[b"HTTP/1.1 200 OK\r\n\r\nhello"]);
    assert!(matches!(reply, Err(WrongAnswer::Head(_))));
}

#[test]
fn another_status_or_length_is_wrong() {
    for (protocol, head) in [
        (Protocol::FastCgi, "Status: 404 Not Found\r\n\r\n"),
        (Protocol::FastCgi, "Content-Length: 6\r\n\r\n"),
        (Protocol::Http, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\n"),
        (Protocol::Http, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
    ] {
        let reply = take(protocol, &[head.as_bytes()]);
        assert!(matches!(reply, Err(WrongAnswer::Head(_))), "{head}");
    }
}

#[test]
fn another_byte_is_wrong_and_one_too_many_is_left() {
    assert_eq!(take(Protocol::FastCgi, &[b"A: b\n\nhellO"]).unwrap_err(), WrongAnswer::Body);
    assert_eq!(take(Protocol::FastCgi, &[b"A: b\n\nhello!"]).unwrap_err(), WrongAnswer::Long);
}
