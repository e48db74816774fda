use crate::load::http::Replies;
use crate::load::reply::WrongAnswer;

#[test]
fn one_answer_follows_the_other() {
    let mut replies = Replies::default();
    let mut complete = 0;
    for piece in ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", "i"].repeat(2) {
        replies.take(piece.as_bytes(), b"hi", || complete += 1).unwrap();
    }
    assert_eq!(complete, 2);
}

#[test]
fn nothing_follows_unasked() {
    let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!";
    assert_eq!(Replies::default().take(wire, b"hi", || {}), Err(WrongAnswer::Long));
}
