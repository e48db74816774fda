use tower_fastcgi::record::{
    EndRequest, ProtocolStatus, RecordType, RequestId, put_end_request, put_stream, put_stream_end,
};

use crate::load::fastcgi::Replies;
use crate::load::reply::WrongAnswer;

fn id(id: u16) -> RequestId {
    RequestId::new(id).unwrap()
}

fn stdout(request: u16, content: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    put_stream(&mut wire, RecordType::Stdout, id(request), content.as_bytes());
    wire
}

fn end_of(request: u16, protocol_status: ProtocolStatus) -> Vec<u8> {
    let mut wire = Vec::new();
    put_end_request(&mut wire, id(request), EndRequest { app_status: 0, protocol_status });
    wire
}

fn end(request: u16) -> Vec<u8> {
    end_of(request, ProtocolStatus::RequestComplete)
}

fn take(wire: &[Vec<u8>]) -> Result<Vec<usize>, WrongAnswer> {
    let mut ended = Vec::new();
    Replies::new(3).take(&wire.concat(), b"hello", |index| ended.push(index))?;
    Ok(ended)
}

#[test]
fn interleaved_answers_end_in_the_order_of_their_ends() {
    let wire = [stdout(1, "A: b\n\nhel"), stdout(3, "A: b\n\nhello"), end(3)];
    assert_eq!(take(&wire), Ok(vec![2]));
    let wire = [stdout(1, "A: b\n\nhel"), stdout(3, "A: b\n\nhello"), end(3)];
    let rest = [stdout(1, "lo"), end(1), stdout(3, "A: b\n\nhello"), end(3)];
    assert_eq!(take(&[wire.concat(), rest.concat()]), Ok(vec![2, 0, 2]));
}

#[test]
fn an_answer_needs_its_whole_body_and_a_good_end() {
    assert_eq!(take(&[stdout(1, "A: b\n\nhell"), end(1)]), Err(WrongAnswer::Short));
    assert_eq!(take(&[end(1)]), Err(WrongAnswer::Short));
    let overloaded = end_of(1, ProtocolStatus::Overloaded);
    let refused = WrongAnswer::Refused("FCGI_OVERLOADED".to_owned());
    assert_eq!(take(&[stdout(1, "A: b\n\nhello"), overloaded]), Err(refused));
}

#[test]
fn nothing_follows_the_end_of_stdout() {
    let mut ended = stdout(1, "A: b\n\nhello");
    put_stream_end(&mut ended, RecordType::Stdout, id(1));
    assert_eq!(take(&[ended.clone(), end(1)]), Ok(vec![0]));
    assert_eq!(take(&[ended, stdout(1, "!")]), Err(WrongAnswer::Long));
    assert_eq!(take(&[stdout(1, "A: b\n\nhello!")]), Err(WrongAnswer::Long));
}

#[test]
fn ids_nobody_asked_for_are_wrong() {
    assert_eq!(take(&[stdout(4, "A: b\n\nhello")]), Err(WrongAnswer::Id));
}

#[test]
fn stderr_may_end_but_not_speak() {
    let mut wire = stdout(1, "A: b\n\nhello");
    put_stream_end(&mut wire, RecordType::Stderr, id(1));
    assert_eq!(take(&[wire.clone(), end(1)]), Ok(vec![0]));
    put_stream(&mut wire, RecordType::Stderr, id(1), b"oh");
    assert_eq!(take(&[wire]), Err(WrongAnswer::Stderr("oh".to_owned())));
}
