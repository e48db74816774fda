//! What is printed, and when nothing is asked.

use crate::fcgi::check;
use crate::responder::{Fault, start};

#[test]
fn cases_are_listed_with_their_sections() {
    let output = check(&["--list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("unknown-type ")).unwrap();
    assert!(line.starts_with("4.2  must "), "{line}");
    assert!(text.lines().count() > 60, "{text}");
    assert!(output.status.success());
}

#[test]
fn the_names_of_cases_are_unique() {
    let output = check(&["--list", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut names: Vec<_> = list.as_array().unwrap().iter().map(|case| &case["name"]).collect();
    let count = names.len();
    names.sort_by_key(|name| name.to_string());
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_name_chooses_its_case_or_those_that_have_it() {
    let names = |only: &str| {
        let output = check(&["--list", "--only", only]);
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!(names("get"), 1);
    assert_eq!(names("padding"), 5);
    let output = check(&["--list", "--only", "nothing-like-it"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("no case is named") && error.contains("--list"), "{error}");
}

#[test]
fn verdicts_are_lines_of_text() {
    let address = start(Fault::NoStdoutEnd);
    let output = check(&["--only", "stdout-ended", "--only", "get", &address]);
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = format!(
        "FastCGI 1.0 at {address}: GET / is answered with 200\n\n\
         3.3  must   departs    stdout-ended  an empty record ends FCGI_STDOUT before FCGI_END_REQUEST\n\
         {:37}-> there is no such record\n\
         6.2  must   conforms   get           a GET is answered\n\n\
         1 conforms, 1 departs, 0 unclear, 0 permitted; 1 must not depart\n",
        ""
    );
    assert_eq!(text, expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn why_there_is_nothing_to_compare_with_is_told_first() {
    for (fault, why) in [
        (Fault::AnswersNothing, "nothing came within 0.3 s"),
        (Fault::SpeaksHttp, "a record came with version 72: it is HTTP that comes back"),
    ] {
        let output = check(&["--only", "get", "--timeout", "300ms", &start(fault)]);
        let text = String::from_utf8(output.stdout).unwrap();
        let first = text.lines().next().unwrap();
        assert!(first.ends_with(&format!("could be compared with: {why}")), "{first}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn nobody_there_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let output = check(&[&address]);
    assert_eq!(output.status.code(), Some(7));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("is the application listening on {address}?")), "{error}");
    assert_eq!(check(&[]).status.code(), Some(2));
    assert_eq!(check(&["--path", "x", &address]).status.code(), Some(2));
}
