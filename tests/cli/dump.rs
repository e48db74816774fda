//! `fcgi dump`.

use std::collections::HashSet;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;
use tower_fastcgi::record::ProtocolStatus;

use crate::application::Application;
use crate::command::{BOUND, command, fcgi};
use crate::peer::{Peer, response};

/// A proxy that prints.
pub(crate) struct Dump {
    pub(crate) address: String,
    child: Child,
    printed: Lines<BufReader<ChildStdout>>,
}

impl Dump {
    pub(crate) async fn start(to: &str, options: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", to, options).await
    }

    async fn start_at(listen: &str, to: &str, options: &[&str]) -> Self {
        let arguments = [&["dump", "--listen", listen, "--to", to], options].concat();
        let mut command = command(&arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let printed = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = timeout(BOUND, errors.next_line()).await.unwrap().unwrap().unwrap();
        assert!(line.contains(&format!(", passing on to {to}; secrets")), "{line}");
        let address = line.strip_prefix("listening on ").unwrap().split(',').next().unwrap();
        Self { address: address.to_owned(), child, printed }
    }

    async fn line(&mut self) -> String {
        timeout(BOUND, self.printed.next_line()).await.unwrap().unwrap().expect("another line")
    }

    /// All lines until so many directions are done.
    pub(crate) async fn until_done(&mut self, directions: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let is_end =
            |line: &&String| line.contains(" is done") || line.contains("\"event\":\"end\"");
        while lines.iter().filter(is_end).count() < directions {
            lines.push(self.line().await);
        }
        lines
    }

    #[cfg(unix)]
    async fn terminate(mut self) {
        let pid = rustix::process::Pid::from_raw(self.child.id().unwrap() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = timeout(BOUND, self.child.wait()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(0));
    }
}

/// Without what differs from run to run.
fn plain(lines: &[String]) -> Vec<String> {
    let plain = |line: &String| {
        let mut words = line.splitn(3, ' ');
        let (number, time, rest) = (words.next().unwrap(), words.next().unwrap(), words.next());
        time.parse::<f64>().expect("a time");
        format!("{number} {}", rest.unwrap_or_default())
    };
    lines.iter().map(plain).collect()
}

#[track_caller]
fn assert_has(lines: &[String], start: &str) {
    assert!(lines.iter().any(|line| line.starts_with(start)), "{start:?} is not in {lines:#?}");
}

#[tokio::test]
async fn both_directions_are_printed_in_order() {
    let app = Application::start().await;
    let mut dump = Dump::start(&app.address, &[]).await;
    let ran = fcgi(&["request", "-d", "a\u{7}b", &dump.address, "/echo"]).await.assert_ok();
    assert_eq!(ran.stdout(), "a\u{7}b");
    let lines = plain(&dump.until_done(2).await);
    assert!(lines[0].starts_with("[1] * connection from 127.0.0.1:"), "{lines:#?}");
    assert_eq!(lines[1], "[1] > FCGI_BEGIN_REQUEST      id 1       8 bytes  FCGI_RESPONDER");
    assert_has(&lines, "[1] >     REQUEST_METHOD = POST");
    assert_has(&lines, "[1] > FCGI_STDIN              id 1       3 bytes  \"a\\u{7}b\"");
    assert_has(&lines, "[1] < FCGI_END_REQUEST        id 1       8 bytes  FCGI_REQUEST_COMPLETE");
    assert_has(&lines, "[1] * the application is done: ");
    assert_has(&lines, "[1] * the web server is done: ");
    fcgi(&["request", &dump.address, "/hello"]).await.assert_ok();
    let lines = plain(&dump.until_done(2).await);
    assert!(lines.iter().all(|line| line.starts_with("[2] ")), "{lines:#?}");
}

#[tokio::test]
async fn objects_tell_the_same() {
    let app = Application::start().await;
    let mut dump = Dump::start(&app.address, &["--json", "--max-content", "2"]).await;
    fcgi(&["request", "--keep-conn", "-d", "abc", &dump.address, "/echo"]).await.assert_ok();
    let lines = dump.until_done(2).await;
    let objects: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0]["event"], "connect");
    assert!(objects[0]["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    let of_type = |name: &str| objects.iter().find(|object| object["type"] == name).unwrap();
    let begin = of_type("FCGI_BEGIN_REQUEST");
    assert_eq!((&begin["role"], &begin["keep_conn"]), (&1.into(), &true.into()));
    assert_eq!((&begin["direction"], &begin["connection"]), (&"request".into(), &1.into()));
    let pairs = of_type("FCGI_PARAMS")["pairs"].as_array().unwrap();
    assert!(pairs.contains(&serde_json::json!(["CONTENT_LENGTH", "3"])), "{pairs:?}");
    let stdin = of_type("FCGI_STDIN");
    assert_eq!((&stdin["content"], &stdin["content_is_cut"]), (&"ab".into(), &true.into()));
    assert_eq!((&stdin["length"], &stdin["type_number"]), (&3.into(), &5.into()));
    let end = of_type("FCGI_END_REQUEST");
    assert_eq!(end["protocol_status"], "FCGI_REQUEST_COMPLETE");
    assert_eq!((&end["direction"], &end["app_status"]), (&"response".into(), &0.into()));
    let events: HashSet<_> =
        objects.iter().map(|object| object["event"].as_str().unwrap()).collect();
    assert_eq!(events, HashSet::from(["connect", "record", "end"]));
    let times: Vec<_> = objects.iter().map(|object| object["time"].as_f64().unwrap()).collect();
    assert!(times.iter().all(|&time| time >= 0.0), "{times:?}");
}

/// Sends bytes through a proxy to a peer that answers with others: what arrived on both sides, and what was printed.
async fn pass(
    sent: &[u8],
    answer: &'static [u8],
    options: &[&str],
) -> (Vec<u8>, Vec<u8>, Vec<String>) {
    let peer = Peer::with(move |mut io| async move {
        let mut received = Vec::new();
        io.read_to_end(&mut received).await.unwrap();
        io.write_all(answer).await.unwrap();
        received
    })
    .await;
    let mut dump = Dump::start(&peer.address, options).await;
    let mut io = TcpStream::connect(&dump.address).await.unwrap();
    io.write_all(sent).await.unwrap();
    io.shutdown().await.unwrap();
    let mut back = Vec::new();
    timeout(BOUND, io.read_to_end(&mut back)).await.unwrap().unwrap();
    let lines = dump.until_done(2).await;
    (peer.task.await.unwrap(), back, lines)
}

#[tokio::test]
async fn what_is_not_fastcgi_passes_unchanged() {
    let sent = [&[1, 4, 0, 1, 0, 0, 0, 0][..], b"GET / HTTP/1.1\r\n\x1b[2J\r\n"].concat();
    let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    let (received, back, lines) = pass(&sent, answer, &[]).await;
    assert_eq!((&received, &back[..]), (&sent, &answer[..]));
    let lines = plain(&lines);
    assert_has(&lines, "[1] > FCGI_PARAMS             id 1       0 bytes  end of the stream");
    assert_has(
        &lines,
        "[1] * from byte 8 on, what the web server says is not FastCGI: \"GET / HTTP/1.1\\r\\n\\u{1b}[2J\\r\\n\"; it is passed on \
         unread",
    );
    assert_has(
        &lines,
        "[1] * from byte 0 on, what the application says is not FastCGI: \"HTTP/1.1 400",
    );
    let done = format!("[1] * the web server is done: 1 records, {} bytes", sent.len());
    assert_has(&lines, &done);
}

#[tokio::test]
async fn what_is_not_fastcgi_is_an_object_too() {
    let (_, _, lines) = pass(b"\xff", b"SSH", &["--json"]).await;
    let objects: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let foreign: Vec<_> = objects.iter().filter(|object| object["event"] == "foreign").collect();
    assert_eq!(
        (&foreign[0]["direction"], &foreign[0]["start_base64"]),
        (&"request".into(), &"/w==".into())
    );
    assert_eq!((&foreign[1]["offset"], &foreign[1]["start"]), (&0.into(), &"SSH".into()));
}

#[tokio::test]
async fn malformed_records_are_told_and_passed() {
    let sent = [
        // FCGI_PARAMS that end within a pair, FCGI_BEGIN_REQUEST of a wrong length, and half a record.
        &[1, 4, 0, 1, 0, 3, 0, 0, 9, 9, b'x'][..],
        &[1, 4, 0, 1, 0, 0, 0, 0],
        &[1, 1, 0, 1, 0, 2, 0, 0, 0, 1],
        &[1, 1, 0, 1, 0, 8, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0],
        &[1, 5, 0, 1, 0, 9, 0, 0, b'h'],
    ]
    .concat();
    let (received, _, lines) = pass(&sent, b"", &[]).await;
    assert_eq!(received, sent);
    let lines = plain(&lines);
    assert_has(
        &lines,
        "[1] > FCGI_PARAMS             id 1       3 bytes  a pair goes on in the next record",
    );
    assert_has(
        &lines,
        "[1] > FCGI_PARAMS             id 1       0 bytes  malformed: ends within a pair",
    );
    assert_has(
        &lines,
        "[1] > FCGI_BEGIN_REQUEST      id 1       2 bytes  malformed: its length is 8",
    );
    assert_has(&lines, "[1] > FCGI_BEGIN_REQUEST      id 1       8 bytes  role 7, which");
    assert_has(&lines, "[1] * the web server is done, within FCGI_STDIN: 1 of 9 bytes: 4 records");
}

#[tokio::test]
async fn contents_are_cut_where_one_says() {
    let (_, _, lines) =
        pass(&[1, 5, 0, 1, 0, 5, 0, 0, b'h', b'e', b'l', b'l', b'o'], b"", &["--max-content", "0"])
            .await;
    assert_has(&plain(&lines), "[1] > FCGI_STDIN              id 1       5 bytes  (5 bytes)");
    let (_, _, lines) = pass(&[1, 5, 0, 1, 0, 2, 0, 0, 0xff, b'x'], b"", &["--json"]).await;
    assert!(lines.iter().any(|line| line.contains("\"content_base64\":\"/3g=\"")), "{lines:?}");
}

#[tokio::test]
async fn an_application_that_is_not_there_is_told() {
    for (options, sign) in [(&[][..], "[1] "), (&["--json"], "{")] {
        let mut dump = Dump::start("unix:/no/such/socket", options).await;
        let ran = fcgi(&["request", &dump.address, "/"]).await;
        assert!(matches!(ran.code, 52 | 56), "{ran:?}");
        dump.line().await;
        let line = dump.line().await;
        assert!(line.starts_with(sign) && line.contains("no such socket"), "{line}");
        assert!(line.contains("there is no folder"), "{line}");
    }
}

#[tokio::test]
async fn a_reset_is_told() {
    let peer = Peer::with(|mut io| async move {
        let received = crate::peer::read_request(&mut io).await;
        let part = &response(b"A: b\n\npart", ProtocolStatus::RequestComplete)[..10];
        io.write_all(part).await.unwrap();
        io.set_zero_linger().unwrap();
        received
    })
    .await;
    let mut dump = Dump::start(&peer.address, &[]).await;
    let ran = fcgi(&["request", &dump.address, "/"]).await;
    assert!(matches!(ran.code, 18 | 52 | 56), "{ran:?}");
    let lines = dump.until_done(2).await;
    let told = lines.iter().find(|line| line.contains("the application is done")).unwrap();
    assert!(told.to_lowercase().contains("reset"), "{told}");
}

#[cfg(unix)]
#[tokio::test]
async fn sockets_are_left_clean() {
    let folder = tempfile::tempdir().unwrap();
    let address = |name: &str| format!("unix:{}", folder.path().join(name).display());
    let app = Application::start_at(&address("app")).await;
    let mut dump = Dump::start_at(&address("tap"), &app.address, &[]).await;
    fcgi(&["request", &address("tap"), "/hello"]).await.assert_ok();
    let lines = plain(&dump.until_done(2).await);
    assert!(lines[0].starts_with("[1] * connection from unix:"), "{lines:?}");
    assert!(folder.path().join("tap").exists());
    dump.terminate().await;
    assert!(!folder.path().join("tap").exists());
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let app = Application::start().await;
    let ran = fcgi(&["dump", "--listen", &app.address, "--to", "127.0.0.1:1"]).await;
    ran.assert_fails(7, &["cannot listen on", "another program listens there"]);
    let ran = fcgi(&["dump", "--listen", "192.0.2.1:9", "--to", "127.0.0.1:1"]).await;
    ran.assert_fails(7, &["none of this machine's"]);
    let ran = fcgi(&["dump", "--listen", "nonsense", "--to", "127.0.0.1:1"]).await;
    ran.assert_fails(3, &["is no address"]);
}

#[tokio::test]
async fn a_reader_that_goes_ends_it() {
    let app = Application::start().await;
    let Dump { address, mut child, printed } = Dump::start(&app.address, &[]).await;
    drop(printed);
    fcgi(&["request", &address, "/hello"]).await;
    let status = timeout(BOUND, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(23));
}
