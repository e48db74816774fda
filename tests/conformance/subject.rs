//! The applications that are checked.

use std::io;
use std::process::Command;

use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::application::{Application, Kind, script};
use crate::{app, tokio_fastcgi};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    TowerFastcgi,
    TokioFastcgi,
    Other(Kind),
}

/// What runs for a check, ended when dropped.
pub(crate) enum Running {
    Here { address: String, _runtime: Runtime, _folder: TempDir },
    Elsewhere(Application),
}

impl Subject {
    pub(crate) const ALL: [Self; 6] = [
        Self::TowerFastcgi,
        Self::TokioFastcgi,
        Self::Other(Kind::Go),
        Self::Other(Kind::Libfcgi),
        Self::Other(Kind::PhpFpm),
        Self::Other(Kind::PhpCgi),
    ];

    /// The heading of its column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TowerFastcgi => "tower-fastcgi",
            Self::TokioFastcgi => "tokio-fastcgi",
            Self::Other(Kind::Go) => "Go net/http/fcgi",
            Self::Other(Kind::Libfcgi) => "libfcgi",
            Self::Other(Kind::PhpFpm) => "php-fpm",
            Self::Other(Kind::PhpCgi) => "php-cgi",
        }
    }

    /// The part of its version that makes a difference.
    pub(crate) fn version(self) -> String {
        let text = match self {
            Self::TowerFastcgi => return String::new(),
            Self::TokioFastcgi => locked("tokio-fastcgi"),
            Self::Other(Kind::Go) => said(Command::new("go").arg("version")),
            Self::Other(Kind::Libfcgi) => said(Command::new("dpkg-query").args(LIBFCGI)),
            Self::Other(Kind::PhpFpm | Kind::PhpCgi) => said(Command::new("php-cgi").arg("-v")),
        };
        let is_other = |letter: char| !letter.is_ascii_digit() && letter != '.';
        let number = text.split(is_other).find(|part| part.contains('.')).unwrap_or_default();
        Vec::from_iter(number.split('.').take(2)).join(".")
    }

    pub(crate) fn start(self) -> io::Result<Running> {
        if let Self::Other(kind) = self {
            return Application::start(kind).map(Running::Elsewhere);
        }
        let (runtime, folder) = (Runtime::new()?, tempfile::tempdir()?);
        let socket = folder.path().join("app.sock");
        let address = format!("unix:{}", socket.display());
        runtime.block_on(async {
            match self {
                Self::TowerFastcgi => app::serve(&address).await.map(|_| ()),
                _ => tokio_fastcgi::serve(&socket),
            }
        })?;
        Ok(Running::Here { address, _runtime: runtime, _folder: folder })
    }
}

impl Running {
    pub(crate) fn arguments(&self) -> Vec<String> {
        match self {
            Self::Here { address, .. } => vec![address.clone()],
            Self::Elsewhere(application) => {
                let address = format!("unix:{}", application.socket().display());
                let is_php = application.kind.is_php();
                let script = is_php.then(|| format!("--script-filename={}", script()));
                script.into_iter().chain([address]).collect()
            }
        }
    }
}

fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).into_owned()
}

fn locked(name: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let package = lock.split("[[package]]").find(|it| it.contains(&format!("name = \"{name}\"\n")));
    package
        .unwrap_or_default()
        .lines()
        .find(|line| line.starts_with("version"))
        .unwrap_or_default()
        .to_owned()
}

const LIBFCGI: [&str; 3] = ["-W", "-f=${Version}", "libfcgi-dev"];
