//! The applications: built once, started for each probe.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tower_fastcgi::client::{Builder, Client, Environment};

use crate::process::{POLL, Process};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    PhpFpm,
    PhpCgi,
    Go,
    Libfcgi,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::PhpFpm, Self::PhpCgi, Self::Go, Self::Libfcgi];

    pub(crate) fn is_php(self) -> bool {
        matches!(self, Self::PhpFpm | Self::PhpCgi)
    }
}

/// A running application, ended when dropped.
pub(crate) struct Application {
    pub(crate) kind: Kind,
    process: Process,
    folder: TempDir,
}

impl Application {
    pub(crate) fn start(kind: Kind) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("app.sock");
        let mut command = match kind {
            Kind::PhpFpm => php_fpm(folder.path(), &socket)?,
            Kind::PhpCgi => php_cgi(&socket),
            Kind::Go => built(&GO, build_go)?,
            Kind::Libfcgi => built(&C, build_c)?,
        };
        if !kind.is_php() {
            command.arg(&socket);
        }
        let process = Process::spawn(&mut command, &folder.path().join("log"))?;
        let mut application = Self { kind, process, folder };
        application.wait()?;
        Ok(application)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("app.sock")
    }

    /// As the command takes it.
    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    pub(crate) fn log(&self) -> String {
        self.process.log_tail()
    }

    /// Options for this application.
    pub(crate) fn builder(&self) -> Builder {
        let mut builder = Client::builder();
        builder.environment(self.environment());
        builder
    }

    /// PHP is told its script.
    pub(crate) fn environment(&self) -> Environment {
        let mut environment = Environment::new();
        environment.remote_addr("192.0.2.7:50000".parse().expect("an address"));
        if self.kind.is_php() {
            environment.script_filename(script());
            environment.script_name("");
        }
        environment
    }

    fn wait(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(self.socket()).is_err() {
            if let Some(status) = self.process.exited() {
                return Err(io::Error::other(format!("{:?}: {status}\n{}", self.kind, self.log())));
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(POLL);
        }
        Ok(())
    }
}

/// What PHP is told to run.
pub(crate) fn script() -> String {
    programs().join("app.php").to_str().expect("a path").to_owned()
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client_applications/programs")
}

fn php_fpm(folder: &Path, socket: &Path) -> io::Result<Command> {
    let config = folder.join("php-fpm.conf");
    let text = format!(
        "[global]\nerror_log = {}\ndaemonize = no\n\
         [app]\nlisten = {}\npm = static\npm.max_children = 3\nuser = nobody\n\
         php_admin_value[post_max_size] = 0\nphp_admin_flag[log_errors] = on\n",
        folder.join("fpm.log").display(),
        socket.display()
    );
    std::fs::write(&config, text)?;
    let mut command = Command::new(find("php-fpm")?);
    command.arg("--allow-to-run-as-root").arg("--nodaemonize").arg("--fpm-config").arg(config);
    Ok(command)
}

fn php_cgi(socket: &Path) -> Command {
    let mut command = Command::new("php-cgi");
    command.args(["-d", "post_max_size=0", "-d", "log_errors=1", "-b"]).arg(socket);
    command.env("PHP_FCGI_CHILDREN", "3");
    command
}

/// Debian's php-fpm has its version in its name.
fn find(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let found = files.map(|file| file.path()).find(|path| {
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        file.strip_prefix(name)
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    });
    found.ok_or_else(|| io::Error::other(format!("{name} is missing; scripts/test installs it")))
}

type Built = OnceLock<Result<PathBuf, String>>;

fn built(built: &Built, build: fn(&Path) -> Command) -> io::Result<Command> {
    let program = built.get_or_init(|| {
        let name = if std::ptr::eq(built, &GO) { "go" } else { "c" };
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("client-app-{name}"));
        let output = build(&program).output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(program),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    });
    program.as_ref().map(Command::new).map_err(|error| io::Error::other(error.clone()))
}

fn build_go(program: &Path) -> Command {
    let mut command = Command::new("go");
    command.args(["build", "-o"]).arg(program).arg(programs().join("app.go"));
    command.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GO111MODULE", "off");
    command
}

fn build_c(program: &Path) -> Command {
    let mut command = Command::new("cc");
    command.arg("-o").arg(program).arg(programs().join("app.c")).arg("-lfcgi");
    command
}

static GO: Built = OnceLock::new();
static C: Built = OnceLock::new();
