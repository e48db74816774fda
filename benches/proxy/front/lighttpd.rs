//! lighttpd, which is one process with one thread.

use super::{Place, Upstream};

pub(super) fn config(place: &Place<'_>, server: &str) -> String {
    let upstream = match place.upstream {
        Upstream::Tcp(address) => {
            format!(r#""host" => "{}", "port" => {}"#, address.ip(), address.port())
        }
        Upstream::Unix(path) => format!(r#""socket" => "{}""#, path.display()),
    };
    let pass = if place.is_fastcgi {
        format!(
            r#"fastcgi.server = ("/" => (({upstream}, "check-local" => "disable", "fix-root-scriptname" => "enable")))"#
        )
    } else {
        format!(r#"proxy.server = ("" => (({upstream})))"#)
    };
    let port = place.address.port();
    format!(
        r#"
server.modules = ("mod_fastcgi", "mod_proxy")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "DIR"
server.upload-dirs = ("DIR")
{server}
{pass}
"#
    )
}

pub(super) const ARGUMENTS: &[&str] = &["-D", "-f"];
