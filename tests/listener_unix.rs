//! Listening on Unix sockets.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tower_fastcgi::listener::{AnyAddr, AnyIo, AnyListener, Listener, Peer, UnixOptions, bind};

async fn within_bounds<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(10), future).await.expect("done within 10 seconds")
}

/// A directory of its own, with a path for a socket in it.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("app.sock")
    }

    fn address(&self) -> String {
        format!("unix:{}", self.path().display())
    }

    /// A socket file that nobody listens on any more.
    fn leave_stale_socket(&self) {
        drop(std::os::unix::net::UnixListener::bind(self.path()).unwrap());
    }

    fn file_names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

async fn connected(listener: &mut AnyListener, path: &Path) -> (UnixStream, AnyIo, AnyAddr) {
    let client = within_bounds(UnixStream::connect(path)).await.unwrap();
    let (io, addr) = within_bounds(listener.accept()).await;
    (client, io, addr)
}

#[tokio::test]
async fn passes_bytes_both_ways() {
    let place = Place::new();
    let mut listener = bind(&place.address()).await.unwrap();
    let (mut client, mut io, _) = connected(&mut listener, &place.path()).await;
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
async fn the_local_address_is_the_path_it_was_bound_to() {
    let place = Place::new();
    let listener = bind(&place.address()).await.unwrap();
    assert_eq!(listener.local_addr().unwrap(), AnyAddr::Unix(Some(place.path())));
    assert_eq!(listener.local_addr().unwrap().to_string(), place.address());
}

#[tokio::test]
async fn the_path_is_removed_at_drop_and_nothing_else_is_left() {
    let place = Place::new();
    let listener = bind(&place.address()).await.unwrap();
    assert_eq!(place.file_names(), ["app.sock"]);
    drop(listener);
    assert!(place.file_names().is_empty());
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let place = Place::new();
    place.leave_stale_socket();
    let mut listener = bind(&place.address()).await.unwrap();
    connected(&mut listener, &place.path()).await;
}

#[tokio::test]
async fn a_socket_that_is_listened_on_is_left_alone() {
    let place = Place::new();
    let mut first = bind(&place.address()).await.unwrap();
    let error = bind(&place.address()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&place.address()), "{error}");
    assert_eq!(place.file_names(), ["app.sock"]);

    // The first in the queue is the question whether anybody listens.
    within_bounds(first.accept()).await;
    connected(&mut first, &place.path()).await;
}

