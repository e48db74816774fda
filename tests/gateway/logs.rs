//! What a person finds in the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tower_fastcgi::record::{ProtocolStatus, RecordType, put_stream};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::application::{Does, Raw, dead, end, id, stdout};
use crate::kit::{Front, status};

/// All that this thread logs, which is all that a test does.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone());
        let subscriber = subscriber.with_max_level(tracing::Level::TRACE).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_error_stream_is_escaped() {
    let (log, _guard) = Log::start();
    let mut wire = Vec::new();
    let text = b"careful\x1b[31m\rforged \xff\nsecond line\n";
    put_stream(&mut wire, RecordType::Stderr, id(), text);
    wire.extend(stdout("Content-Type: text/plain\r\n\r\n"));
    wire.extend(end(ProtocolStatus::RequestComplete));
    let front = Front::to(Raw::that(Does::Says(wire)).await.addr).await;
    assert_eq!(status(&front.get("/").await), 200);
    let log = log.text();
    assert!(log.contains(r"stderr=careful\u{1b}[31m\rforged \xff"), "{log}");
    assert!(log.contains("stderr=second line"), "{log}");
}

#[tokio::test]
async fn what_went_wrong_is_told_here_and_not_to_the_client() {
    let (log, _guard) = Log::start();
    let (_bound, addr) = dead();
    let response = Front::to(addr).await.get("/path?secret").await;
    assert_eq!(status(&response), 502);
    assert!(!response.contains("refused"), "{response}");
    let log = log.text();
    assert!(log.contains("cannot connect to the application: Connection refused"), "{log}");
    assert!(log.contains(r#"path="/path""#), "{log}");
    let lines = log.lines().filter(|line| line.contains("tower_fastcgi"));
    assert!(!lines.clone().any(|line| line.contains("secret")), "{log}");
}
