//! Applications that depart: each case fails for somebody.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::conforming::PATHS;
use crate::fcgi::{check, verdicts};
use crate::responder::{Fault, start};

/// A fault, a case that finds it, and what the case says.
const FOUND: &[(Fault, &str, &str)] = &[
    (Fault::AnswersNothing, "get", "nothing came within 0.3 s"),
    (Fault::AnswersNothing, "end-while-idle", "nothing came"),
    (Fault::SpeaksHttp, "get", "a record came with version 72"),
    (Fault::TakesPaddingForContent, "padding-begin", "closed"),
    (Fault::TakesPaddingForContent, "padding-7", "closed"),
    (Fault::TakesPaddingForContent, "padding-255", "closed"),
    (Fault::TakesPaddingForContent, "padding-ends", "nothing came"),
    (Fault::TakesPaddingForContent, "stdin-padding", "nothing came"),
    (Fault::WantsReservedZero, "reserved-byte", "closed"),
    (Fault::ReadsOnceForHeader, "cut-header", "closed"),
    (Fault::IdOfOneByte, "id-256", "for id 0, which nobody asked for"),
    (Fault::IdOfOneByte, "id-65535", "id 255, which nobody asked for"),
    (Fault::ClosesOnStrays, "inactive-id-before", "closed"),
    (Fault::ClosesOnStrays, "inactive-id-after", "closed"),
    (Fault::ClosesOnStrays, "inactive-id-between", "closed"),
    (Fault::AnyVersion, "wrong-version", "as if it were version 1"),
    (Fault::ShortLengthsOnly, "pair-long-lengths", "closed"),
    (Fault::ShortLengthsOnly, "pair-128", "closed"),
    (Fault::PairsInOneRecord, "params-cut-in-length", "closed"),
    (Fault::PairsInOneRecord, "params-cut-in-long-length", "closed"),
    (Fault::PairsInOneRecord, "params-cut-in-name", "closed"),
    (Fault::PairsInOneRecord, "params-cut-in-value", "closed"),
    (Fault::PairsInOneRecord, "params-one-byte-records", "closed"),
    (Fault::NoLongParams, "params-80-kib", "closed"),
    (Fault::NeverCloses, "no-keep-closes", "stays open"),
    (Fault::NeverCloses, "last-request", "stays open"),
    (Fault::AlwaysCloses, "keep-stays-open", "closed"),
    (Fault::AlwaysCloses, "second-request", "closed"),
    (Fault::AlwaysCloses, "second-id", "closed"),
    (Fault::AlwaysCloses, "abort-then", "closed"),
    (Fault::FlagsAreKeep, "unknown-flags", "stays open"),
    (Fault::WantsReservedBeginZero, "begin-reserved", "closed"),
    (Fault::NoValues, "get-values", "nothing came"),
    (Fault::NoValues, "get-values-between", "nothing came"),
    (Fault::NoValues, "get-values-within", "nothing came"),
    (Fault::EchoesUnknownNames, "get-values-unknown", "the answer has it"),
    (Fault::AlwaysTells, "get-values-empty", "which nobody asked for"),
    (Fault::ValuesTwice, "get-values-once", "a second record"),
    (Fault::ClosesBehindValues, "get-values-first", "closed behind the answer"),
    (Fault::UnknownTypeIsItsOwn, "unknown-type", "names type 11 instead of 100"),
    (Fault::IgnoresUnknownTypes, "unknown-type-first", "nothing came"),
    (Fault::AnyRole, "unknown-role", "FCGI_REQUEST_COMPLETE"),
    (Fault::RefusesRolesByClosing, "unknown-role-then", "closed"),
    (Fault::RefusesRolesByClosing, "authorizer", "closed"),
    (Fault::RefusesRolesByClosing, "filter", "closed"),
    (Fault::FirstStdinOnly, "stdin-one-byte-records", "came back otherwise"),
    (Fault::FirstStdinOnly, "stdin-200-kib", "came back otherwise"),
    (Fault::LosesLargeRecords, "stdin-largest-records", "came back otherwise"),
    (Fault::WaitsForLength, "stdin-short", "nothing came"),
    (Fault::IgnoresAborts, "abort-within-params", "nothing came"),
    (Fault::IgnoresAborts, "abort-within-body", "nothing came"),
    (Fault::EndsTwice, "end-once", "FCGI_END_REQUEST came behind it"),
    (Fault::TalksAfterEnd, "end-is-last", "FCGI_STDOUT came for id 1"),
    (Fault::EndIsShort, "end-once", "5 bytes instead of 8"),
    (Fault::Overloaded, "get", "FCGI_OVERLOADED"),
    (Fault::NoEnd, "get", "closed before FCGI_END_REQUEST"),
    (Fault::NoStdoutEnd, "stdout-ended", "no such record"),
    (Fault::NoStderrEnd, "stderr-ended", "no such record"),
    (Fault::GoesOnAfterStdoutEnd, "get", "goes on behind its empty record"),
    (Fault::OtherId, "get", "id 77, which nobody asked for"),
    (Fault::ForeignRecord, "get", "FCGI_STDIN came, which is no part of a response"),
    (Fault::RefusesSecond, "second-begin", "refused, though FCGI_MPXS_CONNS is 1"),
    (Fault::RefusesSecond, "max-reqs", "FCGI_CANT_MPX_CONN"),
    (Fault::MixesRequests, "interleaved", "nothing came"),
    (Fault::OneAfterTheOther, "not-held-up", "nothing came"),
    (Fault::AbortsAll, "abort-one", "no empty line behind its head"),
    (Fault::NoHead, "head-of-cgi", "empty line"),
    (Fault::BareHead, "head-of-cgi", "neither Content-Type nor Status nor Location"),
    (Fault::LyingLength, "content-length", "it is 6, and the body has 5 bytes"),
    (Fault::CutsLarge, "large-response", "came instead of 150000"),
    (Fault::Dies, "abort-within-body", "takes no connections any more"),
];

