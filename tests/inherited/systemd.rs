//! `systemd` and `systemd:NAME`, with sockets passed as systemd passes them.

use std::net::UdpSocket;
use std::process::Command;

use libtest_mimic::Trial;

use crate::application::{EXAMPLE, FORGETFUL};
use crate::passing::{Running, TcpPlace, UnixPlace, activated, application, failure, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("systemd::one_socket_needs_no_name", one_socket_needs_no_name),
        trial("systemd::the_variables_are_taken_away", the_variables_are_taken_away),
        trial("systemd::sockets_have_names", sockets_have_names),
        trial("systemd::one_name_for_two_is_one_after_the_other", one_name_for_two),
        trial("systemd::two_without_a_name_are_an_error", two_without_a_name),
        trial("systemd::a_name_that_is_not_there_is_an_error", a_name_that_is_not_there),
        trial("systemd::a_socket_is_had_once", a_socket_is_had_once),
        trial("systemd::no_socket_is_an_error", no_socket_is_an_error),
        trial("systemd::those_of_another_process_are_left_alone", those_of_another_process),
        trial("systemd::datagrams_are_an_error", datagrams_are_an_error),
        trial("systemd::not_to_ask_is_an_error", not_to_ask_is_an_error),
        trial("systemd::a_restart_of_the_example_loses_nothing", a_restart_of_the_example),
    ]
}

async fn one_socket_needs_no_name() {
    for names in [None, Some("app")] {
        let place = UnixPlace::new();
        let _running = Running::start(named(activated("systemd", [place.socket()]), names));
        assert_eq!(place.get("/").await, "0 systemd");
    }
    let place = TcpPlace::new("127.0.0.1");
    let _running = Running::start(activated("systemd:unknown", [place.socket()]));
    assert_eq!(place.get("/").await, "0 systemd:unknown");
}

async fn the_variables_are_taken_away() {
    let place = UnixPlace::new();
    let _running = Running::start(activated("systemd", [place.socket()]));
    assert_eq!(place.get("/environment").await, "");
    assert_eq!(place.get("/inherited").await, "1");
}

async fn sockets_have_names() {
    let (unix, tcp) = (UnixPlace::new(), TcpPlace::new("127.0.0.1"));
    let command = activated("systemd:admin,systemd:web", [unix.socket(), tcp.socket()]);
    let _running = Running::start(named(command, Some("web:admin")));
    assert_eq!(unix.get("/").await, "1 systemd:web");
    assert_eq!(tcp.get("/").await, "0 systemd:admin");
}

async fn one_name_for_two() {
    let (unix, tcp) = (UnixPlace::new(), TcpPlace::new("127.0.0.1"));
    let command = activated("systemd:app,systemd:app", [unix.socket(), tcp.socket()]);
    let _running = Running::start(named(command, Some("app:app")));
    assert_eq!(unix.get("/").await, "0 systemd:app");
    assert_eq!(tcp.get("/").await, "1 systemd:app");
}

async fn two_without_a_name() {
    let sockets = || [UnixPlace::new().socket(), UnixPlace::new().socket()];
    let text = failure(named(activated("systemd", sockets()), Some("web:admin"))).await;
    assert!(text.contains("InvalidInput: cannot listen on systemd: "), "{text}");
    assert!(text.contains("systemd:web, systemd:admin"), "{text}");

    let text = failure(activated("systemd", sockets())).await;
    assert!(text.contains("systemd:unknown, systemd:unknown"), "{text}");
}

async fn a_name_that_is_not_there() {
    let command = activated("systemd:admin", [UnixPlace::new().socket()]);
    let text = failure(named(command, Some("web"))).await;
    assert!(text.contains("NotFound: cannot listen on systemd:admin: "), "{text}");
    assert!(text.contains("systemd:web"), "{text}");
}

async fn a_socket_is_had_once() {
    let text = failure(activated("systemd,systemd", [UnixPlace::new().socket()])).await;
    assert!(text.contains("AddrInUse"), "{text}");
}

async fn no_socket_is_an_error() {
    for address in ["systemd", "systemd:app"] {
        let text = failure(application(address)).await;
        assert!(text.contains(&format!("NotFound: cannot listen on {address}: ")), "{text}");
        assert!(text.contains(".socket unit"), "{text}");
    }
}

async fn those_of_another_process() {
    let mut command = application("systemd");
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let text = failure(command).await;
    assert!(text.contains("NotFound: cannot listen on systemd: "), "{text}");
}

async fn datagrams_are_an_error() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let text = failure(activated("systemd", [socket.into()])).await;
    assert!(text.contains("InvalidInput") && text.contains("ListenStream="), "{text}");
}

async fn not_to_ask_is_an_error() {
    let mut command = activated("systemd", [UnixPlace::new().socket()]);
    command.env(FORGETFUL, "1");
    let text = failure(command).await;
    assert!(text.contains("listener::inherited() was not called"), "{text}");
}

async fn a_restart_of_the_example() {
    let place = UnixPlace::new();
    let first = Running::start(activated(EXAMPLE, [place.socket()]));
    assert_eq!(place.get("/").await, "Hello from a socket that systemd opened!\n");
    assert!(first.stop().await.success());

    let mut waiting = place.web_server().await;
    let request = http::Request::get("/").body(bytes::Bytes::new()).unwrap();
    waiting.send(&request).await;
    let _second = Running::start(activated(EXAMPLE, [place.socket()]));
    assert_eq!(waiting.response().await.body(), "Hello from a socket that systemd opened!\n");
}

fn named(mut command: Command, names: Option<&str>) -> Command {
    if let Some(names) = names {
        command.env("LISTEN_FDNAMES", names);
    }
    command
}
