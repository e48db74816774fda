//! Serve an axum `Router`, or any tower `Service`, over FastCGI.
//!
//! The web server (Caddy, nginx, Apache, HAProxy, lighttpd) speaks HTTP with the world and FastCGI with the application. Every
//! message is framed, so there is no request smuggling between the two, and what the web server says ([`Params`]) never shares
//! a name with what the client says (the request's headers).
//!
//! # Examples
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn run() -> std::io::Result<()> {
//! use axum::{Router, routing::get};
//! use tower_fastcgi::{listener, serve};
//!
//! let app = Router::new().route("/", get(|| async { "Hello, World!" }));
//! let listener = listener::bind("127.0.0.1:9000").await?;
//! serve(listener, app).await
//! # }
//! ```
//!
//! [`serve()`] is for tokio, with the look of `axum::serve`. [`server`] serves a single connection on any runtime, with the look
//! of hyper's `server::conn`. [`record`] is the wire format alone.
//!
//! # What the application sees
//!
//! - The request as over HTTP: method, URI, version, the client's headers, the body as a stream ([`Incoming`]).
//! - [`Params`] in its extensions: what the web server set, never a header.
//! - [`Role`] in its extensions. [`roles`] tells what an Authorizer and a Filter get and answer.
//! - [`Transport`] in its extensions, put there by [`serve()`]: who is at the other end of the FastCGI connection.
//! - [`MountPrefix`] in its extensions, if the application has asked with [`UriSource::Mounted`](server::UriSource::Mounted) not to see the path
//!   at which the web server mounts it.
//! - With the feature `axum`: `ConnectInfo<SocketAddr>` in its extensions whenever REMOTE_ADDR is an address, with REMOTE_PORT or
//!   port 0, and as extractors [`Params`] and what [`trust`] makes of them.
//!
//! # What can be believed
//!
//! | from | examples | said by |
//! |---|---|---|
//! | params about the connection, and your own | REMOTE_ADDR, REMOTE_PORT, SERVER_ADDR, HTTPS, SSL_CLIENT_*, `fastcgi_param X y` | the web server |
//! | params that hold the client's bytes | REQUEST_URI, QUERY_STRING, PATH_INFO, REQUEST_METHOD, SERVER_PROTOCOL; SERVER_NAME behind all but nginx, and SERVER_PORT behind Caddy and Apache, which take them from the Host header; REMOTE_USER behind nginx and HAProxy, which do not check it | the client, through the web server |
//! | headers | Host, Cookie, Authorization, X-Anything | the client |
//!
//! All of it is said by whoever can connect. Let nobody in but the web server: with a Unix socket's mode, `listener::AllowedPeers`, and
//! where those prove too little [`trust::RequireSecretLayer`].
//!
//! [`trust`] has the first row as types, with what each web server vouches for: who has logged in, the client's certificate, TLS.
//!
//! `X-Forwarded-For`, `Forwarded`, `X-Real-IP`, `True-Client-IP` and their kin are client headers that common middleware believes
//! first. They are removed unless [`Builder::forwarded`](server::Builder::forwarded) keeps them. Two client headers can still
//! meet in one name: web servers turn both `X-User` and `X_User` into HTTP_X_USER, so never let the web server pass a trusted
//! value to the application as a header; pass it as a param, whose name no header can have.
//!
//! # Options and defaults
//!
//! All are options of [`server::Builder`], to be passed to `serve` with `with_builder`. How many connections there may be and how
//! long a shutdown may take are options of [`Serve`].
//!
//! | option | default | when it is reached |
//! |---|---|---|
//! | `max_params_size` | 128 KiB | status 431 |
//! | `max_params` | 512 pairs | status 431 |
//! | `max_requests` | 100 at a time on a connection | status 503 |
//! | `params_timeout` | 30 s | status 408, and the connection closes when nothing else is live |
//! | `write_timeout` | 60 s without a byte accepted | the connection is dropped |
//! | `max_body_buf_size` | 256 KiB unread on a connection | the connection stops reading |
//! | `stall_timeout` | 30 s, on multiplexed connections | the bodies with the most unread bytes fail |
//! | `max_send_buf_size` | 128 KiB | response bodies are not polled |
//! | `max_control_buf_size` | 16 KiB | the connection stops reading |
//! | `idle_timeout` | off | the connection closes |
//! | `drain_timeout`, `drain_limit` | 5 s without progress, 30 s in all | a closing connection is dropped |
//! | `multiplexing` | off | FCGI_MPXS_CONNS says 0 |
//! | `half_close` | off | an end of input cancels what is live |
//! | `forwarded` | removed | |
//! | `uri_source` | REQUEST_URI | |
//! | `roles` | Responder | others: FCGI_UNKNOWN_ROLE |
//! | `authorizer_timeout` | 10 s, for requests of role Authorizer | denied with status 503 |
//! | `auto_date_header` | on | |
//! | `stderr` | off; else the bytes that a request may write to the web server's error log | what exceeds it is cut |
//!
//! Timeouts need a timer. `serve` sets tokio's; a [`server::Builder`] without one has no timeouts.
//!
//! # A response that begins before the upload has ended
//!
//! It may: an early refusal arrives whatever is left of the upload, because a closing connection reads and drops that. But the web
//! servers do not carry both ways at once. nginx stops sending the upload when it has the head of the response, and Caddy does
//! not read the response before it has sent the whole upload. So a handler that streams its request body back is sure of what the
//! buffers hold, some hundred KiB. With more it comes to a stop, and a timeout ends it: nginx's `fastcgi_read_timeout` (60 s), and
//! the client sees the response cut; or behind Caddy `write_timeout`, and the client gets a 502. Read the upload to its end
//! first, or to a file, before answering more than that.
//!
//! # Cancel safety
//!
//! A handler is an async function that may be dropped at any of its awaits. That happens when the web server closes the
//! connection, which is how all but HAProxy say that the client has gone, when it sends FCGI_ABORT_REQUEST, when a timeout ends
//! the connection, and at the end of a graceful shutdown's deadline. nginx tells within 100 ms that a client has gone, also while the
//! handler is silent, and so does HAProxy 3.0 with `option abortonclose` and without `option keep-conn`; HAProxy 2.6 does not at all,
//! Apache, Caddy and lighttpd only when they next write to it. Nobody notices while more than
//! `max_body_buf_size` of the request's body waits unread, for the close comes behind it. Work that must not stop half-way
//! belongs in a task of its own (`tokio::spawn`), whose handle the handler awaits.
//!
//! What is told about single futures stands with [`server::Connection`], [`Incoming`] and [`serve()`].
//!
//! # As a client
//!
//! With the feature `client`, [`client::Client`](https://docs.rs/tower-fastcgi/latest/tower_fastcgi/client/struct.Client.html) sends
//! requests to FastCGI applications, php-fpm among them: the same protocol from the web server's side. Its module says what is sent
//! and what is not.
//!
//! # Without a web server
//!
//! For development. With the feature `http`, `Serve::with_http` serves HTTP/1.1 and HTTP/2 on the same socket. With the feature `gateway`,
//! [`gateway`](https://docs.rs/tower-fastcgi/latest/tower_fastcgi/gateway/index.html) stands between HTTP and FastCGI applications as a
//! web server does.
//!
//! # Features
//!
//! - `tokio` (default): [`serve()`] and [`listener`].
//! - `tracing` (default): log with `tracing`: records at trace, ends of connections and refused requests at debug, failed services
//!   at error. Values of params and headers are never logged.
//! - `systemd`: `listener::inherited`, which takes the sockets that systemd passes.
//! - `axum`: `ConnectInfo`, and the extractors for [`Params`], [`MountPrefix`] and the types in [`trust`].
//! - `tracing-subscriber`: `server::StderrLayer`, which sends a request's warnings and errors to the web server's error log.
//! - `client`: requests to FastCGI applications. `client::Client` needs `tokio` as well; `client::conn` does not.
//! - `http`: `Serve::with_http`, HTTP on the same socket.
//! - `gateway`: a development server from HTTP to FastCGI applications.
//! - `cli`: the command `fcgi` (`cargo install tower-fastcgi --features cli`), which asks applications by hand; no part of `full`.
//! - `full`: all others.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "tracing"), allow(unused_variables))]

mod alarm;
#[cfg(feature = "axum")]
mod axum;
#[cfg(not(feature = "axum"))]
#[path = "axum_absent.rs"]
mod axum;
mod body;
mod cgi;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod client;
mod codec;
mod error;
#[cfg(feature = "gateway")]
#[cfg_attr(docsrs, doc(cfg(feature = "gateway")))]
pub mod gateway;
mod log_limit;
mod ready;
pub mod record;
pub mod roles;
#[cfg(feature = "tokio")]
mod serve;
pub mod server;
mod trace;
pub mod trust;
mod waker;

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use self::axum::MissingParams;
pub use self::body::Incoming;
pub use self::cgi::{MountPrefix, Params, ParamsIter};
pub use self::error::{Error, Result};
pub use self::record::Role;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use self::serve::Http;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use self::serve::{SendService, Serve, Transport, listener, serve};
