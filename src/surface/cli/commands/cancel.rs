//! `git crew cancel`: asks for a run to be stopped.

use crate::domain::lease::Life;
use crate::domain::run::RunStatus;
use crate::engine::session::{self, SessionError};
use crate::store::runs::LedgerError;
use crate::surface::cli::args::RunArg;
use crate::surface::cli::attended;
use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line};

/// Stops a run, from any terminal, and keeps its work
///
/// The process that holds the run stops its agents, keeps what they made and
/// ends the run as cancelled; without one, this command does. `git crew retry`
/// takes it up again.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew cancel
  git crew cancel 7kq2 --why \"wrong branch\"")]
pub struct Args {
    /// Which run.
    #[command(flatten)]
    pub run: RunArg,

    /// Why, for the run's history
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "asked for by a person",
        hide_default_value = true
    )]
    pub why: String,
}

/// How often the run is looked at while its holder stops it, in milliseconds.
const LOOK: u64 = 50;

/// How long a holder may take to stop its agents, in milliseconds, before this
/// command says that it is on its way and goes.
const PATIENCE: i64 = 30_000;

/// Asks the holder to stop the run; without one, ends it here.
///
/// # Errors
/// No such run, or it is over.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let place = attended::place(ctx)?;
    let id = ctx.reads()?.find(args.run.run.as_deref())?;
    session::ask_to_cancel(&place, &id, &args.why).map_err(|error| {
        let fault = match error {
            SessionError::Ledger(LedgerError::Refused(refusal)) => Fault::refused(&refusal, &id),
            error => error.into(),
        };
        fault.while_doing(format!("can't cancel '{id}'"))
    })?;
    let start = ctx.host.now();
    loop {
        let run = ctx.reads()?.run(&id)?;
        if run.status.is_terminal() {
            attended::summary(ctx, &place, &run)?;
            let done = run.status == RunStatus::Cancelled;
            return Ok(if done { Exit::Ok } else { attended::exit_of(run.status) });
        }
        let life = ctx.reads()?.life(&run);
        if run.lease.held.is_none() || life == Life::Dead {
            match session::take_up(&place, &id, false) {
                Ok(held) => {
                    attended::work(ctx, &place, held)?;
                    return Ok(Exit::Ok);
                }
                // Another process was faster to take it up, and ends it.
                Err(error) if session::is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if ctx.host.now().since_ms(start) > PATIENCE {
            let text = format!("asked; the holder of '{id}' is still stopping its agents");
            ctx.out.story(&Line::new().with(Label::Warn, &text));
            return Ok(Exit::Failed);
        }
        ctx.host.pause(LOOK)?;
    }
}
