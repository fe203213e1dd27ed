//! `git crew trust`: agrees to what a repository's files would run here.

use crate::domain::trust::{File, stops};
use crate::engine::trust;
use crate::surface::cli::attended;
use crate::surface::cli::ctx::Ctx;
use crate::surface::cli::trusting;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line};
use crate::view::trust::TrustView;

/// Agrees to what the repository's own files would run
///
/// Teams, workflows and agents in `.crew/` come with a clone, and their scripts
/// and checks run on your machine: only where you have trusted these very files.
/// Trust is bound to their content. One that changes by a byte is not trusted
/// any more. It is yours and this machine's: no fetch brings it.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew trust                 show what .crew/ of HEAD would run, and ask
  git crew trust --ask           only say whether a run would stop: exit code 1
  git crew trust --revoke        trust none of it any more")]
pub struct Args {
    /// Files, or folders, below .crew/ [default: all]
    #[arg(value_name = "FILE")]
    pub files: Vec<String>,

    /// As they are in this commit
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub from: String,

    /// Change nothing; exit with 1 when a run of these files would stop
    #[arg(long, conflicts_with_all = ["yes", "revoke"])]
    pub ask: bool,

    /// Trust them without being asked once more
    #[arg(long, conflicts_with = "revoke")]
    pub yes: bool,

    /// Trust them no more
    #[arg(long)]
    pub revoke: bool,
}

/// Shows, asks, and writes down the answer.
///
/// # Errors
/// No such file; nobody there to be asked; the list can't be written.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let place = attended::place(ctx)?;
    let commit = place.store.resolve(&args.from)?;
    let files = chosen(trust::of_commit(&place, &commit)?, &args.files)?;
    if args.ask {
        answer(ctx, &files)?;
        return Ok(if stops(&files) { Exit::Failed } else { Exit::Ok });
    }
    if args.revoke {
        trust::revoke(&place, &files)?;
    } else if files.iter().any(|file| !file.trusted) {
        agree(ctx, args, &files)?;
        trust::grant(&place, &files)?;
    }
    answer(ctx, &chosen(trust::of_commit(&place, &commit)?, &args.files)?)?;
    Ok(Exit::Ok)
}

/// The files that were named, each by its path or by a folder above it.
fn chosen(all: Vec<File>, names: &[String]) -> Result<Vec<File>, Fault> {
    let is_named = |file: &File, name: &str| {
        let name = name.trim_start_matches("./").trim_end_matches('/');
        file.path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    for name in names {
        if !all.iter().any(|file| is_named(file, name)) {
            let what = format!("no team, workflow or agent of the repository at '{name}'");
            return Err(Fault::new(Exit::NotFound, what).hint("see them: git crew trust --ask"));
        }
    }
    let wanted = |file: &File| names.is_empty() || names.iter().any(|name| is_named(file, name));
    Ok(all.into_iter().filter(wanted).collect())
}

/// Asks the person, unless the command line has answered.
fn agree(ctx: &mut Ctx<'_>, args: &Args, files: &[File]) -> Result<(), Fault> {
    if args.yes {
        return Ok(());
    }
    trusting::show(ctx, files);
    match ctx.host.confirm("Trust these files, as they are in this commit?")? {
        Some(true) => Ok(()),
        Some(false) => Err(Fault::new(Exit::Failed, "nothing was trusted")),
        None => Err(Fault::new(Exit::Blocked, "nobody is there to be asked: no terminal")
            .hint(format!("read them, then: git crew trust --yes --from {}", args.from))),
    }
}

fn answer(ctx: &mut Ctx<'_>, files: &[File]) -> Result<(), Fault> {
    let view = TrustView::new(files);
    if ctx.global.json {
        return ctx.out.json("trust", view);
    }
    if files.is_empty() {
        let line = "the repository brings no team, workflow or agent of its own";
        ctx.out.story(&Line::new().with(Label::Dim, line));
        return Ok(());
    }
    ctx.out.text(&view.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        let id = "1".repeat(40).parse().expect("an id");
        File { path: path.to_owned(), id, trusted: false, commands: Vec::new() }
    }

    #[test]
    fn a_file_or_its_folder_names_it_and_nothing_else_does() {
        let all = || vec![file(".crew/teams/a.team.md"), file(".crew/teams/ab.team.md")];
        let paths = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let chosen = chosen(all(), &names).ok()?;
            Some(chosen.into_iter().map(|file| file.path).collect::<Vec<_>>().join(" "))
        };
        let both = ".crew/teams/a.team.md .crew/teams/ab.team.md";
        assert_eq!(paths(&[]).as_deref(), Some(both));
        assert_eq!(paths(&["./.crew/teams/"]).as_deref(), Some(both));
        assert_eq!(paths(&[".crew/teams/a.team.md"]).as_deref(), Some(".crew/teams/a.team.md"));
        assert_eq!(paths(&[".crew/teams/a"]), None);
    }
}
