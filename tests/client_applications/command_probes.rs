//! What the command `fcgi` asks of each application.

use std::sync::LazyLock;

use crate::application::{Application, Kind, script};
use crate::command::{Ran, fcgi, fcgi_with_input};
use crate::probes::{Probe, probes};

pub(crate) fn all() -> Vec<Probe> {
    probes![
        the_command_gets_a_page if |_| true,
        the_command_sends_a_form if |_| true,
        the_command_sends_a_pipe if |_| true,
        the_command_streams_a_pipe if |kind| !kind.is_php(),
        the_command_shows_records if |_| true,
        the_command_tells_the_error_stream if |kind| kind != Kind::Go,
        the_command_notices_a_death if |_| true,
        the_command_notices_a_lying_length if |_| true,
        the_command_runs_out_of_time if |_| true,
        the_command_asks_for_values if |_| true,
        the_command_knows_when_php_lacks_a_script if Kind::is_php,
        the_command_finds_scripts_in_a_folder if Kind::is_php,
        the_command_passes_all_on if |_| true,
    ]
}

async fn the_command_gets_a_page(application: &Application) {
    let ran = ask(application, &["-i"], "/hello").await.assert_ok();
    assert!(ran.stdout().starts_with("HTTP/1.1 200 OK\r\n"), "{ran:?}");
    assert!(ran.stdout().ends_with("\r\n\r\nhello"), "{ran:?}");
    let ran = ask(application, &["-I"], "/hello").await.assert_ok();
    assert!(ran.stdout().ends_with("\r\n\r\n"), "{ran:?}");
    ask(application, &["--fail"], "/missing").await.assert_fails(22, &["404 Not Found"]);
}

async fn the_command_sends_a_form(application: &Application) {
    let ran = ask(application, &["-d", "a=1", "-d", "b=2"], "/echo").await.assert_ok();
    assert_eq!(ran.stdout(), "a=1&b=2");
    let ran = ask(application, &["-H", "X-Own: yes"], "/params?x=%41").await.assert_ok();
    for line in ["HTTP_X_OWN=yes", "REQUEST_URI=/params?x=%41", "REMOTE_ADDR=127.0.0.1"] {
        assert!(ran.stdout().contains(&format!("{line}\n")), "{line} in {ran:?}");
    }
}

async fn the_command_sends_a_pipe(application: &Application) {
    let sent = vec![b'x'; 3_000_000];
    let address = application.address();
    let arguments = arguments(application, &address, &["-T", "-"], "/count");
    let ran = fcgi_with_input(&arguments, &sent).await;
    assert_eq!(ran.assert_ok().stdout(), "3000000");
}

async fn the_command_streams_a_pipe(application: &Application) {
    let sent = vec![b'x'; 3_000_000];
    let options = ["-X", "POST", "-T", "-", "--unknown-length", "stream"];
    let address = application.address();
    let arguments = arguments(application, &address, &options, "/count");
    let ran = fcgi_with_input(&arguments, &sent).await;
    assert_eq!(ran.assert_ok().stdout(), "3000000");
}

async fn the_command_shows_records(application: &Application) {
    let ran = ask(application, &["-v"], "/hello").await.assert_ok();
    for start in ["> FCGI_BEGIN_REQUEST ", "< FCGI_STDOUT ", "< FCGI_END_REQUEST "] {
        assert!(ran.stderr.lines().any(|line| line.starts_with(start)), "{start} in {ran:?}");
    }
    assert!(ran.stderr.contains("FCGI_REQUEST_COMPLETE, exit status 0"), "{ran:?}");
}

async fn the_command_tells_the_error_stream(application: &Application) {
    let ran = ask(application, &[], "/stderr").await.assert_ok();
    assert_eq!(ran.stdout(), "done");
    let told = ran
        .stderr
        .lines()
        .any(|line| line.starts_with("stderr: ") && line.contains("a line for the log"));
    assert!(told, "{ran:?}");
}

