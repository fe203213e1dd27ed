//! `git crew path`: the folder in which a task's agent works.

use serde::Serialize;

use crate::domain::escape::escaped;
use crate::surface::cli::args::TaskRef;
use crate::surface::cli::attended;
use crate::surface::cli::ctx::Ctx;
use crate::surface::cli::pick;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;

/// The folder in which a task's agent works, or a clean checkout of its work
///
/// Of an attempt that is over the folder may be gone or used by another task by
/// now. An agent may have left anything there: hooks and settings that your git
/// or editor would run. To look at its work use --clean.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  cd \"$(git crew path 7kq2 implement)\"
  cd \"$(git crew path --clean 7kq2 implement)\"")]
pub struct Args {
    /// A run: any beginning of its id that fits one run only
    #[arg(value_name = "RUN")]
    pub run: String,

    /// A task of the run, or TASK@N for one attempt
    #[arg(value_name = "TASK")]
    pub task: TaskRef,

    /// A checkout of its own of what the attempt left, made at the first call;
    /// git crew prune removes it
    #[arg(long)]
    pub clean: bool,
}

#[derive(Serialize)]
struct Slot<'a> {
    path: &'a str,
    open: bool,
}

/// Prints the folder.
///
/// # Errors
/// No such run or task, or one that was not started.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let run = ctx.run(Some(&args.run))?;
    let task = pick::task(&run, &args.task)?;
    let attempt = pick::attempt(task, &args.task)?;
    let found = if args.clean {
        attended::place(ctx)?.look(&run.id, &task.id, attempt)?
    } else {
        ctx.reads()?.slot(attempt)?
    };
    if args.clean && found.is_none() {
        let what = format!("attempt {} of '{}' has left nothing yet", attempt.number, task.id);
        return Err(Fault::new(Exit::NotFound, what));
    }
    let Some(slot) = found else {
        let what = format!("the folder of attempt {} of '{}' is gone", attempt.number, task.id);
        return Err(Fault::new(Exit::NotFound, what)
            .hint(format!("what it changed: git crew diff {} {}", run.id, task.id)));
    };
    let path = slot.to_string_lossy();
    if ctx.global.json {
        let slot = Slot { path: &path, open: attempt.is_open() };
        return ctx.out.json("path", slot).map(|()| Exit::Ok);
    }
    // A script must get the name as it is; a terminal must not obey it.
    let mut line = if ctx.out.is_terminal() {
        escaped(&path).into_bytes()
    } else {
        slot.as_os_str().as_encoded_bytes().to_vec()
    };
    line.push(b'\n');
    ctx.out.own(&line).map(|()| Exit::Ok)
}
