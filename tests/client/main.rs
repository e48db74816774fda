//! A connection to an application, polled by hand against one that the test plays itself.

#[path = "../support/mod.rs"]
mod support;

mod abort;
mod endings;
mod link;
mod multiplexing;
mod request;
mod response;
mod timeouts;
mod values;
