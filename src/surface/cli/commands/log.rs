//! `git crew log`: the events of a run, or what an agent printed.

use crate::domain::run::Run;
use crate::surface::cli::args::{RunArg, TaskRef};
use crate::surface::cli::ctx::{Ctx, Piece};
use crate::surface::cli::pick;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::escape::unfinished;
use crate::view::event::{EventView, text};
use crate::view::text::Line;

/// Between two looks at an output that still grows, in milliseconds.
const LOOK_MS: u64 = 200;

/// The events of a run, oldest first, or what an agent printed
///
/// With TASK only the events of that task. The same story without git-crew:
/// git log refs/crew/runs/<RUN>.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew log                          the newest run
  git crew log 7kq2 implement           one of its tasks
  git crew log 7kq2 implement --output -f   what its agent prints, as it comes
  git crew log --json | jq -r .data.subject")]
pub struct Args {
    /// Which run.
    #[command(flatten)]
    pub run: RunArg,

    /// A task of the run, or TASK@N for one attempt
    #[arg(value_name = "TASK")]
    pub task: Option<TaskRef>,

    /// What the agent printed instead of events, control characters shown escaped
    #[arg(long, requires = "task")]
    pub output: bool,

    /// Go on as more is printed, until the attempt ends
    #[arg(short = 'f', long, requires = "output", conflicts_with = "json")]
    pub follow: bool,

    /// Only the newest N events
    #[arg(short = 'n', long = "max-count", value_name = "N", conflicts_with = "output")]
    pub most: Option<usize>,
}

/// Prints the events (JSON: one line each) or the output.
///
/// # Errors
/// No such run, task or attempt. After the intact part of a damaged chain: the
/// damage.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    if let Some(name) = args.task.as_ref().filter(|_| args.output) {
        let run = ctx.run(args.run.run.as_deref())?;
        return output(ctx, &run, name, args.follow);
    }
    let reads = ctx.reads()?;
    let id = reads.find(args.run.run.as_deref())?;
    if let Some(name) = &args.task {
        let run = reads.run(&id)?;
        let task = pick::task(&run, name)?;
        if name.attempt.is_some() {
            pick::attempt(task, name)?;
        }
    }
    // A filter has to see them all before it can say which are the newest.
    let most = if args.task.is_some() { None } else { args.most };
    let (events, damage) = reads.events(&id, most)?;
    let now = ctx.host.now();
    let wanted = |view: &EventView| match &args.task {
        None => true,
        Some(name) => {
            view.task.as_deref() == Some(name.task.as_str())
                && (name.attempt.is_none() || view.attempt == name.attempt)
        }
    };
    let mut views: Vec<EventView> =
        events.iter().map(|event| EventView::new(event, now)).filter(wanted).collect();
    if let Some(most) = args.most {
        views.drain(..views.len().saturating_sub(most));
    }
    if ctx.global.json {
        for view in &views {
            ctx.out.json_line("event", view)?;
        }
    } else {
        ctx.out.text(&text(&views))?;
    }
    damage.map_or(Ok(Exit::Ok), Err)
}

fn output(ctx: &mut Ctx<'_>, run: &Run, name: &TaskRef, follow: bool) -> Result<Exit, Fault> {
    let task = pick::task(run, name)?;
    let attempt = pick::attempt(task, name)?;
    let silent = attempt.output.as_ref().is_none_or(|output| output.bytes == 0);
    let attempt = attempt.number;
    let mut from = 0;
    let mut held: Vec<u8> = Vec::new();
    loop {
        let piece = match ctx.reads()?.output(&run.id, &task.id, attempt, from)? {
            Some(piece) => piece,
            None if silent => {
                let note = format!("attempt {attempt} of '{}' printed nothing", task.id);
                ctx.out.story(&Line::plain(&note));
                Piece::default()
            }
            None => {
                return Err(Fault::new(
                    Exit::NotFound,
                    format!("nothing is kept of what attempt {attempt} of '{}' printed", task.id),
                )
                .hint(format!("its digest and its end: git crew show {} {}", run.id, task.id)));
            }
        };
        let grew = piece.next > from;
        from = piece.next;
        held.extend(piece.bytes);
        if ctx.global.json {
            let text = String::from_utf8_lossy(&held);
            return ctx.out.json("output", text).map(|()| Exit::Ok);
        }
        let more = piece.open && follow;
        let keep = if more || grew { unfinished(&held) } else { 0 };
        let rest = held.split_off(held.len() - keep);
        ctx.out.block(&held)?;
        held = rest;
        if !grew && !more {
            return Ok(Exit::Ok);
        }
        if !grew && let Err(fault) = ctx.host.pause(LOOK_MS) {
            // To interrupt is how a person ends this; there is nothing to explain.
            return if fault.exit == Exit::Interrupted { Ok(fault.exit) } else { Err(fault) };
        }
    }
}
