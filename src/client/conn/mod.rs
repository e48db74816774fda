//! One connection to a FastCGI application, on any runtime.
//!
//! [`handshake`] turns a transport into a [`SendRequest`], which takes requests, and a [`Connection`], a future that must be polled
//! for anything to happen, in the way of hyper's `client::conn::http1`. The transport implements [`hyper::rt::Read`] and
//! [`hyper::rt::Write`]; for tokio's, wrap it in `hyper_util::rt::TokioIo`.
//!
//! # Examples
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use hyper_util::rt::TokioIo;
//! use tokio::net::TcpStream;
//! use tower_fastcgi::client::conn;
//!
//! let io = TokioIo::new(TcpStream::connect("127.0.0.1:9000").await?);
//! let (mut send_request, connection) = conn::handshake(io).await?;
//! tokio::spawn(connection);
//!
//! let request = http::Request::get("/").body(String::new())?;
//! let response = send_request.send_request(request).await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod connection;
mod dispatch;
mod exchange;
mod gate;
mod intake;
mod reply;
mod send_request;
mod values;

use http_body::Body;
use hyper::rt::{Read, Write};

pub use self::builder::Builder;
pub use self::connection::Connection;
pub use self::send_request::{SendRequest, TrySendError};
pub use self::values::Values;
use crate::error::{BoxError, Result};

/// Makes a connection of a transport, with the default options.
///
/// # Errors
///
/// None with the default options; see [`Builder::handshake`].
pub async fn handshake<I, B>(io: I) -> Result<(SendRequest<B>, Connection<I, B>)>
where
    I: Read + Write + Unpin,
    B: Body<Error: Into<BoxError>>,
{
    Builder::new().handshake(io).await
}
