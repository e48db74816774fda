//! The command `fcgi`, as its users run it: against this crate's server, and against peers that break the rules.

mod address;
mod application;
mod bodies;
mod command;
#[cfg(unix)]
mod documentation;
mod dump;
mod failures;
mod manual;
mod output;
mod params;
mod peer;
mod serve;
mod values;
mod verbose;

#[cfg(unix)]
mod terminal;
