//! nginx as Debian runs it: one worker for each core.

use super::{Place, Upstream};

pub(super) fn config(place: &Place<'_>, upstream: &str, location: &str) -> String {
    let server = match place.upstream {
        Upstream::Tcp(address) => address.to_string(),
        Upstream::Unix(path) => format!("unix:{}", path.display()),
    };
    let pass = place.choose("fastcgi_pass app;", "proxy_pass http://app; proxy_http_version 1.1;");
    let address = place.address;
    format!(
        "\
daemon off;
worker_processes auto;
pid DIR/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path DIR/body;
    fastcgi_temp_path DIR/fastcgi;
    proxy_temp_path DIR/proxy;
    scgi_temp_path DIR/scgi;
    uwsgi_temp_path DIR/uwsgi;
    upstream app {{
        server {server};
        {upstream}
    }}
    server {{
        listen {address};
        client_max_body_size 100m;
        # Here, so that a location with params of its own has no others.
        include /etc/nginx/fastcgi_params;
        location / {{
            {pass}
            {location}
        }}
    }}
}}
"
    )
}

pub(super) const ARGUMENTS: &[&str] = &["-e", "stderr", "-c"];
