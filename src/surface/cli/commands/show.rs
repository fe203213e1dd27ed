//! `git crew show`: one run, one task, or the prompt that an agent was given.

use crate::domain::run::Run;
use crate::surface::cli::args::{RunArg, TaskRef};
use crate::surface::cli::ctx::Ctx;
use crate::surface::cli::pick;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::run::{RunView, TaskView};
use crate::view::{task, tree};

/// One run: its tasks, what was kept, why it stands where it stands, what to do
/// next
///
/// With TASK, that task in full: its attempts, what they changed, what was not
/// kept and what the checks printed. TASK@2 is its second attempt.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew show                          the newest run
  git crew show 7kq2 implement           one of its tasks
  git crew show 7kq2 implement --prompt  what its agent was told
  git crew show --json | jq -r .data.status")]
pub struct Args {
    /// Which run.
    #[command(flatten)]
    pub run: RunArg,

    /// A task of the run, or TASK@N for one attempt
    #[arg(value_name = "TASK")]
    pub task: Option<TaskRef>,

    /// The prompt that the task's newest attempt was given
    #[arg(long, requires = "task")]
    pub prompt: bool,
}

/// Prints the run, the task or the prompt.
///
/// # Errors
/// No such run, task, attempt or prompt.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let run = ctx.run(args.run.run.as_deref())?;
    let seen = ctx.seen(&run)?;
    match &args.task {
        Some(name) if args.prompt => prompt(ctx, &run, name),
        Some(name) => {
            let found = pick::task(&run, name)?;
            if name.attempt.is_some() {
                pick::attempt(found, name)?;
            }
            let mut view = TaskView::new(found, seen.now);
            if ctx.global.json {
                view.attempts.retain(|one| name.attempt.is_none_or(|number| number == one.number));
                return ctx.out.json("task", view).map(|()| Exit::Ok);
            }
            ctx.out.text(&task::text(run.id.as_str(), &view, name.attempt)).map(|()| Exit::Ok)
        }
        None => {
            let view = RunView::new(&run, seen);
            if ctx.global.json {
                return ctx.out.json("run", view).map(|()| Exit::Ok);
            }
            ctx.out.text(&tree::text(&view)).map(|()| Exit::Ok)
        }
    }
}

fn prompt(ctx: &mut Ctx<'_>, run: &Run, name: &TaskRef) -> Result<Exit, Fault> {
    let task = pick::task(run, name)?;
    let newest = pick::attempt(task, &TaskRef { task: task.id.clone(), attempt: None })?;
    if name.attempt.is_some_and(|number| number != newest.number) {
        let path = format!("tasks/{}/packet.md", task.id);
        return Err(Fault::new(
            Exit::NotFound,
            format!("only the prompt of the newest attempt ({}) is in the tree", newest.number),
        )
        .hint(format!(
            "older ones are in the history: git log -p refs/crew/runs/{} -- {path}",
            run.id
        )));
    }
    let path = format!("tasks/{}/packet.md", task.id);
    let Some(bytes) = ctx.reads()?.file(&run.id, &path)? else {
        return Err(Fault::new(
            Exit::NotFound,
            format!("no prompt is stored for task '{}'", task.id),
        )
        .hint(format!("see where it stands: git crew show {} {}", run.id, task.id)));
    };
    if ctx.global.json {
        let text = String::from_utf8_lossy(&bytes);
        return ctx.out.json("prompt", text).map(|()| Exit::Ok);
    }
    ctx.out.block(&bytes).map(|()| Exit::Ok)
}
