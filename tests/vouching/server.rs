//! The web servers, configured as the documentation of the types tells.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::Command;

use crate::app::{PROCESS, SECRET};
use crate::debian::{Debian, Place};
use crate::foreground;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Nginx,
    Caddy,
    Apache,
    /// Apache that starts the application itself.
    ModFcgid,
    Haproxy,
    Lighttpd,
}

/// A server of a release.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Front {
    pub(crate) server: Server,
    pub(crate) debian: Debian,
}

impl Front {
    pub(crate) const ALL: [Self; 9] = {
        use {Debian::*, Server::*};
        [
            Self { server: Nginx, debian: Bookworm },
            Self { server: Nginx, debian: Trixie },
            Self { server: Caddy, debian: Bookworm },
            Self { server: Apache, debian: Bookworm },
            Self { server: ModFcgid, debian: Bookworm },
            Self { server: Haproxy, debian: Bookworm },
            Self { server: Haproxy, debian: Trixie },
            Self { server: Lighttpd, debian: Bookworm },
            Self { server: Lighttpd, debian: Trixie },
        ]
    };

    /// Whether an application may write to the error log through it. HAProxy 2.6 crashes then.
    pub(crate) fn takes_stderr(self) -> bool {
        self.server != Server::Haproxy || self.debian != Debian::Bookworm
    }
}

/// As in `nginx/trixie`.
impl fmt::Display for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}/{:?}", self.server, self.debian);
        f.write_str(&text.to_lowercase())
    }
}

/// Where a server listens, in the clear and with TLS, and what is behind it.
pub(crate) struct Wiring<'a> {
    pub(crate) place: &'a Place,
    pub(crate) clear: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) application: SocketAddr,
}

impl Server {
    pub(crate) fn command(self, wiring: &Wiring<'_>) -> io::Result<Command> {
        let place = wiring.place;
        let config = place.write("config", &wiring.fill(&self.config()))?;
        wiring.write_passwords()?;
        let mut command = place.web_server(self.program(), &config);
        if self == Self::Caddy {
            command.env("APP_SECRET", SECRET).env("HASH", caddys_hash(place)?);
        }
        Ok(command)
    }

    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Apache | Self::ModFcgid => "apache2",
            Self::Haproxy => "haproxy",
            Self::Lighttpd => "lighttpd",
        }
    }

    fn config(self) -> String {
        match self {
            Self::Nginx => foreground::nginx(NGINX),
            Self::Caddy => format!("{}{CADDY}", foreground::CADDY),
            Self::Apache => apache("proxy proxy_fcgi", "", PROXY_PASS),
            Self::ModFcgid => apache("alias fcgid", FCGID, SCRIPT_ALIAS),
            Self::Haproxy => HAPROXY.to_owned(),
            Self::Lighttpd => LIGHTTPD.to_owned(),
        }
    }
}

/// With modules that know FastCGI, and their lines.
fn apache(fastcgi: &str, lines: &str, pass: &str) -> String {
    let modules = format!("{MODULES} {fastcgi}");
    foreground::apache(&modules) + lines + &APACHE.replace("PASS", pass)
}

impl Wiring<'_> {
    fn fill(&self, config: &str) -> String {
        config
            .replace("PROCESS", PROCESS)
            .replace("DIR", &self.place.home())
            .replace("LISTEN_IP", &self.clear.ip().to_string())
            .replace("CLEAR_PORT", &self.clear.port().to_string())
            .replace("TLS_PORT", &self.tls.port().to_string())
            .replace("APPLICATION_PORT", &self.application.port().to_string())
            .replace("APPLICATION", &self.application.to_string())
            .replace("SECRET_VALUE", SECRET)
            .replace("SPACED", &SECRET.replace(' ', "\\ "))
    }

    fn write_passwords(&self) -> io::Result<()> {
        let dir = self.place.dir();
        fs::write(dir.join("passwords"), "alice:wonder\n")?;
        let hash = output(Command::new("openssl").args(["passwd", "-apr1", "wonder"]))?;
        fs::write(dir.join("hashes"), format!("alice:{hash}"))
    }
}

fn caddys_hash(place: &Place) -> io::Result<String> {
    let hash = output(place.command("caddy").args(["hash-password", "--plaintext", "wonder"]))?;
    Ok(hash.trim().to_owned())
}

fn output(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

const NGINX: &str = r#"
    include /etc/nginx/fastcgi_params;
    fastcgi_param APP_SECRET "SECRET_VALUE";
    fastcgi_param SSL_PROTOCOL $ssl_protocol if_not_empty;
    fastcgi_param SSL_CIPHER $ssl_cipher if_not_empty;
    fastcgi_param SSL_TLS_SNI $ssl_server_name if_not_empty;
    fastcgi_param SSL_CLIENT_VERIFY $ssl_client_verify;
    fastcgi_param SSL_CLIENT_S_DN $ssl_client_s_dn;
    fastcgi_param SSL_CLIENT_I_DN $ssl_client_i_dn;
    fastcgi_param SSL_CLIENT_M_SERIAL $ssl_client_serial;
    fastcgi_param SSL_CLIENT_FINGERPRINT $ssl_client_fingerprint;
    fastcgi_param SSL_CLIENT_CERT $ssl_client_escaped_cert;
    # Empty but where a password is asked for, and where this test wants it otherwise.
    fastcgi_param REMOTE_USER $believed;
    map $uri $believed {
        /members $remote_user;
        /unchecked $remote_user;
    }

    server {
        listen LISTEN_IP:CLEAR_PORT;
        listen LISTEN_IP:TLS_PORT ssl;
        ssl_certificate DIR/server.pem;
        ssl_certificate_key DIR/server.key;
        ssl_client_certificate DIR/ca.pem;
        ssl_verify_client optional_no_ca;
        location / { fastcgi_pass APPLICATION; }
        location /members {
            auth_basic members;
            auth_basic_user_file DIR/hashes;
            fastcgi_pass APPLICATION;
        }
    }
"#;

const CADDY: &str = r#"
(app) {
	bind LISTEN_IP
	basicauth /members {
		alice {$HASH}
	}
	reverse_proxy APPLICATION {
		transport fastcgi {
			env APP_SECRET {env.APP_SECRET}
			env SSL_TLS_SNI {http.request.tls.server_name}
			env SSL_CLIENT_VERIFY SUCCESS
			env SSL_CLIENT_S_DN {http.request.tls.client.subject}
			env SSL_CLIENT_I_DN {http.request.tls.client.issuer}
			env SSL_CLIENT_M_SERIAL {http.request.tls.client.serial}
			env SSL_CLIENT_FINGERPRINT {http.request.tls.client.fingerprint}
			env SSL_CLIENT_CERT {http.request.tls.client.certificate_pem}
		}
	}
}
http://:CLEAR_PORT {
	import app
}
https://localhost:TLS_PORT {
	tls DIR/server.pem DIR/server.key {
		client_auth {
			mode verify_if_given
			trusted_ca_cert_file DIR/ca.pem
		}
	}
	import app
}
"#;

