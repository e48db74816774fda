//! HAProxy with the application of `examples/haproxy.cfg`.

use std::io;
use std::process::Command;

use super::config::replace;
use crate::debian::Debian;
use crate::variant::{Program, Socket, Variant, Wiring};

pub(crate) fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    for debian in Debian::ALL {
        let program = Program::find("haproxy", "-v", 2, debian);
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
    variant.multiplexes = setup.backend == SHARED;
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
    let reason = "refuses with 400 a chunked upload that does not fit into `tune.bufsize`";
    variant.cannot("uploads::chunked_of_1_mib", reason);
    variant.cannot("uploads::chunked_of_64_mib", reason);
    variant.cannot("uploads::chunked_answered_early", reason);
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
    if ["mpxs-conns", "get-values"].contains(&setup.name) {
        variant.cannot_always(
            "load::requests_at_a_time",
            "answers 500 to some requests that share a connection with uploads",
        );
    }
    variant.cannot("responses::without_a_body", "gives a 304 a length of 0");
    variant.cannot(
        "responses::head_of_40_kib",
        "the head has to fit into `tune.bufsize`, 32 KiB here, else 502",
    );
    variant
}

fn command(wiring: &Wiring<'_>, setup: Setup) -> io::Result<Command> {
    let place = wiring.place;
    let address = wiring.application.with_prefix("unix@");
    let site = replace(EXAMPLE, "bind :8080", &format!("bind {}", wiring.listen));
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

    let mut command = place.command("haproxy");
    // In the foreground, as one process that ends when told to.
    command.args(["-db", "-f", &main]);
    Ok(command)
}

fn lines(options: &[&str]) -> String {
    options.iter().map(|option| format!("    {option}\n")).collect()
}

const SETUPS: [Setup; 5] = [
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
];

/// Else each client has connections of its own.
const SHARED: &[&str] = &["http-reuse always"];

const EXAMPLE: &str = include_str!("../../../examples/haproxy.cfg");
