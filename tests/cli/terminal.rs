//! What a terminal gets to see.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::application::{Application, gated};
use crate::command::{BOUND, command};

/// A pseudo-terminal, and all that was written to it.
struct Terminal {
    shown: Arc<Mutex<Vec<u8>>>,
    other_end: File,
}

impl Terminal {
    fn open() -> Self {
        let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&main).unwrap();
        unlockpt(&main).unwrap();
        let path = ptsname(&main, Vec::new()).unwrap().into_string().unwrap();
        let other_end = File::options().read(true).write(true).open(path).unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let to = shown.clone();
        // It ends with an error when all have closed the other end.
        std::thread::spawn(move || {
            let (mut main, mut block) = (File::from(main), [0; 4096]);
            while let Ok(len @ 1..) = main.read(&mut block) {
                to.lock().unwrap().extend_from_slice(&block[..len]);
            }
        });
        Self { shown, other_end }
    }

    fn stdio(&self) -> Stdio {
        self.other_end.try_clone().unwrap().into()
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Does something again and again until this is shown.
    async fn shows(&self, text: &str, mut meanwhile: impl AsyncFnMut()) {
        let shows = async {
            while !self.shown().contains(text) {
                meanwhile().await;
                tokio::time::sleep(POLL).await;
            }
        };
        if timeout(BOUND, shows).await.is_err() {
            panic!("{text:?} is not in {:?}", self.shown());
        }
    }
}

fn spawn(mut command: Command, terminal: &Terminal) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(terminal.stdio());
    command.spawn().unwrap()
}

#[tokio::test]
async fn a_long_download_has_a_bar() {
    for (length, bar) in [(Some(10_000_000), "KiB of 9.54 MiB ["), (None, "KiB, ")] {
        let (router, gate) = gated(length);
        let app = Application::serve("127.0.0.1:0", router).await;
        let terminal = Terminal::open();
        let child = spawn(command(&["request", &app.address, "/gate"]), &terminal);
        terminal.shows("received", async || gate.notify_one()).await;
        terminal.shows(bar, async || gate.notify_one()).await;
        drop(child);
    }
}

#[tokio::test]
async fn a_long_upload_has_a_bar() {
    let app = Application::start().await;
    let terminal = Terminal::open();
    let upload = ["request", "-T", "-", "--unknown-length", "stream", &app.address, "/never"];
    let mut child = spawn(command(&upload), &terminal);
    let mut stdin = child.stdin.take().unwrap();
    let sending = async || stdin.write_all(&[b'x'; 100]).await.unwrap();
    terminal.shows("sent", sending).await;
}

/// Sends for longer than it takes until there is a bar.
async fn shown_while_receiving(options: &[&str], is_body_on_terminal: bool) -> String {
    let (router, gate) = gated(Some(1000 * BLOCKS));
    let app = Application::serve("127.0.0.1:0", router).await;
    let terminal = Terminal::open();
    let mut command = command(&[&["request"], options, &[&app.address, "/gate"]].concat());
    command.stderr(terminal.stdio()).stdout(Stdio::null());
    if is_body_on_terminal {
        command.stdout(terminal.stdio());
    }
    let mut child = command.spawn().unwrap();
    let ended = async {
        while child.try_wait().unwrap().is_none() {
            gate.notify_one();
            tokio::time::sleep(POLL).await;
        }
    };
    timeout(BOUND, ended).await.unwrap();
    terminal.shown()
}

#[tokio::test]
async fn a_bar_is_shown_only_where_it_disturbs_nothing() {
    assert!(shown_while_receiving(&[], false).await.contains("received"));
    for options in [&["--silent"][..], &["--verbose"]] {
        let shown = shown_while_receiving(options, false).await;
        assert!(!shown.contains("received"), "{shown}");
    }
    let shown = shown_while_receiving(&[], true).await;
    assert!(shown.contains("xxx") && !shown.contains("received"), "{shown}");
}

#[tokio::test]
async fn colours_are_for_terminals() {
    let failing = ["request", "unix:/no/such/socket", "/"];
    let shown = |variable: Option<(&'static str, &'static str)>| async move {
        let terminal = Terminal::open();
        let mut command = command(&failing);
        command.envs(variable);
        let mut child = spawn(command, &terminal);
        timeout(BOUND, child.wait()).await.unwrap().unwrap();
        terminal.shows("hint:", async || {}).await;
        terminal.shown()
    };
    let coloured = shown(None).await;
    assert!(coloured.contains("\x1b[31merror:\x1b[0m cannot connect"), "{coloured:?}");
    assert!(coloured.contains("\x1b[33mhint:\x1b[0m "), "{coloured:?}");
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = shown(Some(variable)).await;
        assert!(!plain.contains('\x1b'), "{plain:?}");
    }
    assert!(shown(Some(("NO_COLOR", ""))).await.contains('\x1b'));
}

#[tokio::test]
async fn records_are_coloured_by_direction() {
    let app = Application::start().await;
    let terminal = Terminal::open();
    let _child = spawn(command(&["request", "-v", &app.address, "/hello"]), &terminal);
    terminal.shows("> \x1b[36mFCGI_PARAMS ", async || {}).await;
    terminal.shows("< \x1b[32mFCGI_END_REQUEST ", async || {}).await;
}

const POLL: Duration = Duration::from_millis(20);
const BLOCKS: usize = 60;
