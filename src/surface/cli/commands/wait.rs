//! `git crew wait`: until a run is over.

use crate::domain::lease::Life;
use crate::surface::cli::args::{RunArg, span_ms};
use crate::surface::cli::attended;
use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::Line;

/// Waits until a run is over and exits as `git crew run` would have
///
/// Prints the run's last lines. Interrupting the wait does not stop the run.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew wait                   the newest run
  git crew wait 7kq2 --timeout 10m && git merge refs/crew/results/7kq2-fix-login")]
pub struct Args {
    /// Which run.
    #[command(flatten)]
    pub run: RunArg,

    /// Give up after this long, with exit code 1: 90s, 30m, 2h
    #[arg(long = "timeout", value_name = "TIME", value_parser = span_ms)]
    pub timeout_ms: Option<u64>,
}

/// How often the run is looked at, in milliseconds.
const LOOK: u64 = 200;

/// Waits, then says how the run ended.
///
/// # Errors
/// No such run; nobody works on it; the time is over.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let id = ctx.reads()?.find(args.run.run.as_deref())?;
    let start = ctx.host.now();
    loop {
        let run = ctx.reads()?.run(&id)?;
        if run.status.is_terminal() {
            let place = attended::place(ctx)?;
            attended::summary(ctx, &place, &run)?;
            return Ok(attended::exit_of(run.status));
        }
        let life = ctx.reads()?.life(&run);
        if life == Life::Dead || run.lease.held.is_none() {
            return Err(Fault::new(Exit::Interrupted, format!("nobody works on '{id}'"))
                .hint(format!("go on: git crew resume {id}")));
        }
        let passed = u64::try_from(ctx.host.now().since_ms(start)).unwrap_or(0);
        if args.timeout_ms.is_some_and(|limit| passed >= limit) {
            ctx.out.story(&Line::plain(&format!("'{id}' is still {}", run.status.word())));
            return Ok(Exit::Failed);
        }
        ctx.host.pause(LOOK)?;
    }
}
