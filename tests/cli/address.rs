//! Where it connects to, and what is wrong with that.

use crate::application::Application;
use crate::command::fcgi;

#[tokio::test]
async fn names_and_sockets_are_addresses() {
    let app = Application::start().await;
    let port = app.address.rsplit_once(':').unwrap().1;
    let ran = fcgi(&["request", &format!("localhost:{port}"), "/hello"]).await.assert_ok();
    assert_eq!(ran.stdout(), "hello\n");
    if cfg!(unix) {
        let folder = tempfile::tempdir().unwrap();
        let socket = format!("unix:{}", folder.path().join("app.sock").display());
        let app = Application::start_at(&socket).await;
        assert_eq!(app.ask(&[], "/hello").await, "hello\n");
    }
}

#[tokio::test]
async fn what_is_no_address_or_target_is_a_bad_url() {
    for address in ["localhost", "http://localhost/", "unix:"] {
        fcgi(&["request", address, "/"])
            .await
            .assert_fails(3, &["is no address", "127.0.0.1:9000"]);
    }
    for target in ["hello", "/a b", "ftp://host/", ""] {
        fcgi(&["request", "127.0.0.1:1", target]).await.assert_fails(3, &["/PATH?QUERY"]);
    }
    fcgi(&["request", "127.0.0.1:1", "/%00"]).await.assert_fails(3, &["NUL"]);
    let up = ["request", "--document-root", "/srv", "127.0.0.1:1", "/a/%2e./b.php"];
    fcgi(&up).await.assert_fails(3, &["leaves the document root", "without .."]);
}

#[tokio::test]
async fn wrong_usage_is_told() {
    for arguments in [
        &["request"][..],
        &["request", "127.0.0.1:1"],
        &["request", "--nonsense", "127.0.0.1:1", "/"],
        &["request", "-H", "no colon", "127.0.0.1:1", "/"],
        &["request", "-H", "na me: x", "127.0.0.1:1", "/"],
        &["request", "-H", "name: \u{7}", "127.0.0.1:1", "/"],
        &["request", "-X", "a b", "127.0.0.1:1", "/"],
        &["request", "--param", "novalue", "127.0.0.1:1", "/"],
        &["request", "--param", "=x", "127.0.0.1:1", "/"],
        &["request", "--param", "HTTP_PROXY=x", "127.0.0.1:1", "/"],
        &["request", "--max-time", "0", "127.0.0.1:1", "/"],
        &["request", "--max-time", "soon", "127.0.0.1:1", "/"],
        &["request", "--connect-timeout", "2d", "127.0.0.1:1", "/"],
        &["request", "--role", "king", "127.0.0.1:1", "/"],
        &["request", "--unknown-length", "guess", "127.0.0.1:1", "/"],
        &["request", "--values", "127.0.0.1:1", "/"],
        &["request", "-I", "-d", "x", "127.0.0.1:1", "/"],
        &["request", "-i", "--json", "127.0.0.1:1", "/"],
        &["dump", "--listen", "127.0.0.1:0"],
        &["nonsense"],
        &[],
    ] {
        let ran = fcgi(arguments).await;
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains("error:") || ran.stderr.contains("Usage:"), "{ran:?}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let hint = format!("is the application listening on {address}?");
    let ran = fcgi(&["request", &address, "/"]).await;
    ran.assert_fails(7, &["error: cannot connect", "connection refused", &hint]);
    assert!(!ran.stderr.contains('\x1b'), "no colours in a pipe: {}", ran.stderr);
}

#[tokio::test]
async fn a_host_that_is_not_known() {
    let ran = fcgi(&["request", "no-such-host.invalid:9000", "/"]).await;
    ran.assert_fails(6, &["no-such-host.invalid:9000 is not known", "hint:"]);
}

#[cfg(unix)]
#[tokio::test]
async fn sockets_that_cannot_be_connected_to() {
    let folder = tempfile::tempdir().unwrap();
    let address = |name: &str| format!("unix:{}", folder.path().join(name).display());
    let ran = fcgi(&["request", &address("missing"), "/"]).await;
    ran.assert_fails(7, &["no such socket", "is the application running"]);
    let ran = fcgi(&["request", &address("folder/missing"), "/"]).await;
    ran.assert_fails(7, &["no such socket", "there is no folder"]);
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("left")).unwrap());
    let ran = fcgi(&["request", &address("left"), "/"]).await;
    ran.assert_fails(7, &["connection refused", "nobody listens on the socket"]);
    std::fs::write(folder.path().join("file"), "").unwrap();
    let ran = fcgi(&["request", &address("file"), "/"]).await;
    ran.assert_fails(7, &["connection refused", "it is no socket"]);
}

/// As another user, for root may connect to everything.
#[cfg(unix)]
#[tokio::test]
async fn a_socket_without_permission_says_whose_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let set_mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let socket = folder.path().join("app.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    // The command itself must be where anybody can run it. Copied by this process, it could not be run while a child of another
    // test holds it open for writing, from its fork until it runs another program (ETXTBSY).
    let program = folder.path().join("fcgi");
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg(env!("CARGO_BIN_EXE_fcgi")).arg(&program).status().unwrap().success());
    set_mode(&program, 0o755);
    let is_root = rustix::process::geteuid().is_root();
    let run = async || {
        let mut command = tokio::process::Command::new(&program);
        command.args(["request", &format!("unix:{}", socket.display()), "/"]);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = tokio::time::timeout(crate::command::BOUND, command.output()).await;
        output.unwrap().unwrap()
    };
    set_mode(folder.path(), 0o755);
    set_mode(&socket, 0o400);
    let output = run().await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    for word in ["permission denied", "mode 0400", "owner ", "group ", "write permission"] {
        assert!(stderr.contains(word), "{word} in {stderr}");
    }
    if is_root {
        assert!(
            stderr.contains("owner root") && stderr.contains("you are user nobody"),
            "{stderr}"
        );
    }
}

#[cfg(unix)]
const NOBODY: u32 = 65534;
