//! `git crew diff`: what a run, a task or an attempt changed, as git shows it.

use serde::Serialize;

use crate::domain::id::Oid;
use crate::domain::run::Run;
use crate::surface::cli::args::{RunArg, TaskRef};
use crate::surface::cli::ctx::Ctx;
use crate::surface::cli::pick;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;

/// What a run, a task or an attempt changed
///
/// The whole run: from its base to its result. TASK: what its newest attempt
/// made of what it started from; TASK@2: its second. Shown by git, with your
/// pager and your settings; what follows `--` goes to `git diff`.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew diff                          the newest run
  git crew diff 7kq2 implement@1         what the first attempt had done
  git crew diff 7kq2 -- --stat           any option of git diff
  git crew diff 7kq2 --json              the two commits, for scripts")]
pub struct Args {
    /// Which run.
    #[command(flatten)]
    pub run: RunArg,

    /// A task of the run, or TASK@N for one attempt
    #[arg(value_name = "TASK")]
    pub task: Option<TaskRef>,

    /// Options and paths for git diff
    #[arg(last = true, value_name = "GIT-DIFF-ARGUMENT")]
    pub git: Vec<String>,
}

/// The two ends of a difference.
#[derive(Debug, Serialize)]
struct Ends<'a> {
    run: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    from: &'a Oid,
    to: &'a Oid,
}

/// Hands the two commits to `git diff`.
///
/// # Errors
/// No such run, task or attempt; nothing kept yet; git's own failures.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let run = ctx.run(args.run.run.as_deref())?;
    let ends = match &args.task {
        Some(name) => attempt_ends(&run, name)?,
        None => run_ends(&run)?,
    };
    if ctx.global.json {
        return ctx.out.json("diff", ends).map(|()| Exit::Ok);
    }
    let mut words = vec!["diff"];
    if ctx.out.has_colour() && !ctx.out.is_terminal() {
        words.push("--color");
    }
    // Options first, then the ends: what a person passes can't turn into a revision.
    let split = args.git.iter().position(|word| !word.starts_with('-')).unwrap_or(args.git.len());
    let (options, paths) = args.git.split_at(split);
    words.extend(options.iter().map(String::as_str));
    words.extend([ends.from.as_str(), ends.to.as_str(), "--"]);
    words.extend(paths.iter().map(String::as_str));
    ctx.git(&words)
}

fn run_ends(run: &Run) -> Result<Ends<'_>, Fault> {
    let Some(result) = &run.result else {
        let error = format!("run '{}' has no result yet, it is {}", run.id, run.status.word());
        return Err(Fault::new(Exit::Failed, error)
            .hint(format!("what single tasks did: git crew show {}", run.id)));
    };
    let to = &result.commit;
    Ok(Ends { run: run.id.as_str(), task: None, attempt: None, from: &run.base, to })
}

fn attempt_ends<'a>(run: &'a Run, name: &TaskRef) -> Result<Ends<'a>, Fault> {
    let task = pick::task(run, name)?;
    let attempt = pick::attempt(task, name)?;
    let Some(to) = attempt.work.as_ref().and_then(|work| work.commit.as_ref()) else {
        let error = format!("attempt {} of '{}' has left nothing yet", attempt.number, task.id);
        return Err(Fault::new(Exit::Failed, error)
            .hint(format!("see where it stands: git crew show {} {}", run.id, task.id)));
    };
    let (number, from) = (Some(attempt.number), &attempt.base);
    Ok(Ends { run: run.id.as_str(), task: Some(task.id.as_str()), attempt: number, from, to })
}
