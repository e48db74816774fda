//! h2o with `examples/h2o.conf`. Debian has had it up to bookworm.

use std::fmt::Write as _;
use std::io;
use std::process::Command;

use super::config::replace;
use crate::debian::Debian;
use crate::program::Program;
use crate::variant::{Socket, Upstream, Variant, Wiring};

pub(crate) fn variants() -> Vec<Variant> {
    let program = Program::find("h2o", Debian::Bookworm);
    Socket::ALL.map(|socket| variant(&program, socket)).into()
}

fn variant(program: &Program, socket: Socket) -> Variant {
    let mut variant = Variant::new(program, socket, "", command);
    variant.software = "h2o/";
    variant.cannot("methods::head_has_no_body", "closes the client's connection after HEAD");
    let reason = "takes fewer than 100 headers, else answers 400";
    variant.cannot("headers::a_hundred", reason);
    variant.cannot("headers::four_hundred", reason);
    variant.cannot(
        "headers::with_underscores",
        "makes one variable of `X-Under` and `X_Under`, and cannot tell which is which",
    );
    variant.cannot("headers::cookies_in_several_lines", "joins them with `;` and no space");
    variant.cannot("params::describe_the_request", "sends no GATEWAY_INTERFACE");
    variant.cannot("params::scheme", "sends no REQUEST_SCHEME");
    let reason = "gathers each upload first";
    variant.never("uploads::reach_the_application_as_they_come", reason);
    variant.never("uploads::that_the_client_leaves", reason);
    variant.cannot("files::x_accel_redirect", "knows no `X-Accel-Redirect`, and passes it on");
    variant.cannot("files::x_sendfile", "knows no `X-Sendfile`, and passes it on");
    variant.never(
        "streams::client_leaves_a_silent_handler",
        "looks after its client only when it has something to write",
    );
    let reason = "takes any end of the connection for the end of the answer";
    variant.cannot("failures::cut_answer_of_unknown_length_is_seen", reason);
    variant.cannot("failures::panicking_body_of_unknown_length_is_seen", reason);
    variant
}

fn command(wiring: &Wiring<'_>) -> io::Result<Command> {
    let place = wiring.place;
    let listening = wiring.listening;
    let mut listen = String::from("user: root\n");
    for address in [listening.main, listening.ipv6, listening.mapped] {
        let ip = address.ip().to_canonical();
        let _ = writeln!(listen, "listen: {{ host: \"{ip}\", port: {} }}", address.port());
    }
    let (ip, port) = (listening.tls.ip(), listening.tls.port());
    let (cert, key) = (place.path("cert.pem"), place.path("key.pem"));
    let _ = writeln!(
        listen,
        "listen: {{ host: \"{ip}\", port: {port}, ssl: {{ certificate-file: {cert}, key-file: {key} }} }}"
    );
    let site = replace(EXAMPLE, "listen:\n  host: 127.0.0.1\n  port: 8080\n", &listen);
    let site = replace(&site, CONNECT, &connect(wiring));
    let site = match wiring.patience {
        Some(patience) => replace(&site, "io: 60000", &format!("io: {}", patience.as_millis())),
        None => site,
    };
    let main = place.write("h2o.conf", &site)?;

    let mut command = place.command("h2o");
    command.args(["-m", "worker", "-c", &main]);
    Ok(command)
}

fn connect(wiring: &Wiring<'_>) -> String {
    match wiring.application {
        Upstream::Tcp(address) => {
            let (host, port) = address.rsplit_once(':').expect("an address has a port");
            format!("fastcgi.connect: {{ host: {host}, port: {port}, type: tcp }}\n")
        }
        Upstream::Unix(path) => format!("fastcgi.connect: {{ port: {path}, type: unix }}\n"),
    }
}

const EXAMPLE: &str = include_str!("../../../examples/h2o.conf");
const CONNECT: &str = "\
fastcgi.connect:
          host: 127.0.0.1
          port: 9000
          type: tcp
";