#[test]
fn each_fault_is_found() {
    let failures: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = FOUND
            .chunks(FOUND.len().div_ceil(4))
            .map(|part| scope.spawn(|| part.iter().filter_map(missed).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What is wrong with the verdict, if anything is.
fn missed(&(fault, name, detail): &(Fault, &str, &str)) -> Option<String> {
    let address = start(fault);
    // Those who do not answer are not waited for; nobody else is cut short.
    let waits =
        detail.starts_with("nothing came") || fault == Fault::Dies || detail == "stays open";
    let timeout = if waits { "--timeout=300ms" } else { "--timeout=20s" };
    let (report, exit) = verdicts(&[&PATHS[..6], &["--only", name, timeout, &address]].concat());
    let [case] = &report["cases"].as_array().unwrap()[..] else { panic!("{report}") };
    let expected_exit = i32::from(case["level"] == "must");
    let is_found = case["verdict"] == "departs"
        && case["detail"].as_str().unwrap().contains(detail)
        && exit == expected_exit;
    (!is_found).then(|| format!("{fault:?} by {name}: {case}, exit status {exit}"))
}

/// The others say nothing that these do not: they are there to tell what an application still can.
#[test]
fn nearly_every_case_finds_something() {
    let list = check(&["--list", "--json"]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let all = list.as_array().unwrap().iter().map(|case| case["name"].as_str().unwrap());
    let finding: BTreeSet<_> = FOUND.iter().map(|found| found.1).collect();
    let rest: Vec<_> = all.filter(|name| !finding.contains(name)).collect();
    assert_eq!(
        rest,
        [
            "byte-by-byte",
            "pair-127",
            "pair-empty-value",
            "params-two-records",
            "end-within-record",
            "stdin",
            "stdin-empty",
            "stdin-late",
            "stdin-unread"
        ]
    );
}

#[test]
fn what_only_should_be_costs_no_exit_status() {
    let address = start(Fault::AnyVersion);
    let (report, exit) = verdicts(&["--only", "wrong-version", &address]);
    assert_eq!((&report["counts"]["departs"], exit), (&1.into(), 0));
    assert_eq!(report["conforms"], true);
}

#[test]
fn behind_its_end_an_application_is_asked_nothing_more() {
    let address = start(Fault::Dies);
    let cases = ["--only=abort-within-params", "--only=end-once", "--timeout=300ms"];
    let (report, exit) = verdicts(&[&cases[..], &[&address]].concat());
    assert_eq!(report["cases"][0]["verdict"], "departs");
    assert_eq!(report["cases"][1]["verdict"], "unclear");
    assert_eq!(exit, 1);
}
