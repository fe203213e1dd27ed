//! `git crew retry`: tries again what did not complete.

use crate::domain::id::TaskId;
use crate::engine::session;
use crate::surface::cli::args::RunArg;
use crate::surface::cli::attended;
use crate::surface::cli::background;
use crate::surface::cli::ctx::Ctx;
use crate::surface::cli::trusting;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;

/// Tries again what failed, was cancelled or needs attention
///
/// Without TASK every task of the run that did not complete, and those that
/// were skipped for it. Each gets its full number of attempts again; what the
/// old attempts left stays.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew retry
  git crew retry 7kq2 implement")]
pub struct Args {
    /// Which run.
    #[command(flatten)]
    pub run: RunArg,

    /// Only these tasks, and those that were skipped for them
    #[arg(value_name = "TASK")]
    pub tasks: Vec<TaskId>,

    /// Go on in the background; returns when the run is held
    #[arg(long)]
    pub detach: bool,
}

/// Reopens the run and attends it.
///
/// # Errors
/// The run completed, is not over, is held, or has no such task.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    if args.detach {
        return background::start(ctx);
    }
    let place = attended::place(ctx)?;
    let id = ctx.reads()?.find(args.run.run.as_deref())?;
    trusting::settle_run(ctx, &place, &id)?;
    let held = session::reopen(&place, &id, &args.tasks)
        .map_err(|error| Fault::from(error).while_doing(format!("can't retry '{id}'")))?;
    background::confirm(&id);
    attended::work(ctx, &place, held)
}
