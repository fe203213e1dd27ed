//! `git crew init`: makes a repository ready for runs, or undoes that.

use serde::Serialize;

use crate::engine::place::Place;
use crate::engine::undo::{self, Undone};
use crate::surface::cli::attended;
use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line, Text};

/// Makes this repository ready for runs. The first `git crew run` does it too
///
/// Nothing is written outside `.git`: no file of yours, no index, no branch. As
/// long as nothing has run, `--undo` leaves byte for byte what was there.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew init                   say what was set up
  git crew init --undo            take it back; refused while there are runs
  git crew init --undo --force    and all runs with it")]
pub struct Args {
    /// Take back what init did; refused where there are runs
    #[arg(long)]
    pub undo: bool,

    /// Delete the refs of all runs, too. Their objects stay until git's own gc
    #[arg(long, requires = "undo")]
    pub force: bool,
}

/// What was done, for programs.
#[derive(Debug, Serialize)]
struct Done {
    done: &'static str,
    git_dir: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<String>,
}

/// Says in one line what was done.
///
/// # Errors
/// No repository, or one that can't be used or written; runs that are in the way.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let place = attended::place(ctx)?;
    if args.undo {
        let undone = undo::undo(&place, args.force)
            .map_err(|error| Fault::from(error).while_doing("can't take back what init did"))?;
        return tell(ctx, &place, &undone);
    }
    let done = undo::init(&place)?;
    if ctx.global.json {
        let word = if done.fresh { "initialised" } else { "nothing" };
        return answer(ctx, &place, word, &Undone::default());
    }
    let mut text = Text::new();
    text.push(if done.fresh { fresh(&place) } else { already(&place) });
    ctx.out.text(&text)?;
    for (remote, spec) in place.store.fetches_over_us()? {
        let words = format!(
            "'git fetch --prune {remote}' would delete runs: its refspec '{spec}' covers refs/crew"
        );
        ctx.out.story(&Line::new().with(Label::Warn, "warning: ").with(Label::Plain, &words));
        let hint = format!("git config --edit, section [remote \"{remote}\"]");
        ctx.out.story(&Line::new().with(Label::Hint, "hint: ").with(Label::Plain, &hint));
    }
    Ok(Exit::Ok)
}

/// The line that says that a repository was made ready just now.
#[must_use]
pub fn fresh(place: &Place) -> Line {
    let folder = place.store.common_dir().display().to_string();
    Line::plain("initialised refs/crew in ")
        .with(Label::Id, &folder)
        .with(Label::Dim, " (git crew init --undo takes it back)")
}

fn already(place: &Place) -> Line {
    let folder = place.store.common_dir().display().to_string();
    Line::plain("refs/crew is there already in ").with(Label::Id, &folder)
}

fn answer(
    ctx: &mut Ctx<'_>,
    place: &Place,
    done: &'static str,
    what: &Undone,
) -> Result<Exit, Fault> {
    let runs = what.runs.iter().map(ToString::to_string).collect();
    let kept = what.kept.iter().map(|path| path.display().to_string()).collect();
    let git_dir = place.store.common_dir().display().to_string();
    ctx.out.json("init", Done { done, git_dir, runs, kept }).map(|()| Exit::Ok)
}

fn tell(ctx: &mut Ctx<'_>, place: &Place, undone: &Undone) -> Result<Exit, Fault> {
    if ctx.global.json {
        return answer(ctx, place, if undone.was { "undone" } else { "nothing" }, undone);
    }
    let mut text = Text::new();
    let folder = place.store.common_dir().display().to_string();
    text.push(match (undone.was, undone.runs.len()) {
        (false, _) => Line::plain("nothing to take back in ").with(Label::Id, &folder),
        (true, 0) => Line::plain("took refs/crew out of ").with(Label::Id, &folder),
        (true, runs) => Line::plain("took refs/crew out of ").with(Label::Id, &folder).with(
            Label::Plain,
            &format!(" and deleted {runs} runs; their objects stay until git gc"),
        ),
    });
    for path in &undone.kept {
        let words = format!("kept '{}': not all in it is git-crew's to delete", path.display());
        text.push(Line::plain(&words));
    }
    ctx.out.text(&text).map(|()| Exit::Ok)
}
