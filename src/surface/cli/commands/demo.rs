//! `git crew demo`: the main job, for real, in a throw-away repository.

use crate::engine::demonstration;
use crate::engine::place::Place;
use crate::engine::session::{self, Wish};
use crate::surface::cli::attended;
use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line, Text};
use crate::world::environment::Incoming;
use std::path::PathBuf;

/// Does a whole run in a throw-away repository, without any agent installed
///
/// Five tasks with a fan-out and a join, one attempt that fails its check and is
/// retried, one that is stopped by its time limit and recovered. Ends with the
/// tree of tasks and the git commands that tell the same story.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew demo
  git crew demo --keep /tmp/crew-demo    leave the repository there to look around")]
pub struct Args {
    /// Make the repository in DIR, which must be empty or absent, and leave it there
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Makes the repository and runs the shipped team `demo` in it.
///
/// # Errors
/// The repository can't be made, or the run can't begin.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let incoming = Incoming::read();
    let stage = demonstration::Stage::make(&incoming, args.keep.as_deref())?;
    let place = Place::open(&stage.repository, stage.incoming.clone())?;
    ctx.global.dir = Some(stage.repository.clone());
    let wish = Wish {
        goal: demonstration::GOAL.to_owned(),
        team: Some("demo".to_owned()),
        ..Wish::default()
    };
    let prepared = session::prepare(&place, &wish)?;
    let held = session::begin(&place, &prepared)?;
    let id = held.ledger.id().clone();
    let shown = stage.repository.display().to_string();
    ctx.out.story(
        &Line::new().with(Label::Strong, "a repository to play in: ").with(Label::Plain, &shown),
    );
    let exit = attended::work(ctx, &place, held)?;
    let mut text = Text::new();
    text.gap();
    text.push(Line::plain("Plain git tells the same story:"));
    for command in [
        "git log refs/crew".to_owned(),
        format!("git log refs/crew/runs/{id}"),
        format!("git show refs/crew/runs/{id}:run.json"),
    ] {
        text.push(Line::new().with(Label::Hint, &format!("  git -C {shown} {}", &command[4..])));
    }
    ctx.out.text(&text)?;
    if args.keep.is_none() {
        let line = "the repository is left in the temporary folder; --keep DIR chooses another";
        ctx.out.story(&Line::new().with(Label::Dim, line));
    }
    Ok(exit)
}
