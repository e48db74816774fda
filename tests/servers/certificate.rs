//! A certificate for `localhost`, made once.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::debian::Place;

/// Writes `cert.pem`, `key.pem` and, for servers that want one file, `both.pem`.
pub(crate) fn write(place: &Place) -> io::Result<()> {
    static MADE: Mutex<Option<(String, String)>> = Mutex::new(None);
    let mut made = MADE.lock().expect("no holder panics");
    let (cert, key) = match made.take() {
        Some(made) => made,
        None => make(place.dir())?,
    };
    place.write("cert.pem", &cert)?;
    place.write("key.pem", &key)?;
    place.write("both.pem", &format!("{cert}{key}"))?;
    *made = Some((cert, key));
    Ok(())
}

fn make(dir: &Path) -> io::Result<(String, String)> {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    command.args(["-addext", "subjectAltName=DNS:localhost"]);
    command.args(["-out", "cert.pem", "-keyout", "key.pem"]);
    let output = command.current_dir(dir).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let read = |name| std::fs::read_to_string(dir.join(name));
    Ok((read("cert.pem")?, read("key.pem")?))
}
