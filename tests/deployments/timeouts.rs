//! A handler that says nothing, behind the files of `examples/` with a shorter timeout.

use libtest_mimic::{Failed, Trial};

use crate::client;
use crate::config::replace;
use crate::restarts::start_with;
use crate::software::Software;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    SETUPS.into_iter().map(|setup| {
        let name = format!("timeouts::{:?}", setup.0).to_lowercase();
        Trial::test(name, move || check(setup))
    })
}

/// What stands in the file, and in its place here.
type Setup = (Software, &'static str, &'static str);

fn check((software, old, new): Setup) -> Result<(), Failed> {
    let site = start_with(software, |file| replace(file, old, new))?;
    let answer = client::get(site.address, "/held/1", &[])?;
    assert_eq!(answer.status, 504, "{answer:?}");
    Ok(())
}

const SETUPS: [Setup; 5] = [
    (Software::Nginx, "fastcgi_pass app;", "fastcgi_pass app; fastcgi_read_timeout 1s;"),
    (Software::Caddy, "read_timeout 60s", "read_timeout 1s"),
    (Software::Haproxy, "timeout server 60s", "timeout server 1s"),
    (Software::Apache, "timeout=60", "timeout=1"),
    (Software::Lighttpd, "\"check-local\"", "\"read-timeout\" => 1, \"check-local\""),
];
