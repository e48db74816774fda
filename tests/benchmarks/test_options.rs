use crate::options::{Command, Options};
use crate::servers::Server;

fn parse(line: &str) -> Result<Command, String> {
    Command::parse(line.split_whitespace().map(str::to_owned))
}

fn options(line: &str) -> Options {
    match parse(line) {
        Ok(Command::Measure(options)) => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_is_measured_by_default() {
    let options = options("--bench");
    assert!(options.is_whole());
    assert_eq!(options.rounds, 9);
}

#[test]
fn parts_are_chosen_by_name() {
    let options = options("--rows get,connect --servers tower-fastcgi,axum --quick --bench");
    assert_eq!(options.servers, [Server::TowerFastcgi, Server::Axum]);
    let names: Vec<_> = options.experiments.iter().map(|experiment| experiment.name).collect();
    assert_eq!(names, ["get", "connect"]);
    assert_eq!(options.rounds, 3);
}

#[test]
fn mistakes_are_told() {
    for (line, told) in [
        ("--bench --rows git", "no row git"),
        ("--bench --servers php", "no server php"),
        ("--bench --rounds 0", "not a number above 0"),
        ("--bench --rounds", "needs a value"),
        ("--bench --write --quick", "whole run"),
        ("--fast", "unknown argument --fast"),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn cargo_test_measures_nothing() {
    assert!(matches!(parse(""), Ok(Command::Nothing)));
}
