use std::io::{self, IoSlice, Read, Write};
use std::mem::replace;
use std::net::Shutdown;
use std::os::unix::net;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream as ReadWrite;
use tokio::runtime::Handle;

use super::{Credentials, Peer};
use crate::waker;

/// A connection to a Unix socket.
///
/// Linux reports that such a socket is writable each time the other end has read from it, so whoever asks for that wakes twice for
/// a request: when the web server has taken the last response, for nothing, and when it sends the next request. Once a
/// connection waits for that one, it asks no more for anything but to read, until a write finds the socket full. (Of a TCP socket
/// nothing is reported that no write has waited for.)
#[derive(Debug)]
pub(super) struct UnixStream {
    registration: Registration,
    /// The one that it was accepted in, whichever polls it.
    runtime: Handle,
    peer: Option<Credentials>,
    has_written: bool,
    /// A write has found it full, or nothing more is to be written.
    stays_as_it_is: bool,
    /// Who waits to read, to be registered anew with the socket.
    reader: Option<Waker>,
}

/// What the runtime is asked to report.
#[derive(Debug)]
enum Registration {
    ReadWrite(ReadWrite),
    Read(AsyncFd<net::UnixStream>),
    /// It could not be changed.
    Failed,
}

impl UnixStream {
    /// To be called in the runtime that `io` was made in.
    pub(super) fn new(io: ReadWrite) -> Self {
        let peer = peer(&io);
        Self {
            registration: Registration::ReadWrite(io),
            runtime: Handle::current(),
            peer,
            has_written: false,
            stays_as_it_is: false,
            reader: None,
        }
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer.map_or(Peer::Unknown, Peer::Unix)
    }

    /// Whether this is a web server's connection that is kept, as far as can be told.
    fn may_narrow(&self) -> bool {
        REPORTS_EACH_READ && self.has_written && !self.stays_as_it_is
    }

    /// Asks to read only.
    // What tokio wants instead is unsafe, for the sake of types that do not own what they give it; this one does.
    #[allow(deprecated)]
    fn narrow(&mut self) -> io::Result<()> {
        self.stays_as_it_is = true;
        if let Registration::ReadWrite(io) = self.take_registration() {
            let _entered = self.runtime.enter();
            let io = AsyncFd::with_interest(io.into_std()?, Interest::READABLE)?;
            self.registration = Registration::Read(io);
        }
        Ok(())
    }

    /// Asks for everything again.
    fn widen(&mut self) -> io::Result<()> {
        let Registration::Read(io) = self.take_registration() else { return Ok(()) };
        let _entered = self.runtime.enter();
        let widened = ReadWrite::from_std(io.into_inner());
        if let Some(reader) = self.reader.take() {
            let cx = &mut Context::from_waker(&reader);
            if !widened.as_ref().is_ok_and(|io| io.poll_read_ready(cx).is_pending()) {
                reader.wake();
            }
        }
        self.registration = Registration::ReadWrite(widened?);
        Ok(())
    }

    fn take_registration(&mut self) -> Registration {
        replace(&mut self.registration, Registration::Failed)
    }

