//! axum, tower-http and what is built on them work over FastCGI as they do over HTTP.
//!
//! Each application is served twice, by `axum::serve` and by `tower_fastcgi::serve`, and each request is made both ways: the
//! responses must not differ.

mod both;
mod client_address;
mod handlers;
#[path = "../in_memory/mod.rs"]
mod in_memory;
mod middleware;
mod streaming;
mod tower_layers;
#[path = "../web_server/mod.rs"]
mod web_server;
