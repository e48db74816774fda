//! HAProxy with the application of `examples/haproxy.cfg`.

use std::io;
use std::process::Command;

use super::config::replace;
use crate::debian::Debian;
use crate::program::Program;
use crate::variant::{Socket, Variant, Wiring};

pub(crate) fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    for debian in Debian::ALL {
        let program = Program::find("haproxy", debian);
        for socket in Socket::ALL {
            variants.extend(SETUPS.map(|setup| variant(&program, socket, setup)));
        }
    }
    variants
}

/// How HAProxy uses its connections to the application.
#[derive(Debug, Clone, Copy)]
struct Setup {
    name: &'static str,
    /// In place of `option keep-conn`.
    options: &'static [&'static str],
    /// What the backend section has more.
    backend: &'static [&'static str],
}

fn variant(program: &Program, socket: Socket, setup: Setup) -> Variant {
    let mut variant =
        Variant::new(program, socket, setup.name, move |wiring| command(wiring, setup));
    variant.software = "HAProxy";
    variant.keeps_connections = setup.name != "close";
    variant.is_asked_most = setup.name == "keep" && socket == Socket::Unix;
    variant.multiplexes = setup.backend == SHARED;
    variant.asks_for_multiplexing = setup.name == "get-values-shared";
    variant.shares_connections =
        ["mpxs-conns", "max-reqs", "get-values-shared"].contains(&setup.name);
    variant.cannot("methods::options_of_the_server", "answers `OPTIONS *` with 500");
    let reason = "refuses with 400 what is not ASCII, without `option accept-invalid-http-request`";
    variant.cannot("uris::utf8_bytes_arrive", reason);
    variant.cannot("uris::latin1_bytes_arrive", reason);
    variant.cannot(
        "uris::absolute_form_of_another_host",
        "refuses with 400 a target whose authority is not the Host header's",
    );
    variant.cannot("params::scheme", "sends no REQUEST_SCHEME");
    variant.cannot(
        "params::remote_user_is_checked",
        "fills REMOTE_USER from a Basic header that nobody checked",
    );
    let reason = "refuses an upload without a length that does not fit into `tune.bufsize`";
    variant.cannot("uploads::chunked_of_1_mib", reason);
    variant.cannot("uploads::chunked_of_64_mib", reason);
    variant.cannot("uploads::chunked_answered_early", reason);
    variant.cannot("tls::http_2_upload_without_a_length", reason);
    if setup.name != "close" {
        variant.never(
            "streams::client_leaves_a_silent_handler",
            "keeps the connection, and tells nobody that the client left",
        );
    } else if program.version.as_deref() == Some("2.6") {
        variant.never(
            "streams::client_leaves_a_silent_handler",
            "looks after its client only when it has something to write",
        );
    }
    if ["mpxs-conns", "get-values", "get-values-shared"].contains(&setup.name) {
        variant.cannot_always(
            "load::requests_at_a_time",
            "answers 500 to some requests that share a connection with uploads",
        );
    }
    if variant.shares_connections {
        variant.cannot(
            "load::a_client_that_never_reads",
            "holds up all requests that share a connection with one whose client does not read",
        );
    }
    variant.cannot("responses::without_a_body", "gives a 304 a length of 0");
    let reason = "the head has to fit into `tune.bufsize`, 32 KiB here, else 502";
    variant.cannot("responses::head_of_40_kib", reason);
    variant.cannot("responses::head_of_60_kib", reason);
    variant.cannot(
        "headers::of_60_kib_together",
        "the headers have to fit into `tune.bufsize`, 32 KiB here, else 400",
    );
    variant.cannot("files::x_accel_redirect", "sends no files, and passes the header on");
    variant.cannot("files::x_sendfile", "sends no files, and passes the header on");
    variant
}

fn command(wiring: &Wiring<'_>, setup: Setup) -> io::Result<Command> {
    let place = wiring.place;
    let address = wiring.application.with_prefix("unix@");
    let listening = wiring.listening;
    let clear = listening.clear().map(|address| format!("bind {address}")).join("\n    ");
    let (tls, pem) = (listening.tls, place.path("both.pem"));
    let bind = format!("{clear}\n    bind {tls} ssl crt {pem} alpn h2,http/1.1");
    let site = replace(EXAMPLE, "bind :8080", &bind);
    let site = replace(&site, "server app1 127.0.0.1:9000", &format!("server app1 {address}"));
    let site = replace(&site, "    option keep-conn\n", &lines(setup.options));
    let backend = format!("    use-fcgi-app app\n{}", lines(setup.backend));
    let site = replace(&site, "    use-fcgi-app app\n", &backend);
    let site = match wiring.patience {
        Some(patience) => {
            replace(&site, "timeout server 60s", &format!("timeout server {}s", patience.as_secs()))
        }
        None => site,
    };
    let main = place.write("haproxy.cfg", &site)?;
    Ok(place.web_server("haproxy", &main))
}

fn lines(options: &[&str]) -> String {
    options.iter().map(|option| format!("    {option}\n")).collect()
}

const SETUPS: [Setup; 6] = [
    Setup { name: "close", options: &["no option keep-conn"], backend: &["option abortonclose"] },
    Setup { name: "keep", options: &["option keep-conn"], backend: &[] },
    Setup {
        name: "mpxs-conns",
        options: &["option keep-conn", "option mpxs-conns", "option max-reqs 20"],
        backend: SHARED,
    },
    Setup {
        name: "max-reqs",
        options: &["option keep-conn", "option mpxs-conns", "option max-reqs 2"],
        backend: SHARED,
    },
    Setup {
        name: "get-values",
        options: &["option keep-conn", "option get-values", "option max-reqs 20"],
        backend: SHARED,
    },
    // The same with an application that takes several requests at a time.
    Setup {
        name: "get-values-shared",
        options: &["option keep-conn", "option get-values", "option max-reqs 20"],
        backend: SHARED,
    },
];

/// Else each client has connections of its own.
const SHARED: &[&str] = &["http-reuse always"];

const EXAMPLE: &str = include_str!("../../../examples/haproxy.cfg");
