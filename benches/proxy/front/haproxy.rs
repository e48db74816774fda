//! HAProxy, which runs one thread for each core.

use super::{Place, Upstream};

pub(super) fn config(place: &Place<'_>, defaults: &str, app: &str, backend: &str) -> String {
    let server = match place.upstream {
        Upstream::Tcp(address) => address.to_string(),
        Upstream::Unix(path) => format!("unix@{}", path.display()),
    };
    let protocol = place.choose("proto fcgi", "");
    let fastcgi = if place.is_fastcgi {
        format!("    use-fcgi-app app\nfcgi-app app\n    docroot /\n    {app}\n")
    } else {
        String::new()
    };
    let address = place.address;
    format!(
        "\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    {defaults}
frontend web
    bind {address}
    default_backend app
backend app
    {backend}
    server app {server} {protocol}
{fastcgi}"
    )
}

pub(super) const ARGUMENTS: &[&str] = &["-db", "-f"];
