//! Who is let in, and by which tricks nobody is.

mod in_memory;
mod web_server;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower_fastcgi::listener::{AllowedPeers, AnyListener, Listener, OnlyFrom, Peer, TcpOptions};
use tower_fastcgi::serve;
use tower_fastcgi::server::{Builder, Observer};

use self::in_memory::InMemory;
use self::web_server::WebServer;

async fn within_bounds<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(10), future).await.expect("done within 10 seconds")
}

fn peers(list: &str) -> AllowedPeers {
    list.parse().unwrap()
}

/// Whether the listener closes the connection, on which a request waits already.
async fn refuses<L: Listener>(
    listener: &mut L,
    mut client: impl AsyncReadExt + AsyncWriteExt + Unpin,
) -> bool {
    let _ = within_bounds(client.write_all(b"\x01\x01\x00\x01\x00\x08\x00\x00")).await;
    let mut byte = [0];
    let outcome = async {
        tokio::select! {
            _ = listener.accept() => false,
            // With what it wrote unread, TCP is reset.
            read = client.read(&mut byte) => match read {
                Ok(read) => read == 0,
                Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            },
        }
    };
    within_bounds(outcome).await
}

async fn refuses_tcp<L: Listener>(listener: &mut L, addr: SocketAddr) -> bool {
    let client = within_bounds(TcpStream::connect(addr)).await.unwrap();
    refuses(listener, client).await
}

fn addr(listener: &AnyListener) -> SocketAddr {
    listener.local_addr().unwrap().to_string().parse().unwrap()
}

#[tokio::test]
async fn only_addresses_and_networks_on_the_list() {
    for (list, is_refused) in [
        ("192.0.2.1,127.0.0.1", false),
        ("127.0.0.0/8", false),
        ("192.0.2.1,::1", true),
        ("127.0.0.2/31", true),
        ("::/0", true),
        ("uid:0,gid:0", true),
    ] {
        let mut options = TcpOptions::new("127.0.0.1:0");
        let mut listener = options.only_from(peers(list)).bind().await.unwrap();
        let addr = addr(&listener);
        assert_eq!(refuses_tcp(&mut listener, addr).await, is_refused, "{list}");
    }
}

