//! The web servers, each with an application behind it in three ways.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::debian::{Debian, Place};
use crate::process::{Process, free_address};
use crate::program::Program;
use crate::{app, client, foreground, starting};

/// How the application is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over HTTP, with nothing but the address in the configuration.
    Bare,
    /// Over HTTP, with the lines about the client that are usual.
    Usual,
    FastCgi,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Bare, Self::Usual, Self::FastCgi];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Nginx,
    Caddy,
    Apache,
    Haproxy,
    Lighttpd,
}

/// A server of a release.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) server: Server,
    program: Program,
}

impl Front {
    pub(crate) fn all() -> Vec<Self> {
        use {Debian::*, Server::*};
        [
            (Nginx, Bookworm),
            (Nginx, Trixie),
            (Caddy, Bookworm),
            (Apache, Bookworm),
            (Haproxy, Bookworm),
            (Haproxy, Trixie),
            (Lighttpd, Bookworm),
            (Lighttpd, Trixie),
        ]
        .map(|(server, debian)| Self { server, program: Program::find(server.program(), debian) })
        .into()
    }
}

/// As in `nginx-1.22`.
impl fmt::Display for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program.to_string().replace("apache2", "apache"))
    }
}

/// A server that runs. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Running {
    listens: [SocketAddr; 3],
    process: Process,
    place: Place,
}

impl Running {
    pub(crate) fn start(front: &Front) -> io::Result<Self> {
        starting::start(&front.to_string(), || Self::attempt(front), Self::is_ready, Self::log)
    }

    /// Where clients connect to.
    pub(crate) fn address(&self, way: Way) -> SocketAddr {
        self.listens[way as usize]
    }

    /// Writes a file where the server can read it.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<String> {
        self.place.write(name, text)
    }

    /// The path of such a file, as the server sees it.
    pub(crate) fn path(&self, name: &str) -> String {
        self.place.path(name)
    }

    fn attempt(front: &Front) -> io::Result<Self> {
        let place = Place::new(front.program.debian)?;
        let listens = [free_address()?, free_address()?, free_address()?];
        let (http, fastcgi) = (app::start_http()?, app::start_fastcgi()?);
        let server = front.server;
        let ways = Way::ALL.map(|way| {
            let application = if way == Way::FastCgi { fastcgi } else { http };
            let listen = listens[way as usize];
            server
                .config(way)
                .replace("NAME", &format!("{way:?}"))
                .replace("LISTEN_IP", &listen.ip().to_string())
                .replace("LISTEN_PORT", &listen.port().to_string())
                .replace("LISTEN", &listen.to_string())
                .replace("APPLICATION_PORT", &application.port().to_string())
                .replace("APPLICATION", &application.to_string())
        });
        let main = server.main(&ways.concat()).replace("DIR", &place.home());
        let config = place.write("config", &main)?;
        let mut command = place.web_server(server.program(), &config);
        let process = Process::spawn(&mut command, &place.dir().join("log"))?;
        Ok(Self { listens, process, place })
    }

    fn is_ready(&mut self) -> Option<bool> {
        if self.process.exited().is_some() {
            return Some(false);
        }
        let is_up = |&listen: &SocketAddr| client::is_answered(listen, "GET /0 HTTP/1.0");
        self.listens.iter().all(is_up).then_some(true)
    }

    fn log(&self) -> String {
        let errors = std::fs::read_to_string(self.place.dir().join("error.log"));
        self.process.log_tail() + &errors.unwrap_or_default()
    }
}

impl Server {
    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Apache => "apache2",
            Self::Haproxy => "haproxy",
            Self::Lighttpd => "lighttpd",
        }
    }

    fn main(self, ways: &str) -> String {
        match self {
            Self::Nginx => foreground::nginx(ways),
            Self::Caddy => foreground::CADDY.to_owned() + ways,
            Self::Apache => foreground::apache(MODULES) + ways,
            Self::Haproxy => HAPROXY.to_owned() + ways,
            Self::Lighttpd => LIGHTTPD.to_owned() + ways,
        }
    }

    fn config(self, way: Way) -> &'static str {
        let [bare, usual, fastcgi] = match self {
            Self::Nginx => [NGINX_BARE, NGINX_USUAL, NGINX_FASTCGI],
            Self::Caddy => [CADDY_BARE, CADDY_USUAL, CADDY_FASTCGI],
            Self::Apache => [APACHE_BARE, APACHE_USUAL, APACHE_FASTCGI],
            Self::Haproxy => [HAPROXY_BARE, HAPROXY_USUAL, HAPROXY_FASTCGI],
            Self::Lighttpd => [LIGHTTPD_BARE, LIGHTTPD_USUAL, LIGHTTPD_FASTCGI],
        };
        match way {
            Way::Bare => bare,
            Way::Usual => usual,
            Way::FastCgi => fastcgi,
        }
    }
}

