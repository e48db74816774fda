//! What is checked, by what it is about.

mod abort;
mod begin;
mod connection;
mod end;
mod management;
mod multiplexing;
mod pairs;
mod records;
mod responder;
mod roles;
mod streams;

use super::case::Case;

/// All cases, in the order of the specification.
pub(super) fn all() -> Vec<Case> {
    let parts = [
        records::CASES,
        pairs::CASES,
        connection::CASES,
        management::CASES,
        begin::CASES,
        streams::CASES,
        abort::CASES,
        end::CASES,
        multiplexing::CASES,
        responder::CASES,
        roles::CASES,
    ];
    parts.concat()
}
