//! `fd:0`.

use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use libtest_mimic::Trial;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;

use crate::passing::{Running, TcpPlace, UnixPlace, application, failure, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("stdin::a_unix_socket_is_served", a_unix_socket_is_served),
        trial("stdin::a_tcp_socket_is_served", a_tcp_socket_is_served),
        trial("stdin::the_path_stays_at_the_end", the_path_stays_at_the_end),
        trial("stdin::anything_else_is_an_error", anything_else_is_an_error),
        trial("stdin::listed_web_servers_may_connect", listed_web_servers_may_connect),
        trial("stdin::others_are_closed_at_once", others_are_closed_at_once),
        trial("stdin::a_wrong_list_is_an_error", a_wrong_list_is_an_error),
        trial("stdin::a_list_is_an_error_on_a_unix_socket", a_list_is_an_error_on_a_unix_socket),
    ]
}

const WEB_SERVERS: &str = "FCGI_WEB_SERVER_ADDRS";

async fn a_unix_socket_is_served() {
    let place = UnixPlace::new();
    let mut command = application("fd:0");
    command.stdin(place.socket());
    let _running = Running::start(command);
    for _ in 0..3 {
        assert_eq!(place.get("/").await, "0 fd:0");
    }
}

async fn a_tcp_socket_is_served() {
    for ip in ["127.0.0.1", "::1"] {
        let place = TcpPlace::new(ip);
        let mut command = application("fd:0");
        command.stdin(place.socket());
        let _running = Running::start(command);
        assert_eq!(place.get("/").await, "0 fd:0");
    }
}

async fn the_path_stays_at_the_end() {
    let place = UnixPlace::new();
    let mut command = application("fd:0");
    command.stdin(place.socket());
    let running = Running::start(command);
    place.get("/").await;
    assert!(running.stop().await.success());
    assert!(place.path().exists());
}

async fn anything_else_is_an_error() {
    let null = std::fs::File::open("/dev/null").unwrap().into();
    let connected = UnixStream::pair().unwrap().0.into();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let bound = bound.as_fd().try_clone_to_owned().unwrap();
    let cases: [OwnedFd; 4] = [null, connected, datagrams, bound];
    for stdin in cases {
        let mut command = application("fd:0");
        command.stdin(stdin);
        let text = failure(command).await;
        assert!(
            text.contains("InvalidInput: cannot listen on fd:0: standard input is not"),
            "{text}"
        );
        assert!(text.contains("spawn-fcgi"), "{text}");
    }
}

async fn listed_web_servers_may_connect() {
    let place = TcpPlace::new("127.0.0.1");
    let mut command = application("fd:0");
    command.stdin(place.socket()).env(WEB_SERVERS, "192.0.2.1,127.0.0.1");
    let _running = Running::start(command);
    assert_eq!(place.get("/").await, "0 fd:0");
}

async fn others_are_closed_at_once() {
    let place = TcpPlace::new("127.0.0.1");
    let mut command = application("fd:0");
    command.stdin(place.socket()).env(WEB_SERVERS, "192.0.2.1,::1");
    let _running = Running::start(command);
    for _ in 0..2 {
        assert_eq!(place.connect().await.read(&mut [0]).await.unwrap(), 0);
    }
}

async fn a_wrong_list_is_an_error() {
    for (list, wrong) in [("", r#""""#), ("127.0.0.1,localhost", "localhost")] {
        let mut command = application("fd:0");
        command.stdin(TcpPlace::new("127.0.0.1").socket()).env(WEB_SERVERS, list);
        let text = failure(command).await;
        assert!(text.contains("InvalidInput") && text.contains(WEB_SERVERS), "{text}");
        assert!(text.contains(wrong), "{text}");
    }
}

async fn a_list_is_an_error_on_a_unix_socket() {
    let mut command = application("fd:0");
    command.stdin(UnixPlace::new().socket()).env(WEB_SERVERS, "127.0.0.1");
    let text = failure(command).await;
    assert!(text.contains("InvalidInput") && text.contains(WEB_SERVERS), "{text}");
}
