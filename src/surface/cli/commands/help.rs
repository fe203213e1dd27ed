//! `git crew help`: always works, whatever `git crew --help` does.

use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;

/// Help for a command, or this overview
///
/// `git crew --help` shows the manual page git-crew(1), which has to be
/// installed: git crew man --install.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// The command
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Prints the long help.
///
/// # Errors
/// [`Exit::Usage`] for a command that does not exist, with the nearest one.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let words = std::iter::once("git crew")
        .chain(args.command.iter().map(String::as_str))
        .chain(std::iter::once("--help"));
    match crate::surface::cli::command().try_get_matches_from(words) {
        Err(error) => Ok(crate::surface::cli::told(&mut ctx.out, &error)),
        Ok(_) => Err(Fault::new(Exit::Internal, "help was asked for and not given")),
    }
}
