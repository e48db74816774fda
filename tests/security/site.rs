//! What starting any web server has in common.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::Instant;

use crate::BOUND;
use crate::debian::Debian;
use crate::process::POLL;

/// As many numbers of a program's version as tell releases apart. None if it is not installed.
pub(crate) fn version(debian: Debian, program: &str) -> Option<String> {
    let argument = if program == "caddy" { "version" } else { "-v" };
    let version = debian.version_of(program, argument)?;
    let parts = if program == "lighttpd" { 3 } else { 2 };
    Some(version.split('.').take(parts).collect::<Vec<_>>().join("."))
}

/// Starts a server, again if someone was faster at its ports.
pub(crate) fn start<S>(
    name: &str,
    attempt: impl Fn() -> io::Result<S>,
    is_ready: impl Fn(&mut S) -> Option<bool>,
    log: impl Fn(&S) -> String,
) -> io::Result<S> {
    let mut last = String::new();
    for _ in 0..START_ATTEMPTS {
        let mut server = attempt()?;
        let deadline = Instant::now() + BOUND;
        while Instant::now() < deadline {
            match is_ready(&mut server) {
                Some(true) => return Ok(server),
                Some(false) => break,
                None => sleep(POLL),
            }
        }
        last = log(&server);
    }
    Err(io::Error::other(format!("{name} does not start:\n{last}")))
}

/// Whether something behind this address answers the request with a success.
pub(crate) fn answers(address: SocketAddr, line: &str) -> bool {
    let ask = || -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(BOUND))?;
        stream.write_all(format!("{line}\r\nHost: app\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.get(8..12) == Some(b" 200"))
}

const START_ATTEMPTS: usize = 5;
