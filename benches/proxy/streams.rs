//! When the first event of a stream arrives, which buffers hold back.

use std::io;

use crate::front::Front;
use crate::measure::summary;
use crate::options::Options;
use crate::report::Report;
use crate::row::Side;
use crate::site::Site;
use crate::stream::PAUSE;

pub(crate) const NAME: &str = "streams";

/// A web server and how it is set.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    title: &'static str,
    front: Front,
}

/// Runs the set-ups that are asked for.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let setups = options.select(SETUPS, |setup| setup.name)?;
    if setups.is_empty() {
        return Ok(());
    }
    let programs = setups.iter().map(|setup| setup.front.version()).collect();
    let mut report = Report::start(NAME, "The first event of a stream", options.rounds, programs);
    report.line(format!("The next event follows {PAUSE:?} later and ends the stream.\n"));
    report.head(&["", "first event after, ms"]);
    for setup in setups {
        match first_event(setup.front, options.rounds) {
            Ok(time) => report.row(setup.title, &[format!("{:.1}", time * 1e3)]),
            Err(error) => report.failure(setup.title, &error),
        }
    }
    report.finish(NAME, options.write)
}

/// The median in seconds.
fn first_event(front: Front, rounds: usize) -> io::Result<f64> {
    let site = Site::start(Side::fastcgi(front))?;
    let times: io::Result<Vec<f64>> =
        (0..rounds).map(|_| site.first_event().map(|time| time.as_secs_f64())).collect();
    Ok(summary(&times.map_err(|error| site.explain(error))?).median)
}

pub(crate) const SETUPS: &[Setup] = &[
    Setup {
        name: "streams/nginx/default",
        title: "nginx",
        front: Front::Nginx { upstream: "", location: "" },
    },
    Setup {
        name: "streams/nginx/keep_conn",
        title: "nginx, `fastcgi_keep_conn on`",
        front: Front::Nginx { upstream: "keepalive 32;", location: "fastcgi_keep_conn on;" },
    },
    Setup {
        name: "streams/nginx/buffering",
        title: "nginx, `fastcgi_buffering off`",
        front: Front::Nginx { upstream: "", location: "fastcgi_buffering off;" },
    },
    Setup {
        name: "streams/apache/default",
        title: "Apache",
        front: Front::Apache { processes: "", proxy_pass: "" },
    },
    Setup {
        name: "streams/apache/enablereuse",
        title: "Apache, `enablereuse=on`",
        front: Front::Apache { processes: "", proxy_pass: "enablereuse=on" },
    },
    Setup {
        name: "streams/apache/flushpackets",
        title: "Apache, `flushpackets=on`",
        front: Front::Apache { processes: "", proxy_pass: "flushpackets=on" },
    },
    Setup {
        name: "streams/apache/flushpackets-auto",
        title: "Apache, `flushpackets=auto`",
        front: Front::Apache { processes: "", proxy_pass: "flushpackets=auto" },
    },
    Setup {
        name: "streams/haproxy/default",
        title: "HAProxy",
        front: Front::Haproxy { defaults: "", app: "", backend: "" },
    },
    Setup {
        name: "streams/haproxy/http-no-delay",
        title: "HAProxy, `option http-no-delay`",
        front: Front::Haproxy { defaults: "option http-no-delay", app: "", backend: "" },
    },
    Setup {
        name: "streams/lighttpd/default",
        title: "lighttpd",
        front: Front::Lighttpd { server: "" },
    },
    Setup {
        name: "streams/lighttpd/stream-1",
        title: "lighttpd, `server.stream-response-body = 1`",
        front: Front::Lighttpd { server: "server.stream-response-body = 1" },
    },
    Setup {
        name: "streams/lighttpd/stream-2",
        title: "lighttpd, `server.stream-response-body = 2`",
        front: Front::Lighttpd { server: "server.stream-response-body = 2" },
    },
    Setup { name: "streams/caddy/default", title: "Caddy", front: Front::Caddy { transport: "" } },
];
