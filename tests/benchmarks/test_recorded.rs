use crate::recorded::{Recorded, Verdict, grouped};

fn recorded() -> Recorded {
    let figures = [("get", 10_000), ("upload", 20_000)];
    let figures = figures.map(|(name, figure)| (name.to_owned(), figure));
    Recorded::new("x86_64, Rust 1.95.0, valgrind 3.19.0".to_owned(), figures.to_vec())
}

#[test]
fn what_is_written_can_be_read() {
    assert_eq!(Recorded::parse(&recorded().text()), Some(recorded()));
}

#[test]
fn a_damaged_file_is_not_taken_for_an_empty_one() {
    assert_eq!(Recorded::parse(""), None);
    assert_eq!(Recorded::parse("# With x86_64\nget many\n"), None);
    assert_eq!(Recorded::parse("# With x86_64\nget\n"), None);
}

#[test]
fn three_percent_are_a_change() {
    for (now, verdict) in [
        (9_700, Verdict::Cheaper),
        (9_701, Verdict::Same),
        (10_299, Verdict::Same),
        (10_300, Verdict::Dearer),
    ] {
        assert_eq!(recorded().verdict("get", now), verdict, "{now}");
    }
    assert_eq!(recorded().verdict("response", 1), Verdict::Unknown);
}

#[test]
fn other_architectures_need_other_instructions() {
    assert!(recorded().is_from("x86_64"));
    assert!(!recorded().is_from("aarch64"));
}

#[test]
fn numbers_are_grouped_by_three() {
    assert_eq!([7, 1000, 13_021, 1_000_020].map(grouped), ["7", "1,000", "13,021", "1,000,020"]);
}
