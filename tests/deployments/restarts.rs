//! A web server that reads its configuration anew while clients go on, with the files of `examples/`.

use std::io;

use libtest_mimic::{Failed, Trial};
use rustix::process::Signal;

use crate::balancing::reload_caddy;
use crate::client;
use crate::load::Load;
use crate::site::Site;
use crate::software::Software;
use crate::table::Loss;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    Software::ALL.into_iter().map(|software| {
        let name = format!("reload::{software:?}").to_lowercase();
        Trial::test(name, move || check(software))
    })
}

fn check(software: Software) -> Result<(), Failed> {
    let expected = match software {
        // Caddy resets connections that are just coming in, HAProxy aborts requests that are under way.
        Software::Caddy | Software::Haproxy => Loss::Few,
        _ => Loss::None,
    };
    let mut site = start(software)?;
    let load = Load::start(site.address);
    load.wait_for_more(SOME);
    reload(&mut site, software);
    load.wait_for_more(MOMENT);
    let then = load.lost();
    load.wait_for_more(SOME);
    let reasons = load.reasons();
    let in_all = load.stop();
    for (then, in_all) in then.into_iter().zip(in_all) {
        let loss = Loss::of_many(then, in_all);
        let log = site.server.log_tail();
        assert!(
            loss == expected || loss == Loss::None,
            "{then} and {in_all} are lost: {reasons}\n{log}"
        );
    }
    assert_eq!(site.server.exited(), None);
    Ok(())
}

/// With the file that most begin with.
pub(crate) fn start(software: Software) -> io::Result<Site> {
    start_with(software, ToOwned::to_owned)
}

/// With that file, changed.
pub(crate) fn start_with(software: Software, change: impl Fn(&str) -> String) -> io::Result<Site> {
    let file = match software {
        Software::Nginx => include_str!("../../examples/nginx.conf"),
        Software::Caddy => include_str!("../../examples/Caddyfile"),
        Software::Haproxy => include_str!("../../examples/haproxy.cfg"),
        Software::Apache => include_str!("../../examples/apache.conf"),
        Software::Lighttpd => include_str!("../../examples/lighttpd.conf"),
    };
    let is_ready =
        |address| client::get(address, "/", &[]).is_ok_and(|answer| answer.status == 200);
    let configure = |address, application, _: &_| {
        software.towards(&software.at(&change(file), address), &[application])
    };
    Site::start(software, configure, is_ready)
}

fn reload(site: &mut Site, software: Software) {
    match software {
        Software::Nginx => site.server.signal(Signal::HUP),
        Software::Haproxy => site.server.signal(Signal::USR2),
        Software::Apache | Software::Lighttpd => site.server.signal(Signal::USR1),
        Software::Caddy => reload_caddy(site.dir.path(), &["--force"]),
    }
}

/// Requests before it happens, and when it is over.
const SOME: usize = 200;
/// Requests meanwhile.
const MOMENT: usize = 600;
