//! `git crew resume`: goes on with a run that its holder left.

use crate::engine::session;
use crate::surface::cli::args::{RunArg, span_ms};
use crate::surface::cli::attended;
use crate::surface::cli::background;
use crate::surface::cli::ctx::Ctx;
use crate::surface::cli::trusting;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;

/// Goes on with a run that was interrupted
///
/// Finished tasks are not run again. Attempts that were cut off are closed as
/// interrupted, with their work kept, and cost no retry. Refused while the
/// process that holds the run is, or may be, alive.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew resume                 the newest run
  git crew resume 7kq2 --force    take it over from a machine that you know is dead")]
pub struct Args {
    /// Which run.
    #[command(flatten)]
    pub run: RunArg,

    /// Take the run over though nothing proves its holder dead; recorded
    #[arg(long)]
    pub force: bool,

    /// At most N tasks at a time [default: as the run was planned]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub jobs: Option<u32>,

    /// Stop after this long, keeping the work: 90s, 30m, 2h
    #[arg(long = "max-time", value_name = "TIME", value_parser = span_ms)]
    pub max_time_ms: Option<u64>,

    /// Go on in the background; returns when the run is held
    #[arg(long)]
    pub detach: bool,
}

/// Takes the run up and attends it.
///
/// # Errors
/// The run is over, or held by a process that is, or may be, alive.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    if args.detach {
        return background::start(ctx);
    }
    let place = attended::place(ctx)?;
    let id = ctx.reads()?.find(args.run.run.as_deref())?;
    trusting::settle_run(ctx, &place, &id)?;
    let limit = args.max_time_ms.map(std::time::Duration::from_millis);
    let held = session::take_up(&place, &id, args.force)
        .map_err(|error| Fault::from(error).while_doing(format!("can't resume '{id}'")))?
        .limited(args.jobs, limit);
    background::confirm(&id);
    attended::work(ctx, &place, held)
}
