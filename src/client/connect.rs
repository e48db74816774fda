use std::fmt;
use std::io::{self, IoSlice};
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Makes connections to an application.
///
/// [`Address`] is one, and so is a function that returns a future of a transport.
pub trait Connect: Send + Sync + 'static {
    /// The transport.
    type Io: Read + Write + Unpin + Send + 'static;

    /// Makes one connection.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

impl<F, Fut, I> Connect for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = io::Result<I>> + Send,
    I: Read + Write + Unpin + Send + 'static,
{
    type Io = I;

    fn connect(&self) -> impl Future<Output = io::Result<I>> + Send {
        self()
    }
}

/// Where an application listens: `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000`, `unix:/run/app.sock`.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::client::Address;
///
/// let address: Address = "127.0.0.1:9000".parse()?;
/// assert_eq!(address.to_string(), "127.0.0.1:9000");
/// assert!("127.0.0.1".parse::<Address>().is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// Host and port, which are resolved with each connection.
    Tcp(Arc<str>),
    Unix(Arc<Path>),
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let names_a_file = !path.is_empty() && !path.ends_with('/') && !path.contains('\0');
            return (cfg!(unix) && names_a_file).then(|| Self(Kind::Unix(Path::new(path).into())));
        }
        let (host, port) = text.rsplit_once(':')?;
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let is_host = !host.is_empty() && (is_bracketed || !host.contains([':', '/', '[', ']']));
        (is_port && is_host).then(|| Self(Kind::Tcp(text.into())))
    }
}

impl FromStr for Address {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        Self::parse(text).ok_or_else(|| {
            let reason = format!("{text:?} is no address of an application: {FORMS}");
            io::Error::new(io::ErrorKind::InvalidInput, reason)
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(host) => host.fmt(f),
            Kind::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Connect for Address {
    type Io = AnyIo;

    async fn connect(&self) -> io::Result<AnyIo> {
        match &self.0 {
            Kind::Tcp(host) => {
                let stream = TcpStream::connect(&**host).await?;
                // Requests end with small records, which Nagle's algorithm would hold back.
                stream.set_nodelay(true)?;
                Ok(AnyIo(Stream::Tcp(TokioIo::new(stream))))
            }
            #[cfg(unix)]
            Kind::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await?;
                Ok(AnyIo(Stream::Unix(TokioIo::new(stream))))
            }
            #[cfg(not(unix))]
            Kind::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// A connection to an [`Address`].
#[derive(Debug)]
pub struct AnyIo(Stream);

#[derive(Debug)]
enum Stream {
    Tcp(TokioIo<TcpStream>),
    #[cfg(unix)]
    Unix(TokioIo<tokio::net::UnixStream>),
}

impl Read for AnyIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl Write for AnyIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

const FORMS: &str = if cfg!(unix) {
    "use IP:PORT or HOST:PORT (127.0.0.1:9000, [::1]:9000, localhost:9000), or a path (unix:/run/app.sock)"
} else {
    "use IP:PORT or HOST:PORT (127.0.0.1:9000, [::1]:9000, localhost:9000); paths (unix:/run/app.sock) are not supported on this \
     platform"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were() {
        let mut all = vec!["127.0.0.1:9000", "[::1]:9000", "localhost:0", "my_app.example.:65535"];
        if cfg!(unix) {
            all.extend(["unix:/run/app.sock", "unix:app.sock", "unix:/with:colon"]);
        }
        for text in all {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_to_write_instead() {
        for text in [
            "",
            ":",
            ":9000",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:65536",
            "::1:9000",
            "/run/app.sock",
            "unix:",
            "unix:/run/",
            "unix:a\0b",
            "http://localhost:9000",
            "a:+1",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text}");
            assert!(error.to_string().contains("127.0.0.1:9000"), "{error}");
        }
    }
}
