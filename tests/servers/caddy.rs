//! Caddy with the site of `examples/Caddyfile`.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::config::replace;

pub(crate) fn command(dir: &Path, address: SocketAddr, application: &str) -> io::Result<Command> {
    let port = address.port();
    let upstream = application.replacen("unix:", "unix/", 1);
    let site = replace(EXAMPLE, "http://localhost:8080 {", &format!("http://:{port} {{"));
    let site =
        replace(&site, "reverse_proxy 127.0.0.1:9000 {", &format!("reverse_proxy {upstream} {{"));
    std::fs::write(dir.join("site"), site)?;
    let main = dir.join("Caddyfile");
    std::fs::write(&main, MAIN.replace("DIR", &dir.display().to_string()))?;

    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(main);
    command.envs(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, dir)));
    Ok(command)
}

const EXAMPLE: &str = include_str!("../../examples/Caddyfile");

/// Several instances side by side, on loopback only, without certificates, gone when told to.
const MAIN: &str = "\
{
\tadmin off
\tauto_https off
\tdefault_bind 127.0.0.1
\tgrace_period 1s
}
import DIR/site
";
