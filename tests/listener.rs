//! Listening on TCP.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower_fastcgi::listener::{AnyAddr, AnyListener, Listener, Peer, TcpOptions, bind};

async fn within_bounds<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(10), future).await.expect("done within 10 seconds")
}

fn tcp_addr(listener: &AnyListener) -> SocketAddr {
    match listener.local_addr().unwrap() {
        AnyAddr::Tcp(addr) => addr,
        other => panic!("a TCP address, not {other}"),
    }
}

async fn connected(
    listener: &mut AnyListener,
) -> (TcpStream, <AnyListener as Listener>::Io, AnyAddr) {
    let client = within_bounds(TcpStream::connect(tcp_addr(listener))).await.unwrap();
    let (io, addr) = within_bounds(listener.accept()).await;
    (client, io, addr)
}

#[tokio::test]
async fn binds_ipv4_ipv6_and_host_names() {
    for (address, ip) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
        let listener = bind(address).await.unwrap();
        assert_eq!(tcp_addr(&listener).ip(), ip.parse::<IpAddr>().unwrap());
    }
    let listener = bind("localhost:0").await.unwrap();
    assert!(tcp_addr(&listener).ip().is_loopback());
}

#[tokio::test]
async fn the_local_address_is_one_that_bind_takes() {
    let first = bind("127.0.0.1:0").await.unwrap();
    let address = first.local_addr().unwrap().to_string();
    drop(first);
    let second = bind(&address).await.unwrap();
    assert_eq!(second.local_addr().unwrap().to_string(), address);
}

#[tokio::test]
async fn a_bad_address_is_an_error_that_names_the_forms() {
    for address in ["", "9000", ":9000", "/run/app.sock", "unix:app.sock", "http://127.0.0.1:9000"]
    {
        let error = bind(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address:?}");
        assert!(error.to_string().contains("127.0.0.1:9000"), "{error}");
        assert!(error.to_string().contains("unix:/run/app.sock"), "{error}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let first = bind("127.0.0.1:0").await.unwrap();
    let address = first.local_addr().unwrap().to_string();
    let error = bind(&address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn accepted_sockets_do_not_delay_small_writes() {
    let mut listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let _client = within_bounds(TcpStream::connect(addr)).await.unwrap();
    let (io, _) = within_bounds(Listener::accept(&mut listener)).await;
    assert!(io.nodelay().unwrap());
}

#[tokio::test]
async fn any_listener_passes_bytes_both_ways() {
    let mut listener = bind("127.0.0.1:0").await.unwrap();
    let (mut client, mut io, _) = connected(&mut listener).await;
    assert!(io.is_write_vectored());

    client.write_all(b"ping").await.unwrap();
    let mut received = [0; 4];
    within_bounds(io.read_exact(&mut received)).await.unwrap();
    assert_eq!(&received, b"ping");

    let parts = [std::io::IoSlice::new(b"po"), std::io::IoSlice::new(b"ng")];
    assert_eq!(within_bounds(io.write_vectored(&parts)).await.unwrap(), 4);
    io.shutdown().await.unwrap();
    let mut answer = Vec::new();
    within_bounds(client.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"pong");
}

#[tokio::test]
async fn the_peer_is_the_address_of_the_other_end() {
    let mut listener = bind("127.0.0.1:0").await.unwrap();
    let (client, io, addr) = connected(&mut listener).await;
    let client_addr = client.local_addr().unwrap();
    assert_eq!(addr, AnyAddr::Tcp(client_addr));
    assert_eq!(listener.peer(&io, &addr), Peer::Tcp(client_addr));
}

#[tokio::test]
async fn abort_resets_the_connection() {
    let mut listener = AnyListener::from(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (mut client, io, _) = connected(&mut listener).await;
    listener.abort(io);
    let error = within_bounds(client.read(&mut [0; 1])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_listener_of_ones_own_needs_no_peer_and_no_abort() {
    struct Own(TcpListener);

    impl Listener for Own {
        type Io = TcpStream;
        type Addr = SocketAddr;

        async fn accept(&mut self) -> (TcpStream, SocketAddr) {
            Listener::accept(&mut self.0).await
        }

        fn local_addr(&self) -> std::io::Result<SocketAddr> {
            self.0.local_addr()
        }
    }

    let mut listener = Own(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let mut client =
        within_bounds(TcpStream::connect(listener.local_addr().unwrap())).await.unwrap();
    let (io, addr) = within_bounds(listener.accept()).await;
    assert_eq!(addr.ip(), Ipv4Addr::LOCALHOST);
    assert_eq!(listener.peer(&io, &addr), Peer::Unknown);
    listener.abort(io);
    assert_eq!(within_bounds(client.read(&mut [0; 1])).await.unwrap(), 0);
}

#[tokio::test]
async fn options_take_the_addresses_that_bind_takes() {
    for address in ["127.0.0.1:0", "[::1]:0", "localhost:0"] {
        let listener = TcpOptions::new(address).bind().await.unwrap();
        assert!(tcp_addr(&listener).ip().is_loopback());
    }
    for address in ["9000", "unix:/run/app.sock"] {
        let error = TcpOptions::new(address).bind().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(address), "{error}");
    }
}

/// The system rounds: a queue of `n` holds `n + 1`. To one that is full, Linux answers nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_backlog_is_how_many_may_wait() {
    let listener = TcpOptions::new("127.0.0.1:0").backlog(2).bind().await.unwrap();
    let addr = tcp_addr(&listener);
    let mut waiting = Vec::new();
    while let Ok(Ok(client)) = timeout(Duration::from_millis(200), TcpStream::connect(addr)).await {
        waiting.push(client);
        assert!(waiting.len() < 10, "the queue is full by now");
    }
    assert_eq!(waiting.len(), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn connections_are_spread_over_the_listeners_of_a_port_that_is_reused() {
    let mut first = TcpOptions::new("127.0.0.1:0").reuse_port(true).bind().await.unwrap();
    let address = first.local_addr().unwrap().to_string();
    let mut second = TcpOptions::new(&*address).reuse_port(true).bind().await.unwrap();
    let mut accepted = [0, 0];
    // Linux chooses by the client's port: that one listener gets all of 100 does not happen.
    for _ in 0..100 {
        let _client = within_bounds(TcpStream::connect(&address)).await.unwrap();
        let by = within_bounds(async {
            tokio::select! {
                _ = first.accept() => 0,
                _ = second.accept() => 1,
            }
        });
        accepted[by.await] += 1;
    }
    if cfg!(target_os = "linux") {
        assert!(accepted.iter().all(|&count| count > 0), "{accepted:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_port_is_not_reused_unless_all_say_so() {
    let first = TcpOptions::new("127.0.0.1:0").reuse_port(true).bind().await.unwrap();
    let address = first.local_addr().unwrap().to_string();
    let error = bind(&address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}
