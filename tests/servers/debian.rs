//! Where a server of a Debian release lives: on this machine, or in a folder that holds that release.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::foreground;
use crate::public_dir::public_dir;

/// A release with the servers' versions in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Debian {
    Bookworm,
    Trixie,
}

impl Debian {
    pub(crate) const ALL: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// The folder that holds the release, `/` if it is the machine's own.
    fn root(self) -> io::Result<PathBuf> {
        let name = match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        };
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in target");
        match target.join("debian").join(name).canonicalize() {
            Ok(root) => Ok(root),
            Err(_) if self == Self::Bookworm => Ok("/".into()),
            Err(error) => {
                let text = format!("target/debian/{name}: {error}; scripts/test makes it");
                Err(io::Error::new(error.kind(), text))
            }
        }
    }

    /// What `program` says of its version, as numbers with dots between. None if it is not there.
    pub(crate) fn version_of(self, program: &str, argument: &str) -> Option<String> {
        let mut command = command_in(&self.root().ok()?, program);
        let output = command.arg(argument).stdin(Stdio::null()).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let mut words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
        words.find(|word| word.contains('.') && word.starts_with(char::is_numeric)).map(Into::into)
    }
}

/// A directory for one server, which goes away with it.
#[derive(Debug)]
pub(crate) struct Place {
    root: PathBuf,
    dir: TempDir,
}

impl Place {
    pub(crate) fn new(debian: Debian) -> io::Result<Self> {
        let root = debian.root()?;
        let is_own = root == Path::new("/");
        let parent = if is_own { std::env::temp_dir() } else { root.join("tmp") };
        let dir = public_dir(&parent)?;
        Ok(Self { root, dir })
    }

    /// The directory as this process sees it.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The directory as the server sees it.
    pub(crate) fn home(&self) -> String {
        self.inside(self.dir())
    }

    /// A path in the directory, as the server sees it.
    pub(crate) fn path(&self, name: &str) -> String {
        self.inside(&self.dir().join(name))
    }

    /// Writes a file into the directory. Its path is what the server sees.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<String> {
        std::fs::write(self.dir().join(name), text)?;
        Ok(self.path(name))
    }

    /// What a path of this process is for the server.
    pub(crate) fn inside(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).expect("sockets are in the server's directory");
        format!("/{}", inside.display())
    }

    /// The command of a web server, with a configuration that [`Self::write`] wrote.
    pub(crate) fn web_server(&self, program: &str, config: &str) -> Command {
        let mut command = self.command(program);
        foreground::add_arguments(&mut command, program, self.home(), config);
        command
    }

    /// A command that sees the release as the whole machine.
    pub(crate) fn command(&self, program: &str) -> Command {
        command_in(&self.root, program)
    }
}

fn command_in(root: &Path, program: &str) -> Command {
    if root == Path::new("/") {
        return Command::new(program);
    }
    let mut command = Command::new("chroot");
    if !geteuid().is_root() {
        command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", AS_ROOT, "chroot"]);
    }
    command.arg(root).arg(program);
    command
}

/// What a user other than root may do in a namespace of one's own. The folder has no devices then.
const AS_ROOT: &str = r#"mount --rbind /dev "$1/dev" && exec chroot "$@""#;
