//! Debian's web servers in the foreground, with all their files in one directory that goes away: `DIR` in the configurations here.

use std::ffi::OsStr;
use std::process::Command;

/// Adds what makes a web server stay in the foreground, with its files in `home`.
pub(crate) fn add_arguments(
    command: &mut Command,
    program: &str,
    home: impl AsRef<OsStr>,
    config: impl AsRef<OsStr>,
) {
    match program {
        "nginx" => command.args(["-e", "stderr", "-p"]).arg(home).arg("-c").arg(config),
        "caddy" => {
            command.envs(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, &home)));
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config)
        }
        "apache2" => command.args(["-DFOREGROUND", "-d"]).arg(home).arg("-f").arg(config),
        "haproxy" => command.args(["-db", "-f"]).arg(config),
        "lighttpd" => command.args(["-D", "-f"]).arg(config),
        _ => unreachable!("{program} is none of the five"),
    };
}

/// What Debian's own nginx.conf does around the lines of the `http` block, but as one process, so that it runs as the user who runs
/// the test.
pub(crate) fn nginx(http: &str) -> String {
    format!(
        "\
daemon off;
master_process off;
pid DIR/pid;
error_log stderr notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path DIR/body;
    fastcgi_temp_path DIR/fastcgi;
    proxy_temp_path DIR/proxy;
    scgi_temp_path DIR/scgi;
    uwsgi_temp_path DIR/uwsgi;
{http}
}}
"
    )
}

/// What Debian's own apache2.conf does before the sites, with modules whose names have a space between.
pub(crate) fn apache(modules: &str) -> String {
    let load = |name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n");
    let modules = ["mpm_event"].into_iter().chain(modules.split(' ')).map(load);
    APACHE.to_owned() + &modules.collect::<String>()
}

const APACHE: &str = "\
ServerName localhost
PidFile DIR/pid
Mutex file:DIR
ErrorLog DIR/error.log
User www-data
Group www-data
";

/// What Caddy needs before the sites: several instances side by side, without certificates of their own getting, gone when told to.
pub(crate) const CADDY: &str = "\
{
\tadmin off
\tauto_https off
\tskip_install_trust
\tgrace_period 1s
}
";