/// A socket of both families shows IPv4 peers as `::ffff:127.0.0.1`.
#[tokio::test]
async fn an_ipv4_peer_in_ipv6_notation_is_an_ipv4_peer() {
    for (list, is_refused) in
        [("127.0.0.0/8", false), ("::ffff:127.0.0.1", false), ("::/0", true), ("::1", true)]
    {
        let socket = TcpListener::bind("[::]:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let mut listener = OnlyFrom::new(socket, peers(list));
        let addr = ([127, 0, 0, 1], port).into();
        assert_eq!(refuses_tcp(&mut listener, addr).await, is_refused, "{list}");
    }
}

#[tokio::test]
async fn who_is_refused_keeps_nobody_out() {
    let socket = TcpListener::bind("[::]:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut listener = OnlyFrom::new(socket, peers("::1"));
    let refused = within_bounds(TcpStream::connect(("127.0.0.1", port))).await.unwrap();
    let admitted = within_bounds(TcpStream::connect(("::1", port))).await.unwrap();
    let (io, addr) = within_bounds(listener.accept()).await;
    assert_eq!(addr, admitted.local_addr().unwrap());
    assert_eq!(listener.peer(&io, &addr), Peer::Tcp(addr));
    drop(refused);
}

#[tokio::test]
async fn on_several_lists_a_peer_must_be_on_each() {
    for (first, second, is_refused) in [
        ("127.0.0.1", "127.0.0.0/8", false),
        ("127.0.0.1", "192.0.2.1", true),
        ("192.0.2.1", "127.0.0.1", true),
    ] {
        let mut options = TcpOptions::new("127.0.0.1:0");
        let listener = options.only_from(peers(first)).bind().await.unwrap();
        let mut listener = listener.only_from(peers(second));
        let addr = addr(&listener);
        assert_eq!(refuses_tcp(&mut listener, addr).await, is_refused, "{first} {second}");
    }
}

#[tokio::test]
async fn an_empty_list_admits_nobody() {
    let mut options = TcpOptions::new("127.0.0.1:0");
    let mut listener = options.only_from(AllowedPeers::new()).bind().await.unwrap();
    let addr = addr(&listener);
    assert!(refuses_tcp(&mut listener, addr).await);
}

/// A listener that does not say who its peers are can admit none.
#[tokio::test]
async fn an_unknown_peer_is_on_no_list() {
    let (listener, network) = InMemory::new();
    let everybody = peers("0.0.0.0/0,::/0,uid:0,gid:0");
    let mut listener = OnlyFrom::new(listener, everybody);
    assert!(refuses(&mut listener, network.connect()).await);
}

/// What an application tells of its connections.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Told {
    fn add(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }
}

impl Observer for Told {
    fn connection_refused(&self) {
        self.add("refused");
    }

    fn connection_opened(&self) {
        self.add("opened");
    }

    fn request_began(&self) {
        self.add("began");
    }
}

/// A whole request waits when the connection is accepted, and nobody looks at it.
#[tokio::test]
async fn what_a_refused_peer_sends_reaches_nobody() {
    let told = Told::default();
    let app = Router::new().fallback({
        let told = told.clone();
        async move || told.add("handled")
    });
    let mut builder = Builder::new();
    builder.observer(told.clone());
    let socket = TcpListener::bind("[::]:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let listener = OnlyFrom::new(OnlyFrom::new(socket, peers("::1,127.0.0.1")), peers("::1"));
    let server = tokio::spawn(serve(listener, app).with_builder(builder).into_future());

    for _ in 0..2 {
        let mut refused = within_bounds(TcpStream::connect(("127.0.0.1", port))).await.unwrap();
        let request = WebServer::new(tokio::io::empty()).head(&Request::new(Bytes::new()));
        let _ = within_bounds(refused.write_all(&request)).await;
        let mut answer = Vec::new();
        // With what it wrote unread, TCP is reset.
        let _ = within_bounds(refused.read_to_end(&mut answer)).await;
        assert!(answer.is_empty());
    }
    let admitted = within_bounds(TcpStream::connect(("::1", port))).await.unwrap();
    assert_eq!(WebServer::new(admitted).get("/").await.status(), 200);
    assert_eq!(*told.0.lock().unwrap(), ["refused", "refused", "opened", "began", "handled"]);
    server.abort();
}

#[tokio::test]
async fn the_listeners_of_bind_tell_whom_they_refuse() {
    let told = Told::default();
    let mut builder = Builder::new();
    builder.observer(told.clone());
    let mut options = TcpOptions::new("127.0.0.1:0");
    let listener = options.only_from(peers("192.0.2.1")).bind().await.unwrap();
    let addr = addr(&listener);
    let app: Router = Router::new();
    let server = tokio::spawn(serve(listener, app).with_builder(builder).into_future());
    let mut client = within_bounds(TcpStream::connect(addr)).await.unwrap();
    assert_eq!(within_bounds(client.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(*told.0.lock().unwrap(), ["refused"]);
    server.abort();
}

/// A connection that is refused is there whenever one is asked for.
struct Flood;

impl Listener for Flood {
    type Io = tokio::io::DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (tokio::io::DuplexStream, ()) {
        (tokio::io::duplex(1).0, ())
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_flood_of_refused_connections_leaves_others_their_turn() {
    let mut listener = OnlyFrom::new(Flood, peers("127.0.0.1"));
    tokio::select! {
        biased;
        _ = listener.accept() => panic!("a connection that is refused"),
        () = std::future::ready(()) => {}
    }
}

#[cfg(unix)]
mod unix {
    use rustix::process::{getegid, geteuid};
    use tokio::net::{UnixListener, UnixStream};
    use tower_fastcgi::listener::bind;

    use super::*;

    fn own_uid() -> u32 {
        geteuid().as_raw()
    }

    fn own_gid() -> u32 {
        getegid().as_raw()
    }

    #[tokio::test]
    async fn only_users_and_groups_on_the_list() {
        let [uid, gid] = [own_uid(), own_gid()];
        for (list, is_refused) in [
            (format!("uid:{uid}"), false),
            (format!("gid:{gid}"), false),
            (format!("uid:{},gid:{gid}", uid + 1), false),
            (format!("uid:{},gid:{}", uid + 1, gid + 1), true),
            ("127.0.0.1,0.0.0.0/0,::/0".into(), true),
        ] {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join("app.sock");
            let listener = bind(&format!("unix:{}", path.display())).await.unwrap();
            let mut listener = listener.only_from(peers(&list));
            let client = within_bounds(UnixStream::connect(&path)).await.unwrap();
            assert_eq!(refuses(&mut listener, client).await, is_refused, "{list}");
        }
    }

    #[tokio::test]
    async fn tokios_listener_too() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("app.sock");
        let socket = UnixListener::bind(&path).unwrap();
        let mut listener = OnlyFrom::new(socket, AllowedPeers::new().uid(own_uid() + 1));
        let client = within_bounds(UnixStream::connect(&path)).await.unwrap();
        assert!(refuses(&mut listener, client).await);
    }

    /// It has no file, so no mode keeps anybody out, and a client may call its own end what it likes.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn on_an_abstract_socket_the_name_of_the_peer_counts_for_nothing() {
        for (uid, is_refused) in [(own_uid(), false), (own_uid() + 1, true)] {
            let listening = tokio::net::UnixSocket::new_stream().unwrap();
            let name = format!("\0tower-fastcgi-{}-{uid}", std::process::id());
            listening.bind(&name).unwrap();
            let mut listener =
                OnlyFrom::new(listening.listen(8).unwrap(), AllowedPeers::new().uid(uid));
            let connecting = tokio::net::UnixSocket::new_stream().unwrap();
            connecting.bind(format!("{name}/uid:{uid}/127.0.0.1")).unwrap();
            let client = within_bounds(connecting.connect(&name)).await.unwrap();
            assert_eq!(refuses(&mut listener, client).await, is_refused, "{uid}");
        }
    }
}
