//! The web servers that know the role, and how they are configured.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use crate::app::Addresses;
use crate::debian::{Debian, Place};
use crate::{example, foreground};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Apache,
    Lighttpd(Debian),
}

/// Where a server listens, and what it asks.
pub(crate) struct Wiring<'a> {
    pub(crate) place: &'a Place,
    pub(crate) address: SocketAddr,
    pub(crate) apps: Addresses,
    /// The example, and another of which will be killed.
    pub(crate) example: SocketAddr,
    pub(crate) killed: SocketAddr,
    /// Nobody is there.
    pub(crate) dead: SocketAddr,
}

impl Server {
    pub(crate) const ALL: [Self; 3] =
        [Self::Apache, Self::Lighttpd(Debian::Bookworm), Self::Lighttpd(Debian::Trixie)];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Apache => "apache",
            Self::Lighttpd(Debian::Bookworm) => "lighttpd",
            Self::Lighttpd(Debian::Trixie) => "lighttpd_of_trixie",
        }
    }

    pub(crate) fn debian(self) -> Debian {
        match self {
            Self::Apache => Debian::Bookworm,
            Self::Lighttpd(debian) => debian,
        }
    }

    pub(crate) fn command(self, wiring: &Wiring<'_>) -> io::Result<Command> {
        let config = wiring.place.write("config", &wiring.config(self))?;
        let program = match self {
            Self::Apache => "apache2",
            Self::Lighttpd(_) => "lighttpd",
        };
        Ok(wiring.place.web_server(program, &config))
    }
}

impl Wiring<'_> {
    fn config(&self, server: Server) -> String {
        match server {
            Server::Apache => {
                let main = foreground::apache(MODULES) + APACHE;
                self.fill(&main) + &self.apache() + &self.example("apache")
            }
            Server::Lighttpd(_) => {
                self.fill(LIGHTTPD) + &self.lighttpd() + &self.example("lighttpd")
            }
        }
    }

    fn fill(&self, text: &str) -> String {
        text.replace("DIR", &self.place.home())
            .replace("LISTEN_IP", &self.address.ip().to_string())
            .replace("PORT", &self.address.port().to_string())
            .replace("AUTHORIZER", &self.apps.authorizer.to_string())
            .replace("RESPONDER", &self.apps.responder.to_string())
    }

    /// With nothing but the address and the folder replaced.
    fn example(&self, language: &str) -> String {
        let example = self.example.to_string();
        let port = format!("\"port\" => {}", self.example.port());
        // lighttpd knows one list for all.
        let lines = example::configuration(language)
            .replace("fastcgi.server =", "fastcgi.server +=")
            .replace("127.0.0.1:9001", &example)
            .replace("\"host\" => \"127.0.0.1\"", &format!("\"host\" => \"{}\"", self.example.ip()))
            .replace("\"port\" => 9001", &port)
            .replace("/var/www/html", &self.place.path("www"));
        format!("\n{lines}\n")
    }

    fn authorizers(&self) -> [(&'static str, SocketAddr); 7] {
        [
            ("app", self.apps.authorizer),
            ("file", self.apps.authorizer),
            ("dead", self.dead),
            ("closing", self.apps.closing),
            ("killed", self.killed),
            ("refusing", self.apps.refusing),
            ("unaware", self.apps.unaware),
        ]
    }

    fn apache(&self) -> String {
        let location = |(name, address)| {
            format!(
                "AuthnzFcgiDefineProvider authn {name} fcgi://{address}/\n\
                 <Location /{name}/>\n\
                 AuthType Custom\n\
                 AuthnzFcgiCheckAuthnProvider {name} Authoritative On RequireBasicAuth Off UserExpr \"%{{reqenv:NAMED}}\"\n\
                 Require valid-user\n\
                 </Location>\n"
            )
        };
        self.authorizers().into_iter().map(location).collect()
    }

    fn lighttpd(&self) -> String {
        let docroot = self.place.path("www");
        let host = |(name, address): (_, SocketAddr)| {
            let (ip, port) = (address.ip(), address.port());
            let mut hosts = format!(
                "(\"mode\" => \"authorizer\", \"host\" => \"{ip}\", \"port\" => {port}, \
                 \"docroot\" => \"{docroot}\", \"check-local\" => \"disable\")"
            );
            if name == "app" {
                let (ip, port) = (self.apps.responder.ip(), self.apps.responder.port());
                hosts += &format!(
                    ", (\"host\" => \"{ip}\", \"port\" => {port}, \"check-local\" => \"disable\")"
                );
            }
            format!("    \"/{name}/\" => ({hosts}),\n")
        };
        let hosts: String = self.authorizers().into_iter().map(host).collect();
        format!("fastcgi.server = (\n{hosts})\n")
    }
}

const MODULES: &str =
    "authn_core authn_file authz_core authz_user auth_basic authnz_fcgi dir proxy proxy_fcgi";

const APACHE: &str = r#"
LogLevel info
Listen LISTEN_IP:PORT
DocumentRoot DIR/www
DirectoryIndex index.html
ProxyPass /app/ fcgi://RESPONDER/app/
ProxyPass /basic/ fcgi://RESPONDER/basic/
ProxyPass /require/ fcgi://RESPONDER/require/
ProxyPass /both/ fcgi://RESPONDER/both/
AuthnzFcgiDefineProvider authn passwords fcgi://AUTHORIZER/
AuthnzFcgiDefineProvider authz users fcgi://AUTHORIZER/
AuthnzFcgiDefineProvider authnz all fcgi://AUTHORIZER/
<Location /basic/>
    AuthType Basic
    AuthName basic
    AuthBasicProvider passwords
    Require valid-user
</Location>
<Location /require/>
    AuthType Basic
    AuthName require
    AuthBasicProvider file
    AuthUserFile DIR/hashes
    Require users
</Location>
<Location /both/>
    AuthType Basic
    AuthName both
    AuthBasicProvider all
    Require all
</Location>
"#;

const LIGHTTPD: &str = r#"
server.modules = ( "mod_indexfile", "mod_fastcgi" )
server.document-root = "DIR/www"
server.errorlog = "DIR/error.log"
server.bind = "LISTEN_IP"
server.port = PORT
index-file.names = ( "index.html" )
"#;
