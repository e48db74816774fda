//! From HTTP to FastCGI applications: a development server, and a reference for what a web server has to do.
//!
//! It is not made for the internet. It has no TLS, no cache, no compression, no access log, no health checks and no configuration file,
//! and nobody has attacked it yet: put Caddy, nginx, Apache or HAProxy there. It is for a browser on your own machine, for tests, and
//! for reading. On 127.0.0.1 it is open to everybody on the machine and, as any server there, to every page in a browser on it: one can
//! send requests, and under a host name of its own that resolves to 127.0.0.1 read the answers.
//!
//! [`Gateway`] is a tower `Service`, which any server of HTTP may call; [`serve`] is a server of HTTP/1.1 and HTTP/2 (with prior
//! knowledge) for it, on one port.
//!
//! # Examples
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use tower_fastcgi::gateway::{self, Gateway};
//! use tower_fastcgi::listener;
//!
//! let listener = listener::bind("127.0.0.1:8080").await?;
//! gateway::serve(listener, Gateway::new("127.0.0.1:9000")?).await?;
//! # Ok(())
//! # }
//! ```
//!
//! For PHP, with the files of the document root that are no scripts, and layers around it all:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use tower_fastcgi::client::{Environment, UnknownLength};
//! use tower_fastcgi::gateway::{self, Gateway};
//! use tower_fastcgi::listener;
//! use tower_http::trace::TraceLayer;
//! use tower_layer::Layer;
//!
//! let mut environment = Environment::new();
//! environment.document_root("/var/www/html").scripts(".php", "index.php");
//! let mut builder = Gateway::builder();
//! builder.environment(environment).files("/var/www/html");
//! builder.client().unknown_length(UnknownLength::Buffer(1024 * 1024));
//! let gateway = builder.build(["unix:/run/php/php-fpm.sock"])?;
//!
//! let listener = listener::bind("127.0.0.1:8080").await?;
//! gateway::serve(listener, TraceLayer::new_for_http().layer(gateway)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What the application is told
//!
//! | param | says |
//! |---|---|
//! | REMOTE_ADDR, REMOTE_PORT | the client's end of the connection, as the operating system tells it; missing on a Unix socket |
//! | SERVER_ADDR, SERVER_PORT | the gateway's end of it |
//! | SERVER_NAME | the host that the client names, unless [`Environment::server_name`](crate::client::Environment::server_name) says |
//! | SERVER_PROTOCOL | `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0` |
//! | REQUEST_URI, QUERY_STRING | as the client wrote them, without a scheme and host |
//! | SCRIPT_NAME, PATH_INFO | an empty one and the whole path, decoded, unless [`Environment`](crate::client::Environment) says where the application is mounted, or which scripts there are |
//! | HTTP_* | the client's headers, without those that follow |
//!
//! An [`Environment`](crate::client::Environment) in the extensions of a request says more, and wins.
//!
//! Not passed on: headers that claim the client's address, scheme, host or path (`X-Forwarded-*`, `Forwarded`, `X-Real-IP`,
//! `True-Client-IP` and the rest of [`Forwarded::Remove`](crate::server::Forwarded::Remove)); those that concern the connection (`Connection`
//! and what it names, `Keep-Alive`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade`, `Proxy-*`), in both directions; `Expect`, which the
//! gateway answers with 100 as soon as it has a connection to an application, for FastCGI has no way to ask whether that wants the body; `Proxy`, and names with other characters than letters, digits and
//! `-`. So a WebSocket handshake arrives as a plain GET. Trailers are dropped, in both directions. Where a request has both
//! `Content-Length` and `Transfer-Encoding`, the latter counts, and [`serve`] closes the connection behind the response (RFC 9112 section 6.1).
//!
//! # What the client gets
//!
//! The application's response as it comes, or one of these, as a short text:
//!
//! | status | when |
//! |---|---|
//! | 400 | the request has no host over HTTP/1.1, more than one, a malformed one, or a path that cannot be passed on |
//! | 408 | the request's body came to a stop for [`body_timeout`](Builder::body_timeout) |
//! | 411, 413 | its length is not known, or it is too large to be gathered, where [`UnknownLength`](crate::client::UnknownLength) says so |
//! | 431 | its headers are more than the application is sent |
//! | 501 | the method is CONNECT or TRACE |
//! | 502 | no connection could be made, or the application broke the rules or closed the connection before there was a head |
//! | 503 | there are [`max_requests`](Builder::max_requests) already, no connection became free in time, or the application refused |
//! | 504 | the connection or the head of the response took too long |
//!
//! What exactly went wrong is logged, and so is what the application writes to FCGI_STDERR. A response that fails after its head breaks
//! the client's connection, or its stream over HTTP/2: it never looks complete. A client that leaves aborts its request.
//!
//! # Several applications
//!
//! Requests go to them in turn. When no connection can be made, or the application refuses the request unread, the next one is asked,
//! once each; a request of which anything was sent is never sent again. There are no health checks: one that is down costs each
//! request whose turn it is an attempt to connect.

mod body;
mod builder;
mod failure;
mod files;
mod host;
mod server;
mod service;

pub use self::body::ResponseBody;
pub use self::builder::Builder;
pub use self::server::{Serve, serve};
pub use self::service::{Gateway, ResponseFuture};