const NGINX_BARE: &str = "
    server {
        listen LISTEN;
        location / {
            proxy_pass http://APPLICATION;
        }
    }
";

/// As in Debian's `/etc/nginx/proxy_params`.
const NGINX_USUAL: &str = "
    server {
        listen LISTEN;
        location / {
            proxy_pass http://APPLICATION;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Tenant blue;
        }
    }
";

const NGINX_FASTCGI: &str = "
    server {
        listen LISTEN;
        location / {
            include /etc/nginx/fastcgi_params;
            fastcgi_param TENANT blue;
            fastcgi_pass APPLICATION;
        }
        location /elsewhere {
            internal;
            return 200 elsewhere;
        }
    }
";

const CADDY_BARE: &str = "
http://:LISTEN_PORT {
	bind LISTEN_IP
	reverse_proxy APPLICATION
}
";

const CADDY_USUAL: &str = "
http://:LISTEN_PORT {
	bind LISTEN_IP
	reverse_proxy APPLICATION {
		header_up X-Real-IP {remote_host}
		header_up X-Tenant blue
	}
}
";

const CADDY_FASTCGI: &str = "
http://:LISTEN_PORT {
	bind LISTEN_IP
	reverse_proxy APPLICATION {
		transport fastcgi {
			env TENANT blue
		}
	}
}
";

/// Of Apache.
const MODULES: &str = "authz_core env headers proxy proxy_http proxy_fcgi";

const APACHE_BARE: &str = "
Listen LISTEN
<VirtualHost LISTEN>
    ProxyPass / http://APPLICATION/
</VirtualHost>
";

const APACHE_USUAL: &str = r#"
Listen LISTEN
<VirtualHost LISTEN>
    ProxyPreserveHost on
    RequestHeader set X-Real-IP "expr=%{REMOTE_ADDR}"
    RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}"
    RequestHeader set X-Tenant blue
    ProxyPass / http://APPLICATION/
</VirtualHost>
"#;

const APACHE_FASTCGI: &str = "
Listen LISTEN
<VirtualHost LISTEN>
    SetEnv TENANT blue
    ProxyPass / fcgi://APPLICATION/
</VirtualHost>
";

const HAPROXY: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
fcgi-app app
    docroot /
    set-param TENANT blue
";

const HAPROXY_BARE: &str = "
listen NAME
    bind LISTEN
    server app APPLICATION
";

const HAPROXY_USUAL: &str = "
listen NAME
    bind LISTEN
    option forwardfor
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Tenant blue
    server app APPLICATION
";

const HAPROXY_FASTCGI: &str = "
listen NAME
    bind LISTEN
    use-fcgi-app app
    server app APPLICATION proto fcgi
";

const LIGHTTPD: &str = r#"
server.modules = ( "mod_setenv", "mod_proxy", "mod_fastcgi" )
server.document-root = "DIR"
server.errorlog = "DIR/error.log"
server.bind = "/DIR/unused.sock"
"#;

const LIGHTTPD_BARE: &str = r#"
$SERVER["socket"] == "LISTEN" {
    proxy.server = ( "" => (( "host" => "127.0.0.1", "port" => APPLICATION_PORT )) )
}
"#;

const LIGHTTPD_USUAL: &str = r#"
$SERVER["socket"] == "LISTEN" {
    proxy.server = ( "" => (( "host" => "127.0.0.1", "port" => APPLICATION_PORT )) )
    proxy.forwarded = ( "for" => 1, "proto" => 1, "host" => 1 )
    setenv.set-request-header = ( "X-Tenant" => "blue" )
}
"#;

const LIGHTTPD_FASTCGI: &str = r#"
$SERVER["socket"] == "LISTEN" {
    fastcgi.server = ( "/" => (( "host" => "127.0.0.1", "port" => APPLICATION_PORT, "check-local" => "disable", "fix-root-scriptname" => "enable" )) )
    setenv.set-environment = ( "TENANT" => "blue" )
}
"#;
