//! `git crew status`: all runs, from the tips of their chains.

use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::list::{self, RowView, RunRow};
use crate::view::text::{Label, Line};

/// How many runs that are over are listed without being asked for.
const NEWEST: usize = 20;

/// All runs, the newest first
///
/// Runs that go on are always listed; of those that are over the newest 20,
/// unless -a or -n says otherwise. With --json all of them.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew status
  git crew status -a                                      every run
  git crew status --json | jq -r '.data[] | select(.status == \"blocked\").id'")]
pub struct Args {
    /// Only the newest N runs
    #[arg(short = 'n', long = "max-count", value_name = "N", conflicts_with = "all")]
    pub most: Option<usize>,

    /// Every run
    #[arg(short = 'a', long)]
    pub all: bool,
}

/// Prints the list.
///
/// # Errors
/// When the repository can't be read. A run that can't be read is a row.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let rows = ctx.reads()?.runs()?;
    let now = ctx.host.now();
    let total = rows.len();
    let mut shown: Vec<RunRow> =
        select(&rows, args, ctx.global.json).into_iter().cloned().collect();
    ctx.reads()?.detail(&mut shown);
    let shown: Vec<RowView> = shown.iter().map(|row| RowView::new(row, now)).collect();
    if ctx.global.json {
        return ctx.out.json("runs", shown).map(|()| Exit::Ok);
    }
    ctx.out.text(&list::text(&shown, ctx.out.wide()))?;
    if shown.len() < total {
        let words = format!("{} more: ", total - shown.len());
        ctx.out
            .story(&Line::new().with(Label::Dim, &words).with(Label::Hint, "git crew status -a"));
    }
    Ok(Exit::Ok)
}

fn select<'a>(rows: &'a [RunRow], args: &Args, json: bool) -> Vec<&'a RunRow> {
    if let Some(most) = args.most {
        return rows.iter().take(most).collect();
    }
    if args.all || json {
        return rows.iter().collect();
    }
    let goes_on = |row: &RunRow| row.status.as_ref().is_ok_and(|status| !status.is_terminal());
    let mut room = NEWEST;
    let mut wanted = |row: &&RunRow| {
        let fits = room > 0;
        room = room.saturating_sub(usize::from(!goes_on(row)));
        goes_on(row) || fits
    };
    rows.iter().filter(|row| wanted(row)).collect()
}
