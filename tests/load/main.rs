//! `fcgi bench`: what it counts is what happened.
#![cfg(unix)]

mod application;
mod command;
mod errors;
mod latencies;
mod loads;
mod options;
