use std::io;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use libtest_mimic::Failed;

use crate::example::Example;
use crate::process::POLL;
use crate::{BOUND, row, sides};

pub(crate) fn shows_it() -> Result<(), Failed> {
    let example = Example::start()?;
    let hostile = "/?x=<img/src=x/onerror=document.title='run'>";
    let page = dom(&format!("http://{}{hostile}", example.http))?;
    assert!(page.contains("<title>Hello over FastCGI</title>"), "{page}");
    assert!(!page.contains("<img") && !page.contains("<title>run"), "{page}");
    let (server, client) = sides(&page);
    assert_eq!(row(server, "REMOTE_ADDR"), Some("127.0.0.1"));
    assert_eq!(row(client, "host"), Some(&*example.http.to_string()));
    let agent = row(client, "user-agent").expect("browsers have one");
    assert!(agent.contains("Chrome/"), "{agent}");
    Ok(())
}

/// The page as the browser has understood it.
fn dom(url: &str) -> io::Result<String> {
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("dom.html");
    let mut chromium = Command::new("chromium");
    chromium
        .args(["--headless", "--disable-gpu", "--no-first-run", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
    // Its sandbox does not start as root.
    if rustix::process::geteuid().is_root() {
        chromium.arg("--no-sandbox");
    }
    chromium
        .arg(url)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&output)?)
        .stderr(Stdio::null());
    let mut browser = chromium.spawn().map_err(|error| {
        io::Error::other(format!("chromium: {error}; scripts/install installs it"))
    })?;
    let deadline = Instant::now() + BOUND;
    while browser.try_wait()?.is_none() {
        if Instant::now() > deadline {
            browser.kill()?;
            browser.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        sleep(POLL);
    }
    std::fs::read_to_string(output)
}
