//! Requests to FastCGI applications: php-fpm, Go's `net/http/fcgi`, libfcgi programs, this crate's own server.
//!
//! [`Client`] is a tower `Service` with a pool of connections, for tokio. [`conn`] sends requests on a single connection on any
//! runtime, with the look of hyper's `client::conn`.
//!
//! # Examples
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use http_body_util::BodyExt;
//! use tower_fastcgi::client::{Client, Environment};
//!
//! let mut environment = Environment::new();
//! environment.document_root("/var/www/html").scripts(".php", "index.php");
//! let client = Client::builder().environment(environment).build("unix:/run/php/php-fpm.sock")?;
//!
//! let request = http::Request::get("/hello.php?name=world").body(String::new())?;
//! let response = client.send(request).await?;
//! println!("{}", response.status());
//! let body = response.into_body().collect().await?.to_bytes();
//! # Ok(())
//! # }
//! ```
//!
//! # What is sent, and what is not
//!
//! Params are made of the request and of the [`Environment`]. What a request brings cannot pass for what the web server says:
//!
//! - Headers whose names have other characters than letters, digits and `-` are dropped: `X_User` and `X-User` would be the same
//!   param. `Proxy` is dropped, for HTTP_PROXY is what HTTP clients within the application take for their configuration.
//! - Headers that concern the client's connection (`Connection` and what it names, `Transfer-Encoding`, `TE`, `Upgrade`, ...),
//!   `Expect` and `Proxy-Authorization` are dropped.
//! - Several values of a header become one param, joined with a comma (`Cookie`: with a semicolon).
//! - CONTENT_LENGTH is the body's own length. A `Content-Length` that says otherwise is an error
//!   ([`Error::is_user`](crate::Error::is_user)).
//! - HTTPS follows from [`Environment::https`] alone, REMOTE_ADDR from [`Environment::remote_addr`].
//!
//! # What comes back
//!
//! The head is parsed as CGI wants it (RFC 3875 section 6), within limits. Without a `Status` it is 200, or 302 with a `Location`:
//! also where `Location` is a path alone, which CGI calls a local redirect and leaves to the web server to follow. This client
//! does not follow it. Hop-by-hop headers are dropped. A body that is not as long as its `Content-Length` fails
//! ([`Error::is_incomplete`](crate::Error::is_incomplete), [`Error::is_protocol`](crate::Error::is_protocol)), and so does one whose
//! FCGI_END_REQUEST never comes.
//!
//! What the application writes to FCGI_STDERR goes where [`Stderr`] says.
//!
//! # Bodies of unknown length
//!
//! PHP reads nothing of a body whose CONTENT_LENGTH is missing. [`UnknownLength`] says what to do: buffer up to a limit, refuse,
//! or stream to an application that reads to the end of FCGI_STDIN, as this crate's server does.

mod body;
pub mod conn;
#[cfg(feature = "tokio")]
mod connect;
#[cfg(feature = "tokio")]
mod pool;
#[cfg(feature = "tokio")]
mod service;
mod stderr;

pub use self::body::ResponseBody;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use self::connect::{Address, AnyIo, Connect};
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use self::service::{Builder, Client, ResponseFuture, UnknownLength};
pub use self::stderr::{Captured, Escaped, Stderr};
pub use crate::cgi::Environment;
