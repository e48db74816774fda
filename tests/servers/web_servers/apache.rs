//! Apache with the site of `examples/apache.conf`.

use std::io;
use std::process::Command;

use super::config::replace;
use crate::debian::Debian;
use crate::foreground;
use crate::program::Program;
use crate::spawned::{self, Spawner};
use crate::variant::{Socket, Upstream, Variant, Wiring};

pub(crate) fn variants() -> Vec<Variant> {
    let program = Program::find("apache2", Debian::Bookworm);
    let proxied = Socket::ALL
        .into_iter()
        .flat_map(|socket| PROXIED.map(|setup| variant(&program, socket, setup)));
    proxied.chain([variant(&program, Socket::Unix, Setup::Fcgid)]).collect()
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
    /// mod_fcgid, which starts the application.
    Fcgid,
}

fn variant(program: &Program, socket: Socket, setup: Setup) -> Variant {
    let name = match setup {
        Setup::Close => "close",
        Setup::Reuse => "reuse",
        Setup::Handler => "handler",
        Setup::Fcgid => "fcgid",
    };
    let mut variant = Variant::new(program, socket, name, move |wiring| command(wiring, setup));
    variant.software = "Apache/";
    variant.spawner = (setup == Setup::Fcgid).then_some(Spawner::WebServer);
    variant.keeps_connections = setup == Setup::Reuse;
    variant.is_asked_most = setup == Setup::Reuse && socket == Socket::Unix;
    variant.cannot("methods::options_of_the_server", "answers `OPTIONS *` itself");
    variant.cannot(
        "headers::cookies_in_several_lines",
        "joins them with a comma, which a cookie's value may hold",
    );
    let reason = "takes 8 KiB for a line of the head, else answers 500";
    variant.cannot("responses::head_of_16_kib", reason);
    variant.cannot("responses::head_of_40_kib", reason);
    variant.cannot("responses::head_of_60_kib", reason);
    variant.cannot("files::x_accel_redirect", "knows no `X-Accel-Redirect`, and passes it on");
    variant.never(
        "streams::client_leaves_a_silent_handler",
        "looks after its client only when it has something to write",
    );
    if setup == Setup::Fcgid {
        limit_fcgid(&mut variant);
    }
    if setup == Setup::Handler {
        let reason =
            "looks for a file, and answers 403 when a part of the path is too long for its name";
        variant.cannot("uris::of_7_kib_arrive", reason);
        variant.cannot("uris::of_9_kib", reason);
    }
    variant
}

fn limit_fcgid(variant: &mut Variant) {
    variant.cannot(
        "uris::of_9_kib",
        "looks for a file, and answers 403 when the path is too long for one",
    );
    variant.cannot(
        "responses::location_without_a_redirect",
        "takes a local `Location` beside a 200 for a request of its own",
    );
    variant.cannot(
        "tls::http_2_upload_without_a_length",
        "mod_fcgid loses the body of an upload over HTTP/2 without a length",
    );
    let reason = "mod_fcgid gathers each upload first";
    variant.never("uploads::reach_the_application_as_they_come", reason);
    variant.never("uploads::that_the_client_leaves", reason);
    let reason = "mod_fcgid takes any end of the connection for the end of the answer";
    variant.cannot("failures::cut_answer_of_unknown_length_is_seen", reason);
    variant.cannot("failures::panicking_body_of_unknown_length_is_seen", reason);
}

fn command(wiring: &Wiring<'_>, setup: Setup) -> io::Result<Command> {
    let place = wiring.place;
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
        Setup::Fcgid => fcgid(wiring.program.expect("it is to be started")),
    };
    let site = replace(EXAMPLE, PASS, &pass);
    let tls = format!(
        "{} https\nProtocols h2 http/1.1\nSSLCertificateFile {}\nSSLCertificateKeyFile {}",
        wiring.listening.tls,
        place.path("cert.pem"),
        place.path("key.pem"),
    );
    let tls = host(&site, &tls, &format!("{}>\nSSLEngine on", wiring.listening.tls));
    let clear = wiring.listening.clear();
    let clear = host(&site, &clear.join("\nListen "), &format!("{}>", clear.join(" ")));
    place.write("site.conf", &format!("{clear}{tls}"))?;
    let main = (foreground::apache(MODULES) + MAIN).replace("DIR", &place.home());
    let main = place.write("apache.conf", &main)?;
    Ok(place.web_server("apache2", &main))
}

/// The site, listening there.
fn host(site: &str, listen: &str, virtual_host: &str) -> String {
    let site = replace(site, "Listen 127.0.0.1:8080", &format!("Listen {listen}"));
    replace(&site, "<VirtualHost 127.0.0.1:8080>", &format!("<VirtualHost {virtual_host}"))
}

/// The options of a worker are told apart from the handler that uses it.
fn handler(upstream: &str, options: &str) -> String {
    let worker = upstream.rsplit('|').next().unwrap_or(upstream);
    format!(
        "<Proxy {worker}>\n    ProxySet {options}\n</Proxy>\n\
        <Location />\n    SetHandler \"proxy:{upstream}\"\n</Location>"
    )
}

/// An application that Apache starts itself.
fn fcgid(program: &spawned::Program) -> String {
    let (name, stage) = (spawned::STAGE, &program.stage);
    FCGID.replace("PROGRAM", &program.path).replace("VARIABLE", &format!("{name} {stage}"))
}

const FCGID: &str = "\
ScriptAlias / PROGRAM/
<Location />
    SetHandler fcgid-script
</Location>
FcgidInitialEnv VARIABLE
# 128 KiB alone.
FcgidMaxRequestLen 1073741824
# 64 KiB are gathered alone.
FcgidOutputBufferSize 0
";

const PROXIED: [Setup; 3] = [Setup::Close, Setup::Reuse, Setup::Handler];

const EXAMPLE: &str = include_str!("../../../examples/apache.conf");
const PASS: &str = "ProxyPass / fcgi://127.0.0.1:9000/ enablereuse=on flushpackets=on timeout=60";

const MODULES: &str =
    "authz_core alias env proxy proxy_fcgi fcgid http2 socache_shmcb ssl xsendfile";

/// As one process, whose threads suffice for all requests of a probe.
const MAIN: &str = "\
DefaultRuntimeDir DIR
ErrorLog /dev/stderr
LogLevel notice
# Or it waits between processes when many are to be started.
FcgidSpawnScoreUpLimit 10000
FcgidIPCDir DIR/fcgid
FcgidProcessTableFile DIR/fcgid_shm
XSendFile On
XSendFilePath DIR
StartServers 1
ServerLimit 1
ThreadLimit 256
ThreadsPerChild 256
MaxRequestWorkers 256
Include DIR/site.conf
";
