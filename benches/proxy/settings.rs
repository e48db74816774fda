//! The web servers' settings over FastCGI, each beside the setting in parentheses.

use crate::front::Front;
use crate::row::{Row, Side, Work};
use crate::table::Table;

pub(crate) const TABLE: Table = Table {
    name: "settings",
    title: "Settings of the web servers over FastCGI",
    sides: ["this setting", "the one in parentheses"],
    rows: &[
        Row {
            name: "settings/nginx/keep_conn",
            title: "nginx, `fastcgi_keep_conn on` with `keepalive 32` (neither)",
            work: Work::Hello,
            subject: nginx(KEEPALIVE, KEEP_CONN),
            beside: nginx("", ""),
        },
        Row {
            name: "settings/nginx/keep_conn-alone",
            title: "nginx, `fastcgi_keep_conn on` without `keepalive` (neither)",
            work: Work::Hello,
            subject: nginx("", KEEP_CONN),
            beside: nginx("", ""),
        },
        Row {
            name: "settings/nginx/keepalive",
            title: "nginx, kept, `keepalive 4` (32) for 32 clients",
            work: Work::Hello,
            subject: nginx("keepalive 4;", KEEP_CONN),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/nginx/unix",
            title: "nginx, kept, Unix (TCP)",
            work: Work::Hello,
            subject: nginx(KEEPALIVE, KEEP_CONN),
            beside: nginx(KEEPALIVE, KEEP_CONN).tcp(),
        },
        Row {
            name: "settings/nginx/unix-close",
            title: "nginx, a connection per request, Unix (TCP)",
            work: Work::Hello,
            subject: nginx("", ""),
            beside: nginx("", "").tcp(),
        },
        Row {
            name: "settings/nginx/params",
            title: "nginx, kept, 13 params (20 of `fastcgi_params`)",
            work: Work::Hello,
            subject: nginx(KEEPALIVE, FEW_PARAMS),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/nginx/buffers-64k",
            title: "nginx, kept, 64 KiB response, `fastcgi_buffers 8 32k` (8 4k)",
            work: Work::Response64K,
            subject: nginx(
                KEEPALIVE,
                "fastcgi_keep_conn on; fastcgi_buffer_size 32k; fastcgi_buffers 8 32k;",
            ),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/nginx/buffers-1m",
            title: "the same, 1 MiB response",
            work: Work::Response1M,
            subject: nginx(
                KEEPALIVE,
                "fastcgi_keep_conn on; fastcgi_buffer_size 32k; fastcgi_buffers 8 32k;",
            ),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/nginx/buffering-64k",
            title: "nginx, kept, 64 KiB response, `fastcgi_buffering off` (on)",
            work: Work::Response64K,
            subject: nginx(KEEPALIVE, "fastcgi_keep_conn on; fastcgi_buffering off;"),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/nginx/buffering-1m",
            title: "the same, 1 MiB response",
            work: Work::Response1M,
            subject: nginx(KEEPALIVE, "fastcgi_keep_conn on; fastcgi_buffering off;"),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/nginx/temp-file",
            title: "nginx, kept, 1 MiB response, `fastcgi_max_temp_file_size 0` (1024m)",
            work: Work::Response1M,
            subject: nginx(KEEPALIVE, "fastcgi_keep_conn on; fastcgi_max_temp_file_size 0;"),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/nginx/request_buffering",
            title: "nginx, kept, 1 MiB upload, `fastcgi_request_buffering off` (on)",
            work: Work::Upload1M,
            subject: nginx(KEEPALIVE, "fastcgi_keep_conn on; fastcgi_request_buffering off;"),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/nginx/request_buffering-body-buffer",
            title: "nginx, kept, 1 MiB upload, `fastcgi_request_buffering off` with `client_body_buffer_size 256k` (on, 16k)",
            work: Work::Upload1M,
            subject: nginx(
                KEEPALIVE,
                "fastcgi_keep_conn on; fastcgi_request_buffering off; client_body_buffer_size 256k;",
            ),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/nginx/body-buffer",
            title: "nginx, kept, 1 MiB upload, `client_body_buffer_size 2m` (16k)",
            work: Work::Upload1M,
            subject: nginx(KEEPALIVE, "fastcgi_keep_conn on; client_body_buffer_size 2m;"),
            beside: nginx(KEEPALIVE, KEEP_CONN),
        },
        Row {
            name: "settings/apache/enablereuse",
            title: "Apache, `enablereuse=on` (off)",
            work: Work::Hello,
            subject: apache("enablereuse=on"),
            beside: apache(""),
        },
        Row {
            name: "settings/apache/unix",
            title: "Apache, kept, Unix (TCP)",
            work: Work::Hello,
            subject: apache("enablereuse=on"),
            beside: apache("enablereuse=on").tcp(),
        },
        Row {
            name: "settings/apache/flushpackets-1m",
            title: "Apache, kept, 1 MiB response, `flushpackets=on` (off)",
            work: Work::Response1M,
            subject: apache("enablereuse=on flushpackets=on"),
            beside: apache("enablereuse=on"),
        },
        Row {
            name: "settings/apache/iobuffersize-1m",
            title: "Apache, kept, 1 MiB response, `iobuffersize=65536` (8192)",
            work: Work::Response1M,
            subject: apache("enablereuse=on iobuffersize=65536"),
            beside: apache("enablereuse=on"),
        },
        Row {
            name: "settings/apache/processes",
            title: "Apache, kept, one process of 64 threads (two)",
            work: Work::Hello,
            subject: Side::fastcgi(Front::Apache {
                processes: ONE_PROCESS,
                proxy_pass: "enablereuse=on",
            }),
            beside: apache("enablereuse=on"),
        },
        Row {
            name: "settings/haproxy/keep-conn",
            title: "HAProxy, `option keep-conn` (`no option keep-conn`)",
            work: Work::Hello,
            subject: haproxy("", REUSE),
            beside: haproxy("no option keep-conn", REUSE),
        },
        Row {
            name: "settings/haproxy/http-reuse",
            title: "HAProxy, kept, `http-reuse always` (safe)",
            work: Work::Hello,
            subject: haproxy("", REUSE),
            beside: haproxy("", ""),
        },
        Row {
            name: "settings/haproxy/get-values",
            title: "HAProxy, kept, `option get-values` (none)",
            work: Work::Hello,
            subject: haproxy("option get-values", REUSE),
            beside: haproxy("", REUSE),
        },
        Row {
            name: "settings/haproxy/unix",
            title: "HAProxy, kept, Unix (TCP)",
            work: Work::Hello,
            subject: haproxy("", REUSE),
            beside: haproxy("", REUSE).tcp(),
        },
        Row {
            name: "settings/haproxy/mpxs-conns",
            title: "HAProxy, `option mpxs-conns` with `max-reqs 100` (kept)",
            work: Work::Hello,
            subject: haproxy(MULTIPLEXED, REUSE),
            beside: haproxy("", REUSE),
        },
        Row {
            name: "settings/haproxy/mpxs-conns-alone",
            title: "HAProxy, `option mpxs-conns` without `max-reqs` (kept)",
            work: Work::Hello,
            subject: haproxy("option mpxs-conns", REUSE),
            beside: haproxy("", REUSE),
        },
        Row {
            name: "settings/haproxy/mpxs-reuse",
            title: "HAProxy, multiplexed, `http-reuse safe` (always)",
            work: Work::Hello,
            subject: haproxy(MULTIPLEXED, ""),
            beside: haproxy(MULTIPLEXED, REUSE),
        },
        Row {
            name: "settings/haproxy/mpxs-1m",
            title: "HAProxy, 1 MiB response, multiplexed (kept)",
            work: Work::Response1M,
            subject: haproxy(MULTIPLEXED, REUSE),
            beside: haproxy("", REUSE),
        },
        Row {
            name: "settings/lighttpd/unix",
            title: "lighttpd, Unix (TCP)",
            work: Work::Hello,
            subject: lighttpd(""),
            beside: lighttpd("").tcp(),
        },
        Row {
            name: "settings/lighttpd/stream-response-1",
            title: "lighttpd, 1 MiB response, `server.stream-response-body = 1` (0)",
            work: Work::Response1M,
            subject: lighttpd("server.stream-response-body = 1"),
            beside: lighttpd(""),
        },
        Row {
            name: "settings/lighttpd/stream-response-2",
            title: "lighttpd, 1 MiB response, `server.stream-response-body = 2` (0)",
            work: Work::Response1M,
            subject: lighttpd("server.stream-response-body = 2"),
            beside: lighttpd(""),
        },
        Row {
            name: "settings/lighttpd/stream-request-1",
            title: "lighttpd, 1 MiB upload, `server.stream-request-body = 1` (0)",
            work: Work::Upload1M,
            subject: lighttpd("server.stream-request-body = 1"),
            beside: lighttpd(""),
        },
        Row {
            name: "settings/lighttpd/stream-request-2",
            title: "lighttpd, 1 MiB upload, `server.stream-request-body = 2` (0)",
            work: Work::Upload1M,
            subject: lighttpd("server.stream-request-body = 2"),
            beside: lighttpd(""),
        },
        Row {
            name: "settings/caddy/unix",
            title: "Caddy, Unix (TCP)",
            work: Work::Hello,
            subject: Side::fastcgi(CADDY),
            beside: Side::fastcgi(CADDY).tcp(),
        },
    ],
};

