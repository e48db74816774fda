//! nginx with the server block of `examples/nginx.conf`.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::config::replace;

pub(crate) fn command(
    dir: &Path,
    address: SocketAddr,
    application: &str,
    keep_conn: bool,
    request_buffering: bool,
    extra: &str,
) -> io::Result<Command> {
    let site = replace(EXAMPLE, "listen 127.0.0.1:8080;", &format!("listen {address};"));
    let site = replace(&site, "server 127.0.0.1:9000;", &format!("server {application};"));
    let site = set(&site, "fastcgi_keep_conn on;", keep_conn);
    let site = set(&site, "fastcgi_request_buffering off;", request_buffering);
    std::fs::write(dir.join("site.conf"), site)?;
    let main = dir.join("nginx.conf");
    std::fs::write(&main, MAIN.replace("DIR", &dir.display().to_string()).replace("EXTRA", extra))?;

    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir).arg("-c").arg(main).args(["-e", "stderr"]);
    Ok(command)
}

fn set(site: &str, directive: &str, on: bool) -> String {
    let (name, _) = directive.split_once(' ').expect("a name and a value");
    replace(site, directive, &format!("{name} {};", if on { "on" } else { "off" }))
}

const EXAMPLE: &str = include_str!("../../examples/nginx.conf");

/// What Debian's own nginx.conf does around the server blocks, but in a directory that goes away, and as one process so
/// that it runs as the user who runs the test.
const MAIN: &str = "\
daemon off;
master_process off;
pid DIR/nginx.pid;
error_log stderr notice;
events {}
http {
    access_log off;
    client_body_temp_path DIR/body;
    fastcgi_temp_path DIR/fastcgi;
    proxy_temp_path DIR/proxy;
    scgi_temp_path DIR/scgi;
    uwsgi_temp_path DIR/uwsgi;
    EXTRA
    include DIR/site.conf;
}
";
