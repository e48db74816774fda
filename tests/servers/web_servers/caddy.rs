//! Caddy with the site of `examples/Caddyfile`.

use std::io;
use std::process::Command;

use super::config::replace;
use crate::debian::Debian;
use crate::foreground;
use crate::program::Program;
use crate::variant::{Socket, Variant, Wiring};

pub(crate) fn variants() -> Vec<Variant> {
    let program = Program::find("caddy", Debian::Bookworm);
    Socket::ALL.map(|socket| variant(&program, socket)).into()
}

fn variant(program: &Program, socket: Socket) -> Variant {
    let mut variant = Variant::new(program, socket, "", command);
    variant.software = "Caddy/";
    variant.cannot("methods::in_lower_case", "turns `get` into POST");
    variant.cannot("methods::options_carries_a_body", "drops the body of OPTIONS");
    variant.cannot("methods::options_of_the_server", "answers `OPTIONS *` itself");
    variant.cannot(
        "headers::with_underscores",
        "makes one variable of `X-Under` and `X_Under`, and one of two values is lost",
    );
    variant.cannot(
        "headers::that_no_client_sent",
        "adds an empty `User-Agent`, and to POST the type of a form",
    );
    variant.cannot(
        "headers::cookies_in_several_lines",
        "joins them with a comma, which a cookie's value may hold",
    );
    variant.cannot("params::server_port", "takes SERVER_PORT from the Host header, else 80");
    variant.cannot(
        "responses::status_is_no_header",
        "shows the client the `Status` that told it the status",
    );
    variant.never(
        "streams::client_leaves_a_silent_handler",
        "looks after its client only when it has something to write",
    );
    let reason = "sends a file only where its configuration handles such a response, else passes the header on";
    variant.cannot("files::x_accel_redirect", reason);
    variant.cannot("files::x_sendfile", reason);
    let reason = "takes any end of the connection for the end of the answer";
    variant.cannot("failures::cut_answer_of_unknown_length_is_seen", reason);
    variant.cannot("failures::panicking_body_of_unknown_length_is_seen", reason);
    variant
}

fn command(wiring: &Wiring<'_>) -> io::Result<Command> {
    let place = wiring.place;
    let upstream = wiring.application.with_prefix("unix/");
    let site =
        replace(EXAMPLE, "reverse_proxy 127.0.0.1:9000 {", &format!("reverse_proxy {upstream} {{"));
    let site = match wiring.patience {
        Some(patience) => {
            replace(&site, "read_timeout 60s", &format!("read_timeout {}s", patience.as_secs()))
        }
        None => site,
    };
    let listening = wiring.listening;
    let clear = [listening.main, listening.ipv6, listening.mapped].map(|address| {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        format!("http://:{port} {{\n\tbind {ip}")
    });
    let tls = format!(
        "https://localhost:{} {{\n\tbind {}\n\ttls {} {}",
        listening.tls.port(),
        listening.tls.ip(),
        place.path("cert.pem"),
        place.path("key.pem"),
    );
    let sites: String = clear
        .iter()
        .chain([&tls])
        .map(|head| replace(&site, "http://localhost:8080 {", head))
        .collect();
    let main = place.write("Caddyfile", &format!("{}{sites}", foreground::CADDY))?;
    Ok(place.web_server("caddy", &main))
}

const EXAMPLE: &str = include_str!("../../../examples/Caddyfile");