const fn nginx(upstream: &'static str, location: &'static str) -> Side {
    Side::fastcgi(Front::Nginx { upstream, location })
}

const fn apache(proxy_pass: &'static str) -> Side {
    Side::fastcgi(Front::Apache { processes: "", proxy_pass })
}

const fn haproxy(app: &'static str, backend: &'static str) -> Side {
    Side::fastcgi(Front::Haproxy { defaults: "", app, backend })
}

const fn lighttpd(server: &'static str) -> Side {
    Side::fastcgi(Front::Lighttpd { server })
}

const KEEPALIVE: &str = "keepalive 32;";
const KEEP_CONN: &str = "fastcgi_keep_conn on;";

/// What the app can make use of; nginx names the headers by itself.
const FEW_PARAMS: &str = "\
    fastcgi_keep_conn on;
    fastcgi_param QUERY_STRING $query_string;
    fastcgi_param REQUEST_METHOD $request_method;
    fastcgi_param CONTENT_TYPE $content_type;
    fastcgi_param CONTENT_LENGTH $content_length;
    fastcgi_param REQUEST_URI $request_uri;
    fastcgi_param SERVER_PROTOCOL $server_protocol;
    fastcgi_param REQUEST_SCHEME $scheme;
    fastcgi_param HTTPS $https if_not_empty;
    fastcgi_param REMOTE_ADDR $remote_addr;
    fastcgi_param REMOTE_PORT $remote_port;
    fastcgi_param SERVER_PORT $server_port;
    fastcgi_param SERVER_NAME $server_name;
    fastcgi_param HTTP_HOST $host;";

const ONE_PROCESS: &str = "\
StartServers 1
ServerLimit 1
MaxRequestWorkers 64";

const REUSE: &str = "http-reuse always";
const MULTIPLEXED: &str = "option mpxs-conns\n    option max-reqs 100";
const CADDY: Front = Front::Caddy { transport: "" };