    /// Writes in the one way or the other.
    fn poll_write_by(
        &mut self,
        read_write: impl FnOnce(Pin<&mut ReadWrite>) -> Poll<io::Result<usize>>,
        read: impl FnOnce(&net::UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if let Registration::Read(io) = &self.registration {
            match read(io.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.widen()?,
                written => return Poll::Ready(written),
            }
        }
        let Registration::ReadWrite(io) = &mut self.registration else { return failed() };
        let polled = read_write(Pin::new(io));
        self.has_written = true;
        self.stays_as_it_is |= polled.is_pending();
        polled
    }
}

impl AsyncRead for UnixStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Registration::ReadWrite(io) = &mut self.registration {
            let polled = Pin::new(io).poll_read(cx, buf);
            if polled.is_ready() || !self.may_narrow() {
                return polled;
            }
            self.narrow()?;
        }
        let Registration::Read(io) = &self.registration else { return failed() };
        let polled = poll_read(io, cx, buf);
        if polled.is_pending() {
            waker::keep(&mut self.reader, cx);
        }
        polled
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_by(|io| io.poll_write(cx, buf), |mut io| io.write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_by(|io| io.poll_write_vectored(cx, bufs), |mut io| io.write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stays_as_it_is = true;
        match &mut self.registration {
            Registration::ReadWrite(io) => Pin::new(io).poll_shutdown(cx),
            Registration::Read(io) => Poll::Ready(io.get_ref().shutdown(Shutdown::Write)),
            Registration::Failed => failed(),
        }
    }
}

fn peer(io: &ReadWrite) -> Option<Credentials> {
    let credentials = io.peer_cred().ok()?;
    Some(Credentials { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() })
}

fn poll_read(
    io: &AsyncFd<net::UnixStream>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let mut ready = ready!(io.poll_read_ready(cx))?;
        let initialized = buf.initialized().len() - buf.filled().len();
        let most = initialized.max(CLEARED_LEN.min(buf.remaining()));
        match io.get_ref().read(buf.initialize_unfilled_to(most)) {
            Ok(len) => {
                // There is no more: what comes then is reported.
                if 0 < len && len < most {
                    ready.clear_ready();
                }
                buf.advance(len);
                return Poll::Ready(Ok(()));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

fn failed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

const REPORTS_EACH_READ: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// So much of a buffer is cleared to read into it, if it was not before.
const CLEARED_LEN: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
    use tokio::runtime::Builder;
    use tokio::task::{spawn, spawn_blocking};
    use tokio::time::timeout;

    use super::*;

    fn pair() -> (UnixStream, ReadWrite) {
        let (io, peer) = ReadWrite::pair().unwrap();
        (UnixStream::new(io), peer)
    }

    /// The state of a connection that has answered a request and waits for the next one.
    async fn narrowed() -> (UnixStream, ReadWrite) {
        let (mut io, mut peer) = pair();
        io.write_all(b"answer").await.unwrap();
        assert!(is_read_pending(&mut io));
        assert_eq!(asks_to_read_only(&io), REPORTS_EACH_READ);
        peer.read_exact(&mut [0; 6]).await.unwrap();
        (io, peer)
    }

    fn is_read_pending(io: &mut UnixStream) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        Pin::new(io).poll_read(cx, &mut ReadBuf::new(&mut [0])).is_pending()
    }

    fn asks_to_read_only(io: &UnixStream) -> bool {
        matches!(io.registration, Registration::Read(..))
    }

    fn an_ended_runtime() -> Handle {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.handle().clone()
    }

    async fn soon<T>(future: impl Future<Output = T>) -> T {
        timeout(Duration::from_secs(20), future).await.expect("somebody is woken")
    }

    #[tokio::test]
    async fn before_the_first_write_and_after_the_last_it_stays_as_it_is() {
        let (mut io, _peer) = pair();
        assert!(is_read_pending(&mut io));
        assert!(!asks_to_read_only(&io));
        io.write_all(b"answer").await.unwrap();
        io.shutdown().await.unwrap();
        assert!(is_read_pending(&mut io));
        assert!(!asks_to_read_only(&io));
    }

    #[tokio::test]
    async fn what_comes_is_read_and_answered() {
        let (mut io, mut peer) = narrowed().await;
        let echo = spawn(async move {
            while let Ok(byte) = io.read_u8().await {
                io.write_u8(byte).await.unwrap();
            }
            io
        });
        for byte in 0..100 {
            peer.write_u8(byte).await.unwrap();
            assert_eq!(soon(peer.read_u8()).await.unwrap(), byte);
        }
        peer.shutdown().await.unwrap();
        let mut io = soon(echo).await.unwrap();
        assert_eq!(asks_to_read_only(&io), REPORTS_EACH_READ);
        io.shutdown().await.unwrap();
        assert_eq!(soon(peer.read(&mut [0])).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn buffers_are_written_in_their_order_however_many() {
        let (mut io, mut peer) = narrowed().await;
        let bytes: Vec<u8> = (0..2048).map(|i| i as u8).collect();
        let bufs: Vec<_> = bytes.chunks(1).map(IoSlice::new).collect();
        let written = io.write_vectored(&bufs).await.unwrap();
        assert!(written > 1);
        io.write_all(&bytes[written..]).await.unwrap();
        let mut received = vec![0; bytes.len()];
        soon(peer.read_exact(&mut received)).await.unwrap();
        assert_eq!(received, bytes);
    }

    #[tokio::test]
    async fn what_a_read_leaves_is_there_for_the_next() {
        let (mut io, mut peer) = narrowed().await;
        let bytes: Vec<u8> = (0..3 * CLEARED_LEN).map(|i| i as u8).collect();
        for room in [1, 1000, 2 * CLEARED_LEN] {
            peer.write_all(&bytes).await.unwrap();
            let mut received = Vec::new();
            while received.len() < bytes.len() {
                let mut part = Vec::with_capacity(room);
                soon(io.read_buf(&mut part)).await.unwrap();
                received.append(&mut part);
            }
            assert_eq!(received, bytes);
        }
    }

    /// It has not waited to read before.
    #[tokio::test]
    async fn whoever_writes_to_a_full_socket_is_woken_though_another_reads() {
        let (io, mut peer) = pair();
        let (mut reader, mut writer) = split(io);
        let writing = spawn(async move {
            writer.write_all(&vec![7; 4 << 20]).await.unwrap();
            writer
        });
        tokio::task::yield_now().await;
        let reading = spawn(async move { reader.read_u8().await.unwrap() });
        tokio::task::yield_now().await;
        soon(peer.read_exact(&mut vec![0; 4 << 20])).await.unwrap();
        soon(writing).await.unwrap();
        peer.write_u8(1).await.unwrap();
        assert_eq!(soon(reading).await.unwrap(), 1);
    }

    /// The other end takes nothing before it has sent something.
    #[tokio::test]
    async fn whoever_reads_is_woken_though_another_writes_to_a_full_socket() {
        let (io, mut peer) = narrowed().await;
        let (mut reader, mut writer) = split(io);
        let reading = spawn(async move { reader.read_u8().await.unwrap() });
        tokio::task::yield_now().await;
        let body = vec![7; 4 << 20];
        let writing = spawn(async move {
            writer.write_all(&body).await.unwrap();
            writer
        });
        tokio::task::yield_now().await;
        peer.write_u8(1).await.unwrap();
        assert_eq!(soon(reading).await.unwrap(), 1);
        assert!(!writing.is_finished());
        let mut received = vec![0; 4 << 20];
        soon(peer.read_exact(&mut received)).await.unwrap();
        assert!(received.iter().all(|&byte| byte == 7));
        soon(writing).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_reads_is_woken_though_the_registration_failed() {
        let (mut io, _peer) = narrowed().await;
        // As if the system had no more room for registrations.
        io.runtime = spawn_blocking(an_ended_runtime).await.unwrap();
        let (mut reader, mut writer) = split(io);
        let reading = spawn(async move { reader.read_u8().await.unwrap_err() });
        tokio::task::yield_now().await;
        soon(writer.write_all(&vec![7; 4 << 20])).await.unwrap_err();
        assert_eq!(soon(reading).await.unwrap().kind(), io::ErrorKind::NotConnected);
    }

    #[tokio::test]
    async fn a_socket_that_was_full_stays_as_it_is() {
        let (mut io, mut peer) = narrowed().await;
        let writing = spawn(async move {
            io.write_all(&vec![7; 4 << 20]).await.unwrap();
            io
        });
        soon(peer.read_exact(&mut vec![0; 4 << 20])).await.unwrap();
        let mut io = soon(writing).await.unwrap();
        assert!(is_read_pending(&mut io));
        assert!(!asks_to_read_only(&io));
        peer.write_u8(1).await.unwrap();
        assert_eq!(soon(io.read_u8()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn to_write_to_one_who_has_gone_is_an_error() {
        let (mut io, peer) = narrowed().await;
        drop(peer);
        let error = io.write_all(b"answer").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(soon(io.read(&mut [0])).await.unwrap(), 0);
    }

    #[test]
    fn it_can_be_polled_outside_of_its_runtime() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (mut io, peer) = runtime.block_on(narrowed());
        let mut peer = peer.into_std().unwrap();
        let cx = &mut Context::from_waker(Waker::noop());
        let body = [7; 64 << 10];
        let mut written = 0;
        while let Poll::Ready(len) = Pin::new(&mut io).poll_write(cx, &body) {
            written += len.unwrap();
        }
        assert!(written > 0 && !asks_to_read_only(&io));
        assert!(is_read_pending(&mut io));
        peer.set_nonblocking(false).unwrap();
        peer.write_all(&[1]).unwrap();
        peer.read_exact(&mut vec![0; written]).unwrap();
        let (byte, len) = runtime.block_on(soon(async {
            (io.read_u8().await.unwrap(), io.write(&body).await.unwrap())
        }));
        assert_eq!((byte, len), (1, body.len()));
    }

    /// That by which it is polled may do no IO, or end before it does.
    #[test]
    fn it_stays_with_the_runtime_that_it_was_accepted_in() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let without_io = || Builder::new_current_thread().build().unwrap();
        let short_lived = || Builder::new_current_thread().enable_all().build().unwrap();
        for other in [None, Some(without_io()), Some(short_lived())] {
            let (mut io, mut peer) = runtime.block_on(async { pair() });
            let entered = other.as_ref().map(|other| other.enter());
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut io).poll_write(cx, b"answer").is_ready());
            assert!(is_read_pending(&mut io));
            assert_eq!(asks_to_read_only(&io), REPORTS_EACH_READ);
            drop(entered);
            drop(other);
            runtime.block_on(soon(async {
                peer.write_u8(1).await.unwrap();
                assert_eq!(io.read_u8().await.unwrap(), 1);
            }));
        }
    }
}
