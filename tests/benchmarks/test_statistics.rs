use crate::statistics::{Summary, quantile};

#[test]
fn quantiles_lie_between_the_nearest_values() {
    assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), Some(2.5));
    assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.25), Some(1.75));
    assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
    assert_eq!(quantile(&[1.0, 2.0], 1.0), Some(2.0));
    assert_eq!(quantile(&[], 0.5), None);
}

#[test]
fn one_bad_round_does_not_move_the_summary() {
    let summary = Summary::of(&[100.0, 2.0, 1.0, 3.0, 2.0]).unwrap();
    assert_eq!(summary, Summary { median: 2.0, low: 2.0, high: 3.0 });
    assert_eq!(Summary::of(&[]), None);
}

#[test]
fn ratios_are_taken_within_a_round() {
    let summary = Summary::of_ratios(&[1.0, 20.0, 3.0], &[2.0, 40.0, 6.0]).unwrap();
    assert_eq!(summary, Summary { median: 0.5, low: 0.5, high: 0.5 });
}
