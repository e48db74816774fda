//! lighttpd with `examples/lighttpd.conf`.

use std::io;
use std::process::Command;

use super::config::replace;
use crate::debian::Debian;
use crate::variant::{Program, Socket, Upstream, Variant, Wiring};

pub(crate) fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    for debian in Debian::ALL {
        let program = Program::find("lighttpd", "-v", 3, debian);
        for socket in Socket::ALL {
            variants.extend(SETUPS.map(|setup| variant(&program, socket, setup)));
        }
    }
    variants
}

#[derive(Debug, Clone, Copy)]
struct Setup {
    name: &'static str,
    /// Whether bodies are passed on as they come.
    streams: bool,
}

fn variant(program: &Program, socket: Socket, setup: Setup) -> Variant {
    let mut variant =
        Variant::new(program, socket, setup.name, move |wiring| command(wiring, setup));
    variant.software = "lighttpd/";
    variant.cannot("methods::unknown_arrive_unchanged", "refuses unknown methods with 501");
    variant.cannot("methods::without_a_length", "refuses POST without a length with 411");
    variant.cannot("methods::options_of_the_server", "answers `OPTIONS *` itself");
    if program.debian == Debian::Bookworm {
        variant.cannot("methods::get_carries_a_body", "refuses a body of GET with 400");
    }
    variant.cannot(
        "uris::absolute_form_of_another_host",
        "refuses with 400 a target whose authority is not the Host header's",
    );
    variant.cannot(
        "headers::with_underscores",
        "makes one variable of `X-Under` and `X_Under`, and one of two values is lost",
    );
    variant.never(
        "streams::client_leaves_a_silent_handler",
        "looks after its client only when it has something to write",
    );
    if setup.streams {
        let reason = "`server.stream-request-body` refuses chunked uploads with 411";
        variant.cannot("uploads::chunked_of_1_mib", reason);
        variant.cannot("uploads::chunked_of_64_mib", reason);
        variant.cannot("uploads::chunked_answered_early", reason);
    } else {
        let reason = "without `server.stream-request-body` gathers each upload first";
        variant.never("uploads::reach_the_application_as_they_come", reason);
        variant.never("uploads::that_the_client_leaves", reason);
        let reason = "without `server.stream-response-body` gathers each response first";
        variant.never("streams::events_are_prompt", reason);
        variant.never("streams::events_are_prompt_on_demand", reason);
        let reason = "takes any end of the connection for the end of the answer, without `server.stream-response-body`";
        variant.cannot("failures::cut_answer_of_unknown_length_is_seen", reason);
        variant.cannot("failures::panicking_body_of_unknown_length_is_seen", reason);
    }
    variant
}

fn command(wiring: &Wiring<'_>, setup: Setup) -> io::Result<Command> {
    let place = wiring.place;
    let (ip, port) = (wiring.listen.ip(), wiring.listen.port());
    let upstream = match wiring.application {
        Upstream::Tcp(address) => {
            let (host, port) = address.rsplit_once(':').expect("an address has a port");
            format!(r#""host" => "{host}", "port" => {port},"#)
        }
        Upstream::Unix(path) => format!(r#""socket" => "{path}","#),
    };
    let upstream = match wiring.patience {
        Some(patience) => format!(r#"{upstream} "read-timeout" => {},"#, patience.as_secs()),
        None => upstream,
    };
    let site =
        replace(EXAMPLE, r#"server.bind = "127.0.0.1""#, &format!(r#"server.bind = "{ip}""#));
    let site = replace(&site, "server.port = 8080", &format!("server.port = {port}"));
    let site = replace(&site, r#""host" => "127.0.0.1", "port" => 9000,"#, &upstream);
    let site = set(&site, "server.stream-request-body", setup.streams);
    let site = set(&site, "server.stream-response-body", setup.streams);
    let uploads = format!("server.upload-dirs = ( \"{}\" )\n", place.home());
    let main = place.write("lighttpd.conf", &format!("{site}{uploads}"))?;

    let mut command = place.command("lighttpd");
    command.args(["-D", "-f", &main]);
    Ok(command)
}

fn set(site: &str, name: &str, streams: bool) -> String {
    replace(site, &format!("{name} = 2"), &format!("{name} = {}", if streams { 2 } else { 0 }))
}

const SETUPS: [Setup; 2] =
    [Setup { name: "stream", streams: true }, Setup { name: "buffer", streams: false }];

const EXAMPLE: &str = include_str!("../../../examples/lighttpd.conf");
