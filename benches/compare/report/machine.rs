//! Where and with what something was measured.

use crate::machine;
use crate::servers::Server;

#[derive(Debug)]
pub(crate) struct Machine {
    /// Day, processor, system.
    pub(crate) place: String,
    /// Compilers and libraries.
    pub(crate) versions: String,
}

impl Machine {
    /// `processors` is how many the benchmark may use.
    pub(crate) fn ask(processors: usize, servers: &[Server]) -> Self {
        let place = format!("{}, {}", machine::today(), machine::place(processors));
        let mut versions = machine::versions(&["tokio", "hyper", "axum", "tokio-fastcgi"]);
        if servers.contains(&Server::Go) {
            versions += &format!(", Go {}", machine::version("go", &["version"]));
        }
        if servers.contains(&Server::Libfcgi) {
            let version = machine::version("pkg-config", &["--modversion", "fcgi"]);
            versions += &format!(", libfcgi {version}");
        }
        Self { place, versions }
    }
}