const MODULES: &str =
    "authn_core authn_file authz_core authz_user auth_basic env socache_shmcb ssl";

const APACHE: &str = r#"
Listen LISTEN_IP:CLEAR_PORT
Listen LISTEN_IP:TLS_PORT
SetEnv APP_SECRET "SECRET_VALUE"
PASS
<Location /members>
    AuthType Basic
    AuthName members
    AuthUserFile DIR/hashes
    Require valid-user
</Location>
<VirtualHost LISTEN_IP:TLS_PORT>
    SSLEngine on
    SSLCertificateFile DIR/server.pem
    SSLCertificateKeyFile DIR/server.key
    SSLCACertificateFile DIR/ca.pem
    SSLVerifyClient optional_no_ca
    SSLOptions +StdEnvVars +ExportCertData
    PASS
</VirtualHost>
"#;

const PROXY_PASS: &str = "ProxyPass / fcgi://APPLICATION/";

const FCGID: &str = "
FcgidIPCDir DIR/sockets
FcgidProcessTableFile DIR/processes
FcgidInitialEnv PROCESS 1
<Directory DIR>
    SetHandler fcgid-script
    Options +ExecCGI
</Directory>
";

const SCRIPT_ALIAS: &str = "ScriptAlias / DIR/app/";

const HAPROXY: &str = r#"
global
    log stdout format raw local0

defaults
    mode http
    log global
    timeout connect 5s
    timeout client 20s
    timeout server 20s

userlist members
    user alice insecure-password wonder

fcgi-app app
    docroot /
    log-stderr global
    set-param APP_SECRET SPACED
    set-param SERVER_ADDR %[dst]
    set-param SSL_PROTOCOL %[ssl_fc_protocol] if { ssl_fc }
    set-param SSL_CIPHER %[ssl_fc_cipher] if { ssl_fc }
    set-param SSL_TLS_SNI %[ssl_fc_sni] if { ssl_fc }
    set-param SSL_CLIENT_VERIFY SUCCESS if { ssl_c_used } { ssl_c_verify 0 }
    set-param SSL_CLIENT_S_DN %[ssl_c_s_dn(,0,rfc2253)] if { ssl_c_used }
    set-param SSL_CLIENT_I_DN %[ssl_c_i_dn(,0,rfc2253)] if { ssl_c_used }
    set-param SSL_CLIENT_M_SERIAL %[ssl_c_serial,hex] if { ssl_c_used }
    set-param SSL_CLIENT_FINGERPRINT %[ssl_c_sha1,hex] if { ssl_c_used }
    set-param SSL_CLIENT_CERT %[ssl_c_der,base64] if { ssl_c_used }

frontend web
    bind LISTEN_IP:CLEAR_PORT
    bind LISTEN_IP:TLS_PORT ssl crt DIR/both.pem ca-file DIR/ca.pem verify optional crt-ignore-err all ca-ignore-err all
    http-request auth if { path /members } !{ http_auth(members) }
    # But where a password is asked for, and where this test wants it otherwise.
    http-request del-header authorization unless { path /members /unchecked }
    default_backend app

backend app
    use-fcgi-app app
    server app APPLICATION proto fcgi
"#;

const LIGHTTPD: &str = r#"
server.modules = ( "mod_openssl", "mod_auth", "mod_authn_file", "mod_setenv", "mod_fastcgi" )
server.document-root = "DIR"
server.errorlog = "DIR/error.log"
server.bind = "LISTEN_IP"
server.port = CLEAR_PORT
setenv.set-environment = ( "APP_SECRET" => "SECRET_VALUE" )
auth.backend = "plain"
auth.backend.plain.userfile = "DIR/passwords"
auth.require = ( "/members" => ( "method" => "basic", "realm" => "members", "require" => "valid-user" ) )
fastcgi.server = ( "/" => (( "host" => "127.0.0.1", "port" => APPLICATION_PORT, "check-local" => "disable", "fix-root-scriptname" => "enable" )) )
$SERVER["socket"] == "LISTEN_IP:TLS_PORT" {
    ssl.engine = "enable"
    ssl.pemfile = "DIR/both.pem"
    ssl.ca-file = "DIR/ca.pem"
    ssl.verifyclient.activate = "enable"
    ssl.verifyclient.enforce = "disable"
    ssl.verifyclient.exportcert = "enable"
}
"#;
