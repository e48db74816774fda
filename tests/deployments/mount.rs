//! An application at `/app`, with the files of `examples/mounted/`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::client;
use crate::config::replace;
use crate::site::Site;
use crate::software::Software;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    SETUPS.iter().map(|setup| Trial::test(format!("mount::{}", setup.name), || setup.check()))
}

struct Setup {
    name: &'static str,
    software: Software,
    site: &'static str,
    /// Instead of passing `/app` itself on.
    redirects: bool,
}

impl Setup {
    fn check(&self) -> Result<(), Failed> {
        let site = self.start()?;
        for (target, below) in BELOW {
            let seen = site.get(target).seen();
            assert_eq!(seen["uri"], below, "{target} {seen}");
            assert_eq!(seen["whole"], target, "{seen}");
            assert_eq!(seen["prefix"], "/app", "{target} {seen}");
        }
        for target in ["/apple", "/apple/a", "/", "/a", "/ap/p"] {
            let answer = site.get(target);
            assert!(!answer.body.contains("prefix"), "{target} {answer:?}");
        }
        self.check_root(&site);
        Ok(())
    }

    fn check_root(&self, site: &Site) {
        if self.redirects {
            let location = site.get("/app?x=1").header("location").map(ToOwned::to_owned);
            assert!(location.is_some_and(|location| location.ends_with("/app/?x=1")));
            return;
        }
        for (target, root) in [("/app", "/"), ("/app?x=1", "/?x=1")] {
            let seen = site.get(target).seen();
            assert_eq!((&seen["uri"], &seen["prefix"]), (&root.into(), &"/app".into()), "{seen}");
        }
    }

    fn start(&self) -> io::Result<Site> {
        let configure = |address, application, dir: &Path| {
            let site = self.software.at(self.site, address);
            if self.name == "apache-fcgid" {
                let program = program(dir).expect("the program can be copied");
                return replace(&site, "/usr/local/lib/app", &program);
            }
            self.software.towards(&site, &[application])
        };
        let is_ready =
            |address| client::get(address, "/app/", &[]).is_ok_and(|answer| answer.status == 200);
        Site::start(self.software, configure, is_ready)
    }
}

/// The application where the web server's user can start it.
fn program(dir: &Path) -> io::Result<String> {
    let (copy, script) = (dir.join("copy"), dir.join("program"));
    fs::copy(std::env::current_exe()?, &copy)?;
    fs::write(&script, format!("#!/bin/sh\nexec {} --serve fd:0 one\n", copy.display()))?;
    for path in [&copy, &script] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(script.display().to_string())
}

/// Targets, and what the application sees of them.
const BELOW: [(&str, &str); 8] = [
    ("/app/", "/"),
    ("/app/a/b?x=%41", "/a/b?x=%41"),
    ("/app/a%20b/%C3%A9", "/a%20b/%C3%A9"),
    ("/app/app/a", "/app/a"),
    ("/app//a", "//a"),
    ("/app/a/../b/./c", "/a/../b/./c"),
    ("/app/%25", "/%25"),
    ("/app/?", "/?"),
];

const fn setup(name: &'static str, software: Software, site: &'static str) -> Setup {
    Setup { name, software, site, redirects: false }
}

const SETUPS: [Setup; 7] = [
    setup("nginx", Software::Nginx, include_str!("../../examples/mounted/nginx.conf")),
    setup("caddy", Software::Caddy, include_str!("../../examples/mounted/Caddyfile")),
    setup("haproxy", Software::Haproxy, include_str!("../../examples/mounted/haproxy.cfg")),
    setup("apache", Software::Apache, include_str!("../../examples/mounted/apache.conf")),
    Setup {
        redirects: true,
        ..setup(
            "apache-handler",
            Software::Apache,
            include_str!("../../examples/mounted/apache-handler.conf"),
        )
    },
    Setup {
        redirects: true,
        ..setup(
            "apache-fcgid",
            Software::Apache,
            include_str!("../../examples/mounted/apache-fcgid.conf"),
        )
    },
    Setup {
        redirects: true,
        ..setup(
            "lighttpd",
            Software::Lighttpd,
            include_str!("../../examples/mounted/lighttpd.conf"),
        )
    },
];
