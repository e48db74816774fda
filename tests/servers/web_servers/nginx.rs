//! nginx with the server block of `examples/nginx.conf`.

use std::fmt::Write as _;
use std::io;
use std::process::Command;

use super::config::replace;
use crate::debian::Debian;
use crate::foreground;
use crate::program::Program;
use crate::spawned::Spawner;
use crate::variant::{Socket, Variant, Wiring};

pub(crate) fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    for debian in Debian::ALL {
        let program = Program::find("nginx", debian);
        for socket in Socket::ALL {
            variants.extend(SETUPS.map(|setup| variant(&program, socket, setup)));
        }
        if debian == Debian::Bookworm {
            variants.push(spawned(&program, Socket::Unix, "spawn-fcgi", 1));
            variants.push(spawned(&program, Socket::Unix, "spawn-fcgi-F3", 3));
            variants.push(spawned(&program, Socket::Tcp, "spawn-fcgi-F3", 3));
        }
    }
    variants
}

#[derive(Debug, Clone, Copy)]
struct Setup {
    name: &'static str,
    keep_conn: bool,
    request_buffering: bool,
}

fn variant(program: &Program, socket: Socket, setup: Setup) -> Variant {
    let mut variant =
        Variant::new(program, socket, setup.name, move |wiring| command(wiring, setup));
    variant.software = "nginx/";
    variant.keeps_connections = setup.keep_conn;
    variant.is_asked_most = setup.name == "keep/unbuffered" && socket == Socket::Unix;
    variant.cannot("uris::of_9_kib", "takes 8 KiB for a request line, else answers 414");
    let reason = "takes 8 KiB for a header and 32 KiB for all, else answers 400";
    variant.cannot("headers::of_16_kib", reason);
    variant.cannot("headers::of_60_kib_together", reason);
    variant.cannot("headers::host", "Debian's `fastcgi_params` pass `$host`, which has no port");
    variant.cannot("methods::options_of_the_server", "refuses `OPTIONS *` with 400");
    let reason = "the head has to fit into `fastcgi_buffer_size`, 32 KiB here, else 502";
    variant.cannot("responses::head_of_40_kib", reason);
    variant.cannot("responses::head_of_60_kib", reason);
    variant.cannot("files::x_sendfile", "knows no `X-Sendfile`, and passes it on");
    variant.cannot(
        "params::remote_user_is_checked",
        "fills REMOTE_USER from a Basic header that nobody checked",
    );
    if !setup.keep_conn {
        variant.never(
            "streams::events_are_prompt",
            "gathers what a connection that is not kept sends, without `X-Accel-Buffering: no`",
        );
    }
    if setup.request_buffering {
        let reason = "`fastcgi_request_buffering on` gathers each upload first";
        variant.never("uploads::reach_the_application_as_they_come", reason);
        variant.never("uploads::that_the_client_leaves", reason);
    }
    variant
}

/// In front of processes that spawn-fcgi has started.
fn spawned(program: &Program, socket: Socket, name: &'static str, processes: usize) -> Variant {
    let setup = Setup { name, keep_conn: true, request_buffering: false };
    let mut variant = variant(program, socket, setup);
    variant.spawner = Some(Spawner::SpawnFcgi { processes });
    variant
}

fn command(wiring: &Wiring<'_>, setup: Setup) -> io::Result<Command> {
    let place = wiring.place;
    let listening = wiring.listening;
    let mut listen: String = listening
        .clear()
        .iter()
        .map(|address| format!("listen {address} ipv6only=off;\n"))
        .collect();
    listen = listen.replacen(" ipv6only=off", "", 1);
    let _ = write!(
        listen,
        "listen {} ssl http2;\nssl_certificate {};\nssl_certificate_key {};\n{FILES}",
        listening.tls,
        place.path("cert.pem"),
        place.path("key.pem"),
    );
    let listen = listen.replace("DIR", &place.home());
    let upstream = format!("server {};", wiring.application.with_prefix("unix:"));
    let site = replace(EXAMPLE, "listen 127.0.0.1:8080;", &listen);
    let site = replace(&site, "server 127.0.0.1:9000;", &upstream);
    let site = set(&site, "fastcgi_keep_conn on;", setup.keep_conn);
    let site = set(&site, "fastcgi_request_buffering off;", setup.request_buffering);
    place.write("site.conf", &site)?;
    let patience = wiring.patience.map(|patience| patience.as_secs());
    let timeout = patience.map(|seconds| format!("fastcgi_read_timeout {seconds}s;"));
    let main = format!("{}\ninclude DIR/site.conf;", timeout.unwrap_or_default());
    let main = foreground::nginx(&main).replace("DIR", &place.home());
    let main = place.write("nginx.conf", &main)?;
    Ok(place.web_server("nginx", &main))
}

fn set(site: &str, directive: &str, on: bool) -> String {
    let (name, _) = directive.split_once(' ').expect("a name and a value");
    replace(site, directive, &format!("{name} {};", if on { "on" } else { "off" }))
}

const SETUPS: [Setup; 4] = [
    Setup { name: "keep/unbuffered", keep_conn: true, request_buffering: false },
    Setup { name: "keep/buffered", keep_conn: true, request_buffering: true },
    Setup { name: "close/unbuffered", keep_conn: false, request_buffering: false },
    Setup { name: "close/buffered", keep_conn: false, request_buffering: true },
];

const EXAMPLE: &str = include_str!("../../../examples/nginx.conf");

/// What responses with `X-Accel-Redirect` may name.
const FILES: &str = "location /files/ { internal; alias DIR/; }";
