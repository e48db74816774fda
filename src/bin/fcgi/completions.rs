use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::Outcome;
use crate::terminal;

/// Print a shell's completions
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let mut command = crate::options::Options::command();
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, "fcgi", &mut script);
    terminal::print(&script)
}

const EXAMPLES: &str = "\
Examples:
  fcgi completions bash > ~/.local/share/bash-completion/completions/fcgi
  fcgi completions fish > ~/.config/fish/completions/fcgi.fish
  fcgi completions zsh > ~/.zfunc/_fcgi";
