//! The web servers' programs: what stands around a file of `examples/`, and how they are started.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::replace;

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
        match self {
            Self::Nginx => {
                command.arg("-p").arg(dir).arg("-c").arg(main).args(["-e", "stderr"]);
            }
            Self::Caddy => {
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(main);
                command.envs(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, dir)));
            }
            Self::Haproxy => {
                command.args(["-W", "-db"]).arg("-f").arg(main);
            }
            Self::Apache => {
                command.arg("-d").arg(dir).arg("-f").arg(main).arg("-DFOREGROUND");
            }
            Self::Lighttpd => {
                command.arg("-D").arg("-f").arg(main);
            }
        }
        Ok(command)
    }

    /// Writes the configuration, with what a distribution has around it. The path is that of the main file.
    pub(crate) fn write(self, dir: &Path, ip: IpAddr, site: &str) -> io::Result<PathBuf> {
        let main = match self {
            Self::Nginx => NGINX.to_owned(),
            Self::Caddy => CADDY.to_owned(),
            Self::Apache => APACHE.to_owned(),
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

const NGINX: &str = "\
daemon off;
worker_processes 2;
pid DIR/pid;
error_log stderr notice;
events {}
http {
    access_log off;
    client_body_temp_path DIR/body;
    fastcgi_temp_path DIR/fastcgi;
    proxy_temp_path DIR/proxy;
    scgi_temp_path DIR/scgi;
    uwsgi_temp_path DIR/uwsgi;
    include DIR/site;
}
";

const CADDY: &str = "\
{
\tadmin unix/DIR/admin
\tauto_https off
\tdefault_bind IP_ADDRESS
\tgrace_period 1s
\tskip_install_trust
}
import DIR/site
";

const APACHE: &str = "\
PidFile DIR/pid
Mutex file:DIR
ErrorLog DIR/error.log
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
LoadModule fcgid_module /usr/lib/apache2/modules/mod_fcgid.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_fcgi_module /usr/lib/apache2/modules/mod_proxy_fcgi.so
LoadModule remoteip_module /usr/lib/apache2/modules/mod_remoteip.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
FcgidIPCDir DIR/fcgid
FcgidProcessTableFile DIR/fcgid-table
ServerName localhost
IncludeOptional DIR/site
";
