//! `git crew completions`: short scripts that ask `git crew __complete`, so that
//! every shell knows what this program knows, live run ids included.

use clap::ValueEnum;

use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;

/// A shell that can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash, beside git's own completion
    Bash,
    /// zsh, beside git's own completion
    Zsh,
    /// fish
    Fish,
}

/// A completion script for your shell, for `git crew` and `git-crew`
///
/// It asks git-crew itself for what can come next, so it knows the runs and
/// tasks of the repository and stays right after an update.
#[derive(clap::Args, Clone, Copy, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew completions bash > ~/.local/share/bash-completion/completions/git-crew
  git crew completions zsh > ~/.zfunc/_git-crew
  git crew completions fish > ~/.config/fish/completions/git-crew.fish")]
pub struct Args {
    /// The shell: bash, zsh, fish
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    pub shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// Only when nobody reads it.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let script = match args.shell {
        Shell::Bash => include_str!("../shells/git-crew.bash"),
        Shell::Zsh => include_str!("../shells/git-crew.zsh"),
        Shell::Fish => include_str!("../shells/git-crew.fish"),
    };
    ctx.out.own(script.as_bytes()).map(|()| Exit::Ok)
}
