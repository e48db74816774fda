//! The web servers, each with a small configuration of its own that takes the lines that are to be measured.

mod apache;
mod caddy;
mod haproxy;
mod lighttpd;
mod nginx;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;
use crate::program::guard;

/// A web server and the lines of its configuration that matter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Front {
    Nginx {
        upstream: &'static str,
        location: &'static str,
    },
    Apache {
        /// Of the multi-processing module `event`.
        processes: &'static str,
        /// Behind the address in ProxyPass.
        proxy_pass: &'static str,
    },
    Haproxy {
        defaults: &'static str,
        /// Of the section `fcgi-app`.
        app: &'static str,
        backend: &'static str,
    },
    Lighttpd {
        server: &'static str,
    },
    Caddy {
        transport: &'static str,
    },
}

/// Where a web server is, and what it serves.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) address: SocketAddr,
    pub(crate) upstream: &'a Upstream,
    pub(crate) is_fastcgi: bool,
}

/// The address of a backend.
#[derive(Debug)]
pub(crate) enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Front {
    /// Writes the configuration and gives the command that runs with it.
    pub(crate) fn command(self, place: &Place<'_>) -> io::Result<Command> {
        let (program, arguments, config) = match self {
            Self::Nginx { upstream, location } => {
                (NGINX, nginx::ARGUMENTS, nginx::config(place, upstream, location))
            }
            Self::Apache { processes, proxy_pass } => {
                (APACHE, apache::ARGUMENTS, apache::config(place, processes, proxy_pass))
            }
            Self::Haproxy { defaults, app, backend } => {
                (HAPROXY, haproxy::ARGUMENTS, haproxy::config(place, defaults, app, backend))
            }
            Self::Lighttpd { server } => {
                (LIGHTTPD, lighttpd::ARGUMENTS, lighttpd::config(place, server))
            }
            Self::Caddy { transport } => (CADDY, caddy::ARGUMENTS, caddy::config(place, transport)),
        };
        let path = place.dir.join("config");
        let dir = place.dir.display().to_string();
        std::fs::write(&path, config.replace("DIR", &dir))?;
        let mut command = guard::program(program)?;
        command.args(arguments).arg(path).current_dir(place.dir);
        command.envs(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, place.dir)));
        Ok(command)
    }

    /// Its name and version.
    pub(crate) fn version(self) -> String {
        let (name, program, argument) = match self {
            Self::Nginx { .. } => ("nginx", NGINX, "-v"),
            Self::Apache { .. } => ("Apache", APACHE, "-v"),
            Self::Haproxy { .. } => ("HAProxy", HAPROXY, "-v"),
            Self::Lighttpd { .. } => ("lighttpd", LIGHTTPD, "-v"),
            Self::Caddy { .. } => ("Caddy", CADDY, "version"),
        };
        format!("{name} {}", machine::version(program, &[argument]))
    }
}

impl Place<'_> {
    /// The lines for one of the protocols.
    fn choose<'a>(&self, fastcgi: &'a str, http: &'a str) -> &'a str {
        if self.is_fastcgi { fastcgi } else { http }
    }
}

const NGINX: &str = "nginx";
const APACHE: &str = "apache2";
const HAPROXY: &str = "haproxy";
const LIGHTTPD: &str = "lighttpd";
const CADDY: &str = "caddy";