async fn the_command_notices_a_death(application: &Application) {
    let ran = ask(application, &[], "/die").await;
    assert!(matches!(ran.code, 18 | 56), "{}", ran.stderr);
    assert!(ran.stderr.contains("may have crashed"), "{}", ran.stderr);
}

async fn the_command_notices_a_lying_length(application: &Application) {
    let ran = ask(application, &[], "/lie").await;
    ran.assert_fails(18, &["shorter than its Content-Length"]);
    assert_eq!(ran.stdout(), "0123456789");
}

async fn the_command_runs_out_of_time(application: &Application) {
    let ran = ask(application, &["--max-time", "1"], "/slow").await;
    ran.assert_fails(28, &["no answer has come"]);
}

/// Go alone says that it multiplexes.
async fn the_command_asks_for_values(application: &Application) {
    let address = application.address();
    let ran = fcgi(&["request", "--values", "--max-time", "2", &address]).await;
    match application.kind {
        Kind::Go => assert!(ran.assert_ok().stdout().contains("FCGI_MPXS_CONNS       1 ")),
        Kind::PhpFpm | Kind::PhpCgi => {
            assert!(ran.assert_ok().stdout().contains("FCGI_MPXS_CONNS       0 "));
        }
        Kind::Libfcgi => ran.assert_fails(28, &["libfcgi never answer"]),
    }
}

async fn the_command_knows_when_php_lacks_a_script(application: &Application) {
    let address = application.address();
    for options in [&[][..], &["--script-filename", "/no/such/script.php"]] {
        let ran = fcgi(&[&["request"], options, &[&address, "/hello"]].concat()).await;
        assert!(ran.stderr.contains("--script-filename /PATH/SCRIPT.php"), "{options:?}: {ran:?}");
    }
}

async fn the_command_finds_scripts_in_a_folder(application: &Application) {
    let address = application.address();
    let folder = SCRIPT.rsplit_once('/').expect("an absolute path").0;
    let arguments = ["request", "--document-root", folder, &address, "/app.php/hello"];
    assert_eq!(fcgi(&arguments).await.assert_ok().stdout(), "hello");
}

/// The bytes of a large response, through `fcgi dump`.
async fn the_command_passes_all_on(application: &Application) {
    let folder = tempfile::tempdir().unwrap();
    let tap = format!("unix:{}", folder.path().join("tap").display());
    let mut dump =
        crate::command::command(&["dump", "--listen", &tap, "--to", &application.address()]);
    let printed = std::fs::File::create(folder.path().join("printed")).unwrap();
    let mut dump = dump.stdout(printed).stderr(std::process::Stdio::null()).spawn().unwrap();
    while !folder.path().join("tap").exists() {
        assert!(dump.try_wait().unwrap().is_none(), "it runs");
        tokio::time::sleep(crate::process::POLL).await;
    }
    let ran = fcgi(&arguments(application, &tap, &[], "/large?n=5000000")).await.assert_ok();
    assert!(ran.body == vec![b'x'; 5_000_000], "{} bytes", ran.body.len());
    let printed = std::fs::read_to_string(folder.path().join("printed")).unwrap();
    assert!(printed.contains("< FCGI_END_REQUEST "), "{printed:.500}");
    assert!(!printed.contains("not FastCGI") && !printed.contains("malformed"), "{printed:.500}");
}

async fn ask(application: &Application, options: &[&str], target: &str) -> Ran {
    fcgi(&arguments(application, &application.address(), options, target)).await
}

/// PHP is told its script.
fn arguments<'a>(
    application: &Application,
    address: &'a str,
    options: &[&'a str],
    target: &'a str,
) -> Vec<&'a str> {
    let php = ["--script-filename", &SCRIPT, "--script-name", ""];
    let php = if application.kind.is_php() { &php[..] } else { &[] };
    [&["request"], php, options, &[address, target]].concat()
}

static SCRIPT: LazyLock<String> = LazyLock::new(script);
