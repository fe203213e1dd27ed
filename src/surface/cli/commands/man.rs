//! `git crew man`: the manual pages, made from the same text as the help.

use std::path::Path;

use crate::surface::cli::ctx::Ctx;
use crate::surface::cli::manual::{self, Page};
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line, Text};

/// The manual page of a command, or all of them into your man folder
///
/// git turns `git crew --help` into `man git-crew`; after --install that works.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew man --install
  git crew man run | man -l -")]
pub struct Args {
    /// The command [default: the page of git-crew itself]
    #[arg(value_name = "COMMAND", conflicts_with = "install")]
    pub command: Option<String>,

    /// Write all pages into $XDG_DATA_HOME/man/man1 (~/.local/share/man/man1)
    #[arg(long)]
    pub install: bool,
}

/// Prints one page, or installs them all.
///
/// # Errors
/// No such command; no home folder; what the file system says.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let pages = manual::pages()?;
    if args.install {
        return install(ctx, &pages);
    }
    let name = match &args.command {
        Some(command) => format!("git-crew-{command}"),
        None => "git-crew".to_owned(),
    };
    match pages.iter().find(|page| page.name == name) {
        Some(page) => ctx.out.own(&page.roff).map(|()| Exit::Ok),
        None => Err(Fault::new(Exit::Usage, format!("no manual page '{name}'"))
            .hint("see the commands: git crew help")),
    }
}

fn install(ctx: &mut Ctx<'_>, pages: &[Page]) -> Result<Exit, Fault> {
    let Some(data) = &ctx.env.data_home else {
        return Err(Fault::new(Exit::Failed, "neither XDG_DATA_HOME nor HOME names a folder")
            .hint("print one page: git crew man > git-crew.1"));
    };
    let man = data.join("man");
    for page in pages {
        ctx.host.write(&man.join("man1").join(format!("{}.1", page.name)), &page.roff)?;
    }
    let folder = man.display().to_string();
    let mut text = Text::new();
    let line = Line::plain(&format!("wrote {} manual pages to ", pages.len()));
    text.push(line.with(Label::Id, &format!("{folder}/man1")));
    ctx.out.text(&text)?;
    // The colon keeps the folders that man looks in by itself.
    let export = format!("export MANPATH=\"{folder}:$MANPATH\"");
    match ctx.host.man_path() {
        None => ctx.out.story(&hint(&format!("if man does not look there: {export}"))),
        Some(path) if !finds(&path, &man) => {
            ctx.out.story(&hint(&format!("man does not look there yet: {export}")));
        }
        Some(_) => {}
    }
    Ok(Exit::Ok)
}

fn finds(path: &str, man: &Path) -> bool {
    path.trim().split(':').any(|folder| Path::new(folder) == man)
}

fn hint(words: &str) -> Line {
    Line::new().with(Label::Hint, "hint: ").with(Label::Plain, words)
}
