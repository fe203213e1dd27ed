//! Work that goes on when its terminal is gone: the same command, started again
//! as a process of its own, which says a word when its first events are written.
//!
//! Promise: whoever is told that a run goes on can find it, even after a power
//! cut in the next moment.

use std::io::Write;
use std::path::PathBuf;

use crate::domain::id::RunId;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line};
use crate::world::process;

use super::attended;
use super::ctx::Ctx;

/// Set for the process in the background, so that it knows that it is one.
const NAME: &str = "CREW_BACKGROUND";

/// Starts this very command again without `--detach`, waits for its word and
/// hands it on.
///
/// # Errors
/// It could not begin: what it said is told as the cause.
pub fn start(ctx: &mut Ctx<'_>) -> Result<Exit, Fault> {
    let place = attended::place(ctx)?;
    let folder = place.store.common_dir().join("crew/background");
    let args: Vec<_> = std::env::args_os().skip(1).filter(|word| word != "--detach").collect();
    let log: PathBuf = folder.join(format!("{}.log", place.store.holder()));
    let begun = process::background(&args, NAME, &log)?;
    if let Some(id) = begun.word {
        let line = Line::new()
            .with(Label::Strong, "run ")
            .with(Label::Id, &id)
            .with(Label::Plain, " goes on in the background");
        ctx.out.story(&line);
        let hint = format!("git crew wait {id}");
        ctx.out.story(&Line::new().with(Label::Hint, "hint: ").with(Label::Plain, &hint));
        ctx.out.own(format!("{id}\n").as_bytes())?;
        return Ok(Exit::Ok);
    }
    // It has told its error on the log, in the words a person would have seen.
    for line in begun.story.lines() {
        ctx.out.story(&Line::plain(line));
    }
    match begun.code {
        Some(code) => Ok(Exit::from_code(code)),
        None => Err(Fault::new(Exit::Internal, "the run is not confirmed: its process was killed")
            .hint("see whether it had begun: git crew status")),
    }
}

/// In the background: says that the run exists, then lets go of the terminal.
/// In the foreground: nothing.
pub fn confirm(id: &RunId) {
    if !process::is_background(NAME) {
        return;
    }
    let mut out = std::io::stdout();
    // Nobody may be listening any more; the run goes on all the same.
    let _ = writeln!(out, "{id}").and_then(|()| out.flush());
    process::leave_terminal();
}
