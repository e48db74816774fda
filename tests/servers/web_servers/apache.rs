//! Apache with the site of `examples/apache.conf`.

use std::io;
use std::process::Command;

use super::config::replace;
use crate::debian::Debian;
use crate::variant::{Program, Socket, Upstream, Variant, Wiring};

pub(crate) fn variants() -> Vec<Variant> {
    let program = Program::find("apache2", "-v", 2, Debian::Bookworm);
    let variants = Socket::ALL
        .into_iter()
        .flat_map(|socket| SETUPS.map(|setup| variant(&program, socket, setup)));
    variants.collect()
}

/// How Apache finds the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setup {
    /// ProxyPass, with a connection for each request.
    Close,
    /// ProxyPass with kept connections.
    Reuse,
    /// SetHandler.
    Handler,
}

fn variant(program: &Program, socket: Socket, setup: Setup) -> Variant {
    let name = match setup {
        Setup::Close => "close",
        Setup::Reuse => "reuse",
        Setup::Handler => "handler",
    };
    let mut variant = Variant::new(program, socket, name, move |wiring| command(wiring, setup));
    variant.software = "Apache/";
    variant.keeps_connections = setup == Setup::Reuse;
    variant.cannot("methods::options_of_the_server", "answers `OPTIONS *` itself");
    variant.cannot(
        "headers::cookies_in_several_lines",
        "joins them with a comma, which a cookie's value may hold",
    );
    let reason = "takes 8 KiB for a line of the head, else answers 500";
    variant.cannot("responses::head_of_16_kib", reason);
    variant.cannot("responses::head_of_40_kib", reason);
    variant.never(
        "streams::client_leaves_a_silent_handler",
        "looks after its client only when it has something to write",
    );
    if setup == Setup::Handler {
        let reason =
            "looks for a file, and answers 403 when a part of the path is too long for its name";
        variant.cannot("uris::of_7_kib_arrive", reason);
        variant.cannot("uris::of_9_kib", reason);
    }
    variant
}

fn command(wiring: &Wiring<'_>, setup: Setup) -> io::Result<Command> {
    let place = wiring.place;
    let address = wiring.listen.to_string();
    let upstream = match wiring.application {
        Upstream::Tcp(address) => format!("fcgi://{address}/"),
        Upstream::Unix(path) => format!("unix:{path}|fcgi://localhost/"),
    };
    let patience = wiring.patience.map_or(60, |patience| patience.as_secs());
    let options = format!("flushpackets=on timeout={patience}");
    let pass = match setup {
        Setup::Close => format!("ProxyPass / {upstream} {options}"),
        Setup::Reuse => format!("ProxyPass / {upstream} enablereuse=on {options}"),
        Setup::Handler => handler(&upstream, &options),
    };
    let site = replace(EXAMPLE, "Listen 127.0.0.1:8080", &format!("Listen {address}"));
    let site = replace(&site, "<VirtualHost 127.0.0.1:8080>", &format!("<VirtualHost {address}>"));
    let site = replace(&site, PASS, &pass);
    place.write("site.conf", &site)?;
    let main = place.write("apache.conf", &MAIN.replace("DIR", &place.home()))?;

    let mut command = place.command("apache2");
    command.args(["-DFOREGROUND", "-d", &place.home(), "-f", &main]);
    Ok(command)
}

/// The options of a worker are told apart from the handler that uses it.
fn handler(upstream: &str, options: &str) -> String {
    let worker = upstream.rsplit('|').next().unwrap_or(upstream);
    format!(
        "<Proxy {worker}>\n    ProxySet {options}\n</Proxy>\n\
        <Location />\n    SetHandler \"proxy:{upstream}\"\n</Location>"
    )
}

const SETUPS: [Setup; 3] = [Setup::Close, Setup::Reuse, Setup::Handler];

const EXAMPLE: &str = include_str!("../../../examples/apache.conf");
const PASS: &str = "ProxyPass / fcgi://127.0.0.1:9000/ enablereuse=on flushpackets=on timeout=60";

/// What Debian's own apache2.conf does around the sites, but in a directory that goes away, and as one process, whose threads
/// suffice for all requests of a probe.
const MAIN: &str = "\
ServerName localhost
DefaultRuntimeDir DIR
PidFile DIR/apache.pid
Mutex file:DIR
ErrorLog /dev/stderr
LogLevel notice
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_fcgi_module /usr/lib/apache2/modules/mod_proxy_fcgi.so
StartServers 1
ServerLimit 1
ThreadLimit 256
ThreadsPerChild 256
MaxRequestWorkers 256
Include DIR/site.conf
";
