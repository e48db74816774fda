//! A web server with the application behind it, in a directory with all that they need.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::{Answer, Request};
use crate::debian::Place;
use crate::process::{Process, free_address};
use crate::server::{Front, Server, Wiring};
use crate::{RUNTIME, app, starting};

/// Dropping it ends the server.
pub(crate) struct Site {
    pub(crate) front: Front,
    application: SocketAddr,
    clear: SocketAddr,
    tls: SocketAddr,
    process: Process,
    place: Place,
}

/// Where an application listens.
pub(crate) enum Application {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Site {
    pub(crate) fn start(front: &Front) -> io::Result<Self> {
        starting::start(&front.to_string(), || Self::attempt(*front), Self::is_ready, Self::log)
    }

    fn attempt(front: Front) -> io::Result<Self> {
        let place = Place::new(front.debian)?;
        make_certificates(place.dir())?;
        if front.server == Server::ModFcgid {
            fs::copy(std::env::current_exe()?, place.dir().join("app"))?;
        }
        let stderr = front.takes_stderr().then_some(4096);
        let application = RUNTIME.block_on(app::start(stderr))?;
        let (clear, tls) = (free_address()?, free_address()?);
        let wiring = Wiring { place: &place, clear, tls, application };
        let mut command = front.server.command(&wiring)?;
        let process = Process::spawn(&mut command, &place.dir().join("log"))?;
        Ok(Self { front, application, clear, tls, process, place })
    }

    /// The server's own address.
    pub(crate) fn ip(&self) -> IpAddr {
        self.clear.ip()
    }

    /// Where whoever goes past the server finds the application.
    pub(crate) fn application(&self) -> Application {
        if self.front.server != Server::ModFcgid {
            return Application::Tcp(self.application);
        }
        let sockets = fs::read_dir(self.place.dir().join("sockets")).expect("mod_fcgid made it");
        let socket = sockets.flatten().next().expect("the application is running");
        Application::Unix(socket.path())
    }

    /// The answer, if there is one.
    pub(crate) fn try_ask(&self, request: Request) -> Option<Answer> {
        let address = if request.is_tls { self.tls } else { self.clear };
        request.send(address, self.place.dir())
    }

    /// A certificate of the client, as the library writes them.
    pub(crate) fn certificate(&self, name: &str) -> String {
        let path = self.place.dir().join(format!("{name}.pem"));
        fs::read_to_string(path).expect("it was made")
    }

    /// All that the server wrote.
    pub(crate) fn log(&self) -> String {
        let file = fs::read_to_string(self.place.dir().join("error.log")).unwrap_or_default();
        self.process.log() + &file
    }

    fn is_ready(&mut self) -> Option<bool> {
        if self.process.exited().is_some() {
            return Some(false);
        }
        // The secret tells that the server is this one.
        let is_up = |request| self.try_ask(request).is_some_and(|answer| answer.status == 200);
        (is_up(Request::clear("/")) && is_up(Request::tls("/"))).then_some(true)
    }
}

/// A CA, the server's certificate and alice's from it, and one that has alice's name and no CA.
fn make_certificates(dir: &Path) -> io::Result<()> {
    let openssl = |arguments: &str| {
        let mut openssl = Command::new("openssl");
        match openssl.current_dir(dir).args(arguments.split(' ')).output()? {
            output if output.status.success() => Ok(()),
            output => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /O=Example/CN=CA"))?;
    for (name, subject) in [("server", "/CN=localhost"), ("alice", "/O=Example/CN=alice")] {
        openssl(&format!("req {key} -keyout {name}.key -out {name}.csr -subj {subject}"))?;
        let ca = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
        fs::write(dir.join("names"), "subjectAltName=DNS:localhost")?;
        openssl(&format!("x509 -req -in {name}.csr {ca} -extfile names -out {name}.pem"))?;
    }
    let rogue = "-keyout rogue.key -out rogue.pem -days 2 -subj /O=Example/CN=alice";
    openssl(&format!("req -x509 {key} {rogue}"))?;
    let both = ["server.pem", "server.key"].map(|name| fs::read_to_string(dir.join(name)));
    let [certificate, key] = both;
    fs::write(dir.join("both.pem"), certificate? + &key?)
}
