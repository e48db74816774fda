//! The web servers' programs: what stands around a file of `examples/`, and how they are started.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::replace;
use crate::foreground;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Software {
    Nginx,
    Caddy,
    Haproxy,
    Apache,
    Lighttpd,
}

impl Software {
    pub(crate) const ALL: [Self; 5] =
        [Self::Nginx, Self::Caddy, Self::Haproxy, Self::Apache, Self::Lighttpd];

    /// Starts it with this configuration, in a directory that goes away.
    pub(crate) fn command(self, dir: &Path, ip: IpAddr, site: &str) -> io::Result<Command> {
        let main = self.write(dir, ip, site)?;
        let mut command = Command::new(self.program());
        if self == Self::Haproxy {
            // Else nothing reads the configuration anew.
            command.arg("-W");
        }
        foreground::add_arguments(&mut command, self.program(), dir, main);
        Ok(command)
    }

    /// Writes the configuration, with what a distribution has around it. The path is that of the main file.
    pub(crate) fn write(self, dir: &Path, ip: IpAddr, site: &str) -> io::Result<PathBuf> {
        let main = match self {
            Self::Nginx => {
                let main = foreground::nginx("    include DIR/site;");
                replace(&main, "master_process off;", "worker_processes 2;")
            }
            Self::Caddy => replace(foreground::CADDY, "\tadmin off\n", CADDY) + "import DIR/site\n",
            Self::Apache => foreground::apache(MODULES) + APACHE,
            Self::Haproxy | Self::Lighttpd => site.to_owned(),
        };
        fs::write(dir.join("site"), site)?;
        let path = dir.join("main");
        fs::write(
            &path,
            main.replace("DIR", &dir.display().to_string()).replace("IP_ADDRESS", &ip.to_string()),
        )?;
        Ok(path)
    }

    /// A file of `examples/` that listens on port 8080, or 8443 with TLS, moved to another address.
    pub(crate) fn at(self, site: &str, address: SocketAddr) -> String {
        let (ip, port) = (address.ip(), address.port());
        let (old, scheme) = if site.contains("8443") { (8443, "https") } else { (8080, "http") };
        let moved = |from: &str, to: &str| replace(site, from, to);
        match self {
            Self::Nginx | Self::Apache => {
                site.replace(&format!("127.0.0.1:{old}"), &address.to_string())
            }
            Self::Caddy => moved(
                &format!("{scheme}://localhost:{old} {{"),
                &format!("{scheme}://localhost:{port} {{"),
            ),
            Self::Haproxy => moved(&format!("bind :{old}"), &format!("bind {address}")),
            Self::Lighttpd => {
                let site = moved("bind = \"127.0.0.1\"", &format!("bind = \"{ip}\""));
                replace(&site, &format!("port = {old}"), &format!("port = {port}"))
            }
        }
    }

    /// A file of `examples/` whose application listens on port 9000, and others on those behind it, towards these.
    pub(crate) fn towards(self, site: &str, applications: &[SocketAddr]) -> String {
        let ports = 9000..;
        ports.zip(applications).fold(site.to_owned(), |site, (port, application)| {
            let (ip, new_port) = (application.ip(), application.port());
            match self {
                Self::Lighttpd => {
                    let old = format!("\"host\" => \"127.0.0.1\", \"port\" => {port}");
                    replace(&site, &old, &format!("\"host\" => \"{ip}\", \"port\" => {new_port}"))
                }
                _ => site.replace(&format!("127.0.0.1:{port}"), &application.to_string()),
            }
        })
    }

    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Apache => "apache2",
            Self::Lighttpd => "lighttpd",
        }
    }
}

const CADDY: &str = "\tadmin unix/DIR/admin\n\tdefault_bind IP_ADDRESS\n";

/// Of Apache.
const MODULES: &str =
    "alias authz_core env http2 fcgid proxy proxy_fcgi remoteip socache_shmcb ssl";

const APACHE: &str = "\
FcgidIPCDir DIR/fcgid
FcgidProcessTableFile DIR/fcgid-table
IncludeOptional DIR/site
";
