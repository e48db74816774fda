//! Apache with mod_proxy_fcgi or mod_proxy_http, and the multi-processing module `event`: a process for each of two cores,
//! each with more threads than there are clients. A process without an idle thread closes kept connections, under wrk's hands.

use super::{Place, Upstream};

pub(super) fn config(place: &Place<'_>, processes: &str, proxy_pass: &str) -> String {
    let scheme = place.choose("fcgi", "http");
    let upstream = match place.upstream {
        Upstream::Tcp(address) => format!("{scheme}://{address}/"),
        Upstream::Unix(path) => format!("unix:{}|{scheme}://localhost/", path.display()),
    };
    let address = place.address;
    format!(
        "\
ServerName localhost
DefaultRuntimeDir DIR
PidFile DIR/apache.pid
ErrorLog /dev/stderr
LoadModule mpm_event_module {MODULES}/mod_mpm_event.so
LoadModule authz_core_module {MODULES}/mod_authz_core.so
LoadModule proxy_module {MODULES}/mod_proxy.so
LoadModule proxy_fcgi_module {MODULES}/mod_proxy_fcgi.so
LoadModule proxy_http_module {MODULES}/mod_proxy_http.so
User www-data
Group www-data
StartServers 2
ServerLimit 2
ThreadLimit 64
ThreadsPerChild 64
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
{processes}
Listen {address}
ProxyPass / {upstream} {proxy_pass}
"
    )
}

pub(super) const ARGUMENTS: &[&str] = &["-DFOREGROUND", "-f"];

/// Where Debian has them.
const MODULES: &str = "/usr/lib/apache2/modules";
