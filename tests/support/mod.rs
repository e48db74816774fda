//! A web server's end of a FastCGI connection, in memory: every test target speaks records through it.
//!
//! [`serve`] and its kin give a [`Server`], which the test polls by hand, and a [`Client`], which speaks records to it. Nothing
//! runs by itself: no thread, no socket, no clock but tokio's paused one.

// Each target uses a part of it.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod app;
mod client;
mod pipe;
mod server;
mod wire;

pub use self::app::{
    App, BoxError, DropFlag, DropGuard, Feed, FeedBody, Latch, Late, Sink, feed, read_all,
    read_all_and_forget, text,
};
pub use self::client::{Client, Response};
pub use self::pipe::{End, Event, Pipe, Shared as SharedPipe, pipe};
pub use self::server::{CountingWake, Exec, Server, Tasks, builder, serve, serve_with};
pub use self::wire::{
    Ask, Rec, Record, abort, begin, body_of, bytes_of, data, end_data, end_params, end_stdin,
    get_values, pairs, params, record, stdin,
};
