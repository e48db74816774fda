//! `fcgi check`: it finds what departs, and nothing else.
#![cfg(unix)]

mod departing;
mod fcgi;
mod options;

mod responder;

#[path = "../conformance/app.rs"]
mod app;
mod conforming;
