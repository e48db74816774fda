//! What `serve` tells each request of the connection it came on.

mod in_memory;
mod web_server;

use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::{TcpListener, TcpStream};
use tower_fastcgi::listener::{AnyAddr, Peer, bind};
use tower_fastcgi::{Transport, serve};

use self::in_memory::InMemory;
use self::web_server::WebServer;

/// Answers with the two things that a transport tells.
fn telling() -> Router {
    let tell = async |Extension(transport): Extension<Transport>| {
        format!("{:?} {:?}", transport.peer(), transport.listener_addr())
    };
    Router::new().route("/", get(tell))
}

#[tokio::test]
async fn over_tcp_it_is_both_addresses() {
    let any = bind("127.0.0.1:0").await.unwrap();
    let AnyAddr::Tcp(any_addr) = any.local_addr().unwrap() else { panic!("not TCP") };
    let tokios = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tokios_addr = tokios.local_addr().unwrap();
    tokio::spawn(serve(any, telling()).into_future());
    tokio::spawn(serve(tokios, telling()).into_future());
    for address in [any_addr, tokios_addr] {
        let io = TcpStream::connect(address).await.unwrap();
        let peer = Peer::Tcp(io.local_addr().unwrap());
        let expected = format!("{peer:?} {:?}", Some(AnyAddr::Tcp(address)));
        let mut web_server = WebServer::kept(io);
        for _ in 0..2 {
            assert_eq!(web_server.get("/").await.body(), &expected);
        }
    }
}

#[tokio::test]
async fn of_a_listener_that_tells_nothing_nothing_is_told() {
    let (listener, network) = InMemory::new();
    tokio::spawn(serve(listener, telling()).into_future());
    assert_eq!(WebServer::new(network.connect()).get("/").await.body(), "Unknown None");
}

#[cfg(unix)]
#[tokio::test]
async fn over_a_unix_socket_it_is_the_process_and_the_path() {
    use std::os::unix::fs::MetadataExt;
    use tokio::net::{UnixListener, UnixStream};

    let directory = tempfile::tempdir().unwrap();
    let owner = std::fs::metadata(directory.path()).unwrap();
    let any_path = directory.path().join("any.sock");
    let tokios_path = directory.path().join("tokios.sock");
    let any = bind(&format!("unix:{}", any_path.display())).await.unwrap();
    let tokios = UnixListener::bind(&tokios_path).unwrap();
    tokio::spawn(serve(any, telling()).into_future());
    tokio::spawn(serve(tokios, telling()).into_future());
    for path in [any_path, tokios_path] {
        let mut web_server = WebServer::new(UnixStream::connect(&path).await.unwrap());
        let response = web_server.get("/").await;
        let pid = std::process::id();
        let (uid, gid) = (owner.uid(), owner.gid());
        assert_eq!(
            response.body(),
            &format!(
                "Unix(Credentials {{ uid: {uid}, gid: {gid}, pid: Some({pid}) }}) {:?}",
                Some(AnyAddr::Unix(Some(path)))
            )
        );
    }
}
