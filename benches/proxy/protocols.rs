//! FastCGI beside HTTP/1.1: the same app, the same web server, the nearest settings there are.

use crate::front::Front;
use crate::row::{Row, Side, Work};
use crate::table::Table;

pub(crate) const TABLE: Table = Table {
    name: "protocols",
    title: "FastCGI beside HTTP/1.1",
    sides: ["FastCGI", "HTTP/1.1"],
    rows: &[
        Row {
            name: "protocols/nginx/kept",
            title: "nginx, kept connections, Unix socket",
            work: Work::Hello,
            subject: Side::fastcgi(NGINX_FASTCGI),
            beside: Side::http(NGINX_HTTP),
        },
        Row {
            name: "protocols/nginx/tcp",
            title: "the same, TCP",
            work: Work::Hello,
            subject: Side::fastcgi(NGINX_FASTCGI).tcp(),
            beside: Side::http(NGINX_HTTP).tcp(),
        },
        Row {
            name: "protocols/nginx/forwarded",
            title: "the same, Unix, and HTTP/1.1 tells the client's address too (`proxy_params`)",
            work: Work::Hello,
            subject: Side::fastcgi(NGINX_FASTCGI),
            beside: Side::http(Front::Nginx {
                upstream: "keepalive 32;",
                location: "include /etc/nginx/proxy_params; proxy_set_header Connection \"\";",
            }),
        },
        Row {
            name: "protocols/nginx/canned",
            title: "the same, Unix, fixed bytes in the app's place",
            work: Work::Hello,
            subject: Side::fastcgi(NGINX_FASTCGI).canned(),
            beside: Side::http(NGINX_HTTP).canned(),
        },
        Row {
            name: "protocols/nginx/close",
            title: "nginx, a connection per request, Unix",
            work: Work::Hello,
            subject: Side::fastcgi(Front::Nginx { upstream: "", location: "" }),
            beside: Side::http(Front::Nginx { upstream: "", location: "" }),
        },
        Row {
            name: "protocols/nginx/64k",
            title: "nginx, kept, 64 KiB response",
            work: Work::Response64K,
            subject: Side::fastcgi(NGINX_FASTCGI),
            beside: Side::http(NGINX_HTTP),
        },
        Row {
            name: "protocols/nginx/1m",
            title: "nginx, kept, 1 MiB response",
            work: Work::Response1M,
            subject: Side::fastcgi(NGINX_FASTCGI),
            beside: Side::http(NGINX_HTTP),
        },
        Row {
            name: "protocols/nginx/upload",
            title: "nginx, kept, 1 MiB upload",
            work: Work::Upload1M,
            subject: Side::fastcgi(NGINX_FASTCGI),
            beside: Side::http(NGINX_HTTP),
        },
        Row {
            name: "protocols/haproxy/kept",
            title: "HAProxy, kept, Unix",
            work: Work::Hello,
            subject: Side::fastcgi(HAPROXY),
            beside: Side::http(HAPROXY),
        },
        Row {
            name: "protocols/haproxy/canned",
            title: "the same, FastCGI with fixed bytes in the app's place, HTTP/1.1 with the app",
            work: Work::Hello,
            subject: Side::fastcgi(HAPROXY).canned(),
            beside: Side::http(HAPROXY),
        },
        Row {
            name: "protocols/haproxy/multiplexed",
            title: "HAProxy, multiplexed; HTTP/1.1 cannot be, it is kept",
            work: Work::Hello,
            subject: Side::fastcgi(Front::Haproxy {
                defaults: "",
                app: "option mpxs-conns\n    option max-reqs 100",
                backend: "http-reuse always",
            }),
            beside: Side::http(HAPROXY),
        },
        Row {
            name: "protocols/caddy/default",
            title: "Caddy, Unix: a connection per request; HTTP/1.1 is kept",
            work: Work::Hello,
            subject: Side::fastcgi(CADDY),
            beside: Side::http(CADDY),
        },
        Row {
            name: "protocols/caddy/close",
            title: "Caddy, Unix, HTTP/1.1 with a connection per request too",
            work: Work::Hello,
            subject: Side::fastcgi(CADDY),
            beside: Side::http(Front::Caddy { transport: "keepalive off" }),
        },
    ],
};

/// What `examples/nginx.conf` sets.
const NGINX_FASTCGI: Front = Front::Nginx {
    upstream: "keepalive 32;",
    location: "\
        fastcgi_keep_conn on;
        fastcgi_request_buffering off;
        fastcgi_buffer_size 32k;
        fastcgi_buffers 8 32k;
        fastcgi_max_temp_file_size 0;",
};

const NGINX_HTTP: Front = Front::Nginx {
    upstream: "keepalive 32;",
    location: "\
        proxy_set_header Connection \"\";
        proxy_request_buffering off;
        proxy_buffer_size 32k;
        proxy_buffers 8 32k;
        proxy_max_temp_file_size 0;",
};

const HAPROXY: Front = Front::Haproxy { defaults: "", app: "", backend: "http-reuse always" };

const CADDY: Front = Front::Caddy { transport: "" };
