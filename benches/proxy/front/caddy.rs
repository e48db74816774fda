//! Caddy, on loopback only and without certificates.

use super::{Place, Upstream};

pub(super) fn config(place: &Place<'_>, transport: &str) -> String {
    let upstream = match place.upstream {
        Upstream::Tcp(address) => address.to_string(),
        Upstream::Unix(path) => format!("unix/{}", path.display()),
    };
    let protocol = place.choose("fastcgi", "http");
    let port = place.address.port();
    format!(
        "\
{{
    admin off
    auto_https off
    default_bind 127.0.0.1
    grace_period 1s
}}
http://:{port} {{
    reverse_proxy {upstream} {{
        transport {protocol} {{
            {transport}
        }}
    }}
}}
"
    )
}

pub(super) const ARGUMENTS: &[&str] = &["run", "--adapter", "caddyfile", "--config"];
