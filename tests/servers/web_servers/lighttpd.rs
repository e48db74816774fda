//! lighttpd with `examples/lighttpd.conf`.

use std::io;
use std::process::Command;

use super::config::replace;
use crate::debian::Debian;
use crate::program::Program;
use crate::spawned::{self, Spawner};
use crate::variant::{Socket, Upstream, Variant, Wiring};

pub(crate) fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    for debian in Debian::ALL {
        let program = Program::find("lighttpd", debian);
        for socket in Socket::ALL {
            variants.extend(SETUPS.map(|setup| variant(&program, socket, setup)));
        }
        variants.push(variant(&program, Socket::Unix, SPAWN));
    }
    variants
}

#[derive(Debug, Clone, Copy)]
struct Setup {
    name: &'static str,
    /// Whether bodies are passed on as they come.
    streams: bool,
    /// Whether lighttpd starts the application.
    spawns: bool,
}

fn variant(program: &Program, socket: Socket, setup: Setup) -> Variant {
    let mut variant =
        Variant::new(program, socket, setup.name, move |wiring| command(wiring, setup));
    variant.software = "lighttpd/";
    variant.avoids_after_failure = true;
    variant.spawner = setup.spawns.then_some(Spawner::WebServer);
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
    variant.cannot("headers::with_dots", "makes one variable of `X-Dot` and `X.Dot`");
    variant.cannot(
        "headers::of_60_kib_together",
        "takes 32 KiB for all headers, as `server.max-request-field-size` says here, else answers 431",
    );
    variant.cannot("files::x_accel_redirect", "knows no `X-Accel-Redirect`, and passes it on");
    variant.never(
        "streams::client_leaves_a_silent_handler",
        "looks after its client only when it has something to write",
    );
    if setup.streams {
        let reason = "`server.stream-request-body` refuses uploads without a length with 411";
        variant.cannot("uploads::chunked_of_1_mib", reason);
        variant.cannot("uploads::chunked_of_64_mib", reason);
        variant.cannot("uploads::chunked_answered_early", reason);
        variant.cannot("tls::http_2_upload_without_a_length", reason);
    } else {
        let reason = "without `server.stream-request-body` gathers each upload first";
        variant.never("uploads::reach_the_application_as_they_come", reason);
        variant.never("uploads::that_the_client_leaves", reason);
        let reason = "without `server.stream-response-body` gathers each response first";
        variant.never("streams::events_are_prompt", reason);
        variant.never("streams::events_are_prompt_on_demand", reason);
        variant.never("streams::client_leaves_a_response", reason);
        let reason = "takes any end of the connection for the end of the answer, without `server.stream-response-body`";
        variant.cannot("failures::cut_answer_of_unknown_length_is_seen", reason);
        variant.cannot("failures::panicking_body_of_unknown_length_is_seen", reason);
    }
    variant
}

fn command(wiring: &Wiring<'_>, setup: Setup) -> io::Result<Command> {
    let place = wiring.place;
    let listening = wiring.listening;
    let (ip, port) = (listening.main.ip(), listening.main.port());
    let upstream = match wiring.application {
        Upstream::Tcp(address) => {
            let (host, port) = address.rsplit_once(':').expect("an address has a port");
            format!(r#""host" => "{host}", "port" => {port},"#)
        }
        Upstream::Unix(path) => format!(r#""socket" => "{path}","#),
    };
    let upstream = format!(
        r#"{upstream} "x-sendfile" => "enable", "x-sendfile-docroot" => ( "{}" ),"#,
        place.home()
    );
    let upstream = match wiring.patience {
        Some(patience) => format!(r#"{upstream} "read-timeout" => {},"#, patience.as_secs()),
        None => upstream,
    };
    let upstream = match wiring.program {
        Some(program) => format!("{upstream} {}", spawn(program)),
        None => upstream,
    };
    let site =
        replace(EXAMPLE, r#"server.bind = "127.0.0.1""#, &format!(r#"server.bind = "{ip}""#));
    let site = replace(&site, "server.port = 8080", &format!("server.port = {port}"));
    let site = replace(&site, r#""host" => "127.0.0.1", "port" => 9000,"#, &upstream);
    let site = set(&site, "server.stream-request-body", setup.streams);
    let site = set(&site, "server.stream-response-body", setup.streams);
    let site = replace(&site, r#"( "mod_setenv","#, r#"( "mod_openssl", "mod_setenv","#);
    let more = MORE
        .replace("DIR", &place.home())
        .replace("IPV6", &listening.ipv6.to_string())
        .replace("MAPPED", &listening.mapped.to_string())
        .replace("TLS", &listening.tls.to_string());
    let main = place.write("lighttpd.conf", &format!("{site}{more}"))?;
    Ok(place.web_server("lighttpd", &main))
}

/// Two processes, each with a socket of its own.
fn spawn(program: &spawned::Program) -> String {
    let (path, name, stage) = (&program.path, spawned::STAGE, &program.stage);
    format!(
        r#""bin-path" => "{path}", "bin-environment" => ( "{name}" => "{stage}" ), "max-procs" => 2,"#
    )
}

fn set(site: &str, name: &str, streams: bool) -> String {
    replace(site, &format!("{name} = 2"), &format!("{name} = {}", if streams { 2 } else { 0 }))
}

const SETUPS: [Setup; 2] = [
    Setup { name: "stream", streams: true, spawns: false },
    Setup { name: "buffer", streams: false, spawns: false },
];
const SPAWN: Setup = Setup { name: "bin-path", streams: true, spawns: true };

/// Where it listens, too, and where it keeps uploads.
const MORE: &str = r#"
server.upload-dirs = ( "DIR" )
$SERVER["socket"] == "IPV6" { }
$SERVER["socket"] == "MAPPED" { server.set-v6only = "disable" }
$SERVER["socket"] == "TLS" {
    ssl.engine = "enable"
    ssl.pemfile = "DIR/both.pem"
}
"#;

const EXAMPLE: &str = include_str!("../../../examples/lighttpd.conf");