#[tokio::test]
async fn a_socket_with_a_full_queue_is_left_alone() {
    let place = Place::new();
    let socket = tokio::net::UnixSocket::new_stream().unwrap();
    socket.bind(place.path()).unwrap();
    let _listener = socket.listen(0).unwrap();
    let mut queued = Vec::new();
    while let Ok(client) = within_bounds(UnixStream::connect(place.path())).await {
        queued.push(client);
        assert!(queued.len() < 10, "the queue is full by now");
    }
    let error = bind(&place.address()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_file_that_is_not_a_socket_is_left_alone() {
    let place = Place::new();
    fs::write(place.path(), "precious").unwrap();
    let error = bind(&place.address()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("not a socket"), "{error}");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "precious");
}

#[tokio::test]
async fn a_link_to_a_socket_is_left_alone() {
    let place = Place::new();
    let elsewhere = place.directory.path().join("elsewhere.sock");
    drop(std::os::unix::net::UnixListener::bind(&elsewhere).unwrap());
    std::os::unix::fs::symlink(&elsewhere, place.path()).unwrap();
    let error = bind(&place.address()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(fs::symlink_metadata(place.path()).unwrap().is_symlink());
}

#[tokio::test]
async fn a_missing_directory_is_an_error() {
    let place = Place::new();
    let address = format!("unix:{}/missing/app.sock", place.directory.path().display());
    let error = bind(&address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn a_path_that_nobody_could_connect_to_is_an_error() {
    let place = Place::new();
    let address = format!("unix:{}/{}", place.directory.path().display(), "x".repeat(108));
    let error = bind(&address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(place.file_names().is_empty());
}

#[tokio::test]
async fn what_another_put_at_the_path_is_not_removed_at_drop() {
    let place = Place::new();
    let listener = bind(&place.address()).await.unwrap();
    fs::remove_file(place.path()).unwrap();
    let _other = UnixListener::bind(place.path()).unwrap();
    drop(listener);
    assert!(fs::symlink_metadata(place.path()).unwrap().file_type().is_socket());

    let place = Place::new();
    let listener = bind(&place.address()).await.unwrap();
    fs::remove_file(place.path()).unwrap();
    fs::write(place.path(), "precious").unwrap();
    drop(listener);
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "precious");
}

#[tokio::test]
async fn a_successor_that_took_the_path_keeps_it() {
    let place = Place::new();
    let elsewhere = format!("unix:{}/other.sock", place.directory.path().display());
    let first = bind(&place.address()).await.unwrap();
    let second = bind(&elsewhere).await.unwrap();
    fs::rename(place.directory.path().join("other.sock"), place.path()).unwrap();
    drop(first);
    assert!(UnixStream::connect(place.path()).await.is_ok());
    drop(second);
}

#[tokio::test]
async fn the_mode_is_0660_whenever_the_path_is_there() {
    let place = Place::new();
    let path = place.path();
    let (until_dropped, dropped) = std::sync::mpsc::channel::<()>();
    let watcher = std::thread::spawn(move || {
        let mut modes = BTreeSet::new();
        while dropped.try_recv() == Err(TryRecvError::Empty) {
            modes.extend(fs::symlink_metadata(&path).map(|found| found.mode() & 0o7777));
        }
        modes
    });
    for _ in 0..200 {
        let _listener = bind(&place.address()).await.unwrap();
        assert_eq!(fs::symlink_metadata(place.path()).unwrap().mode() & 0o7777, 0o660);
    }
    drop(until_dropped);
    let seen = watcher.join().unwrap();
    assert!(seen.is_subset(&[0o660].into()), "{seen:?}");
}

#[tokio::test]
async fn the_peer_is_the_process_that_connected() {
    let place = Place::new();
    let mut listener = bind(&place.address()).await.unwrap();
    let (_client, io, addr) = connected(&mut listener, &place.path()).await;
    assert_eq!(addr, AnyAddr::Unix(None));
    let Peer::Unix(peer) = listener.peer(&io, &addr) else { panic!("a Unix peer") };

    let ours = fs::metadata(place.directory.path()).unwrap();
    assert_eq!((peer.uid, peer.gid), (ours.uid(), ours.gid()));
    let pid = i32::try_from(std::process::id()).unwrap();
    assert!(peer.pid == Some(pid) || !cfg!(target_os = "linux"), "{peer:?}");
}

#[tokio::test]
async fn abort_closes_the_connection() {
    let place = Place::new();
    let mut listener = bind(&place.address()).await.unwrap();
    let (mut client, io, _) = connected(&mut listener, &place.path()).await;
    listener.abort(io);
    assert_eq!(within_bounds(client.read(&mut [0; 1])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_listener_that_was_handed_over_keeps_its_path() {
    let place = Place::new();
    let mut listener = AnyListener::from(UnixListener::bind(place.path()).unwrap());
    assert_eq!(listener.local_addr().unwrap(), AnyAddr::Unix(Some(place.path())));
    connected(&mut listener, &place.path()).await;
    drop(listener);
    assert!(place.path().exists());
}

#[tokio::test]
async fn tokios_listener_serves_as_it_is() {
    let place = Place::new();
    let mut listener = UnixListener::bind(place.path()).unwrap();
    let _client = within_bounds(UnixStream::connect(place.path())).await.unwrap();
    let (io, addr) = within_bounds(Listener::accept(&mut listener)).await;
    assert!(addr.is_unnamed());
    assert!(matches!(listener.peer(&io, &addr), Peer::Unix(_)));
    let bound_to = Listener::local_addr(&listener).unwrap();
    assert_eq!(bound_to.as_pathname(), Some(place.path().as_path()));
}

#[tokio::test]
async fn the_mode_is_the_one_that_was_set() {
    for mode in [0o600, 0o666] {
        let place = Place::new();
        let _listener = UnixOptions::new(place.path()).mode(mode).bind().await.unwrap();
        assert_eq!(fs::symlink_metadata(place.path()).unwrap().mode() & 0o7777, mode);
    }
}

/// Only a process that may give files away can: the superuser. Others are told that they must not.
#[tokio::test]
async fn the_owner_and_the_group_are_those_that_were_set() {
    let (uid, gid) = (12_345, 54_321);
    let place = Place::new();
    match UnixOptions::new(place.path()).owner(uid).group(gid).bind().await {
        Ok(mut listener) => {
            let found = fs::symlink_metadata(place.path()).unwrap();
            assert_eq!((found.uid(), found.gid()), (uid, gid));
            assert_eq!(found.mode() & 0o7777, 0o660);
            connected(&mut listener, &place.path()).await;
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(place.file_names().is_empty());
        }
    }
}

#[tokio::test]
async fn the_owner_may_stay_when_a_group_is_set() {
    let place = Place::new();
    let ours = fs::metadata(place.directory.path()).unwrap();
    let _listener = UnixOptions::new(place.path()).group(ours.gid()).bind().await.unwrap();
    let found = fs::symlink_metadata(place.path()).unwrap();
    assert_eq!((found.uid(), found.gid()), (ours.uid(), ours.gid()));
}

/// A queue of `n` holds `n + 1`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_backlog_is_how_many_may_wait() {
    let place = Place::new();
    let _listener = UnixOptions::new(place.path()).backlog(2).bind().await.unwrap();
    let mut waiting = Vec::new();
    while let Ok(client) = within_bounds(UnixStream::connect(place.path())).await {
        waiting.push(client);
        assert!(waiting.len() < 10, "the queue is full by now");
    }
    assert_eq!(waiting.len(), 3);
}

#[tokio::test]
async fn a_path_that_is_not_that_of_a_file_is_an_error() {
    for path in ["app.sock", "/", "", "/run/.."] {
        let error = UnixOptions::new(path).bind().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}: {error}");
    }
}

#[tokio::test]
async fn a_path_that_is_taken_over_belongs_to_the_successor() {
    let place = Place::new();
    let mut first = bind(&place.address()).await.unwrap();
    let _waiting = UnixStream::connect(place.path()).await.unwrap();
    let mut second = UnixOptions::new(place.path()).take_over(true).bind().await.unwrap();
    connected(&mut second, &place.path()).await;
    within_bounds(first.accept()).await;
    drop(first);
    connected(&mut second, &place.path()).await;
    drop(second);
    assert!(place.file_names().is_empty());
}

#[tokio::test]
async fn only_a_socket_can_be_taken_over() {
    let place = Place::new();
    fs::write(place.path(), "precious").unwrap();
    let error = UnixOptions::new(place.path()).take_over(true).bind().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "precious");
}

#[tokio::test]
async fn a_listener_that_is_withdrawn_is_not_found_but_accepts_those_who_came() {
    let place = Place::new();
    let mut listener = bind(&place.address()).await.unwrap();
    let _waiting = UnixStream::connect(place.path()).await.unwrap();
    listener.withdraw();
    assert!(place.file_names().is_empty());
    assert_eq!(listener.local_addr().unwrap().to_string(), place.address());

    let _successor = bind(&place.address()).await.unwrap();
    within_bounds(listener.accept()).await;
    assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err());
    drop(listener);
    assert_eq!(place.file_names(), ["app.sock"]);
}

#[tokio::test]
async fn a_listener_that_was_handed_over_is_not_withdrawn() {
    let place = Place::new();
    let mut listener = AnyListener::from(UnixListener::bind(place.path()).unwrap());
    listener.withdraw();
    connected(&mut listener, &place.path()).await;
}

/// As one does that found the path in the last moment.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_listener_that_is_withdrawn_refuses_newcomers() {
    let place = Place::new();
    let mut listener = bind(&place.address()).await.unwrap();
    let other_name = place.directory.path().join("other.sock");
    fs::hard_link(place.path(), &other_name).unwrap();
    listener.withdraw();
    let error = within_bounds(UnixStream::connect(&other_name)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
