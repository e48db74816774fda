use crate::process::cores::parse_list;

#[test]
fn lists_of_processors() {
    assert_eq!(parse_list("0,4\n"), [0, 4]);
    assert_eq!(parse_list("0-2,8\n"), [0, 1, 2, 8]);
    assert!(parse_list("").is_empty());
}
