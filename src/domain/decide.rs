//! May this be written now, by this process? `decide` answers with the event or
//! with a typed refusal; it never changes anything (`fold` does).
//!
//! Two questions are asked in this order: *who* (owner events only from the
//! holder under its token, control events from anyone while the run is not
//! over), then *whether it is a legal move*.

use super::attempt::{Ending, Judgement, Verdict};
use super::event::{Authority, EventKind};
use super::id::{HolderId, TaskId};
use super::lease::{Binding, Facts, Grant, LeaseRefusal, Token};
use super::revision::{self, Misfit};
use super::run::{Outline, OutlineTask, Run, RunEnd, RunStatus};
use super::task::{Task, TaskEnd, TaskStatus};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The process.
    pub holder: HolderId,
    /// The token it was granted, if it holds the run.
    pub token: Option<Token>,
}

/// Why something may not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The lease can't be had.
    #[error(transparent)]
    Lease(#[from] LeaseRefusal),
    /// The writer's token is not the newest: it was fenced off.
    #[error("token {mine} is void: the run is under token {current}")]
    Fenced {
        /// The writer's token.
        mine: Token,
        /// The newest one.
        current: Token,
    },
    /// An owner event without a lease.
    #[error("'{event}' may only be written by the holder of the run")]
    NotHolder {
        /// The event's name.
        event: &'static str,
    },
    /// The run is over.
    #[error("the run is {}", status.word())]
    RunOver {
        /// How.
        status: RunStatus,
    },
    /// The run exists already.
    #[error("the run exists already")]
    Exists,
    /// The run has no events yet.
    #[error("the run does not exist")]
    Absent,
    /// No such task.
    #[error("no task '{0}' in this run")]
    NoTask(TaskId),
    /// A move that the run's table does not have.
    #[error("a {} run can't become {}", from.word(), to.word())]
    RunMove {
        /// Where it stands.
        from: RunStatus,
        /// Where it was to go.
        to: RunStatus,
    },
    /// A move that the task's table does not have.
    #[error("task '{task}' is {} and can't become {}", from.word(), to.word())]
    TaskMove {
        /// Which task.
        task: TaskId,
        /// Where it stands.
        from: TaskStatus,
        /// Where it was to go.
        to: TaskStatus,
    },
    /// The event names an attempt that is not the current one.
    #[error("attempt {attempt} of '{task}' is not the open one")]
    WrongAttempt {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
    },
    /// A task starts before what it needs is complete.
    #[error("task '{task}' needs '{needs}', which is not completed")]
    NotReady {
        /// Which task.
        task: TaskId,
        /// What it waits for.
        needs: TaskId,
    },
    /// A completed task must leave a result.
    #[error("task '{0}' has no result that could count")]
    NoResult(TaskId),
    /// A run ends while one of its tasks has not.
    #[error("task '{0}' is not over")]
    Unfinished(TaskId),
    /// A grant to somebody else than its writer, or for a reason that the lease
    /// contradicts.
    #[error("the grant does not follow on the lease (token {0})")]
    BadGrant(Token),
    /// A plan without tasks.
    #[error("a plan without tasks")]
    EmptyPlan,
    /// A graph that can't be worked off.
    #[error("task '{0}' is there twice, or waits for itself or for a task that is not there")]
    BadPlan(TaskId),
    /// No tasks can come of a task where it stands.
    #[error("no tasks can come of '{0}' as it stands")]
    NoRevision(TaskId),
    /// What an attempt of an earlier holder did is not known.
    #[error(
        "attempt {attempt} of '{task}' belongs to an earlier holder: it can only be interrupted or cancelled"
    )]
    Foreign {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
    },
    /// A verdict on another tree than the attempt left, or one that passes
    /// without a check that passed.
    #[error("the verdict on '{0}' does not rest on its result")]
    Unfounded(TaskId),
    /// A run completes without a result that holds every task.
    #[error("the run has no result that holds every task")]
    NoRunResult,
    /// Nothing was asked that is not so already.
    #[error("cancelling was asked for already")]
    AlreadyAsked,
}

/// The event that grants the run's lease to the observer.
///
/// # Errors
/// [`Refusal::Lease`] while another holder is, or may be, alive.
pub fn claim(run: &Run, facts: &Facts, binding: Binding) -> Result<EventKind, Refusal> {
    let because = run.lease.claim(facts)?;
    let grant = Grant {
        holder: facts.holder.clone(),
        machine: facts.machine.clone(),
        boot: facts.boot.clone(),
        binding,
    };
    Ok(EventKind::LeaseGranted { token: run.lease.token.next(), grant, because })
}

/// Whether `actor` may write `kind` on top of `run`; `None` is a run without
/// events.
///
/// # Errors
/// The [`Refusal`] says who may, or which move is missing.
pub fn decide(run: Option<&Run>, actor: &Actor, kind: &EventKind) -> Result<(), Refusal> {
    let run = match (run, kind) {
        (None, EventKind::RunCreated { .. }) => return Ok(()),
        (Some(_), EventKind::RunCreated { .. }) => return Err(Refusal::Exists),
        (None, _) => return Err(Refusal::Absent),
        (Some(run), _) => run,
    };
    match kind.authority() {
        Authority::Owner => owner(run, actor, kind)?,
        Authority::Control if run.status.is_terminal() => {
            return Err(Refusal::RunOver { status: run.status });
        }
        Authority::Control | Authority::Claim => {}
    }
    legal(run, actor, kind)
}

fn owner(run: &Run, actor: &Actor, kind: &EventKind) -> Result<(), Refusal> {
    match actor.token {
        Some(mine) if run.lease.is_held_by(&actor.holder, mine) => Ok(()),
        Some(mine) if mine < run.lease.token => {
            Err(Refusal::Fenced { mine, current: run.lease.token })
        }
        Some(_) | None => Err(Refusal::NotHolder { event: kind.word() }),
    }
}

fn legal(run: &Run, actor: &Actor, kind: &EventKind) -> Result<(), Refusal> {
    match kind {
        EventKind::RunCreated { .. } => Err(Refusal::Exists),
        EventKind::LeaseGranted { token, .. } if *token != run.lease.token.next() => {
            Err(Refusal::Fenced { mine: *token, current: run.lease.token })
        }
        EventKind::LeaseGranted { grant, because, .. } => {
            if grant.holder == actor.holder && run.lease.admits(grant, *because) {
                Ok(())
            } else {
                Err(Refusal::BadGrant(run.lease.token))
            }
        }
        EventKind::LeaseReleased | EventKind::Noted { .. } => Ok(()),
        EventKind::CancelRequested { .. } if run.cancel.is_some() => Err(Refusal::AlreadyAsked),
        EventKind::CancelRequested { .. } => Ok(()),
        EventKind::RunPlanned { outline } => plan(run, outline),
        EventKind::PlanRevised { task, tasks, why } => revise(run, task, tasks, why),
        EventKind::RunReopened if run.status.is_terminal() => run_move(run, run.reopened_status()),
        EventKind::RunReopened => {
            Err(Refusal::RunMove { from: run.status, to: run.reopened_status() })
        }
        EventKind::RunEnded { end, .. } => run_end(run, *end),
        EventKind::ResultMade { .. } => running(run).and_then(|()| all_over(run)),
        EventKind::AttemptStarted { task, attempt, .. } => start(run, task, *attempt),
        EventKind::AttemptEnded { task, attempt, ending, .. } => {
            let task = task_move(run, task, ending.status())?;
            let foreign = open_attempt(task, *attempt)? != actor.token;
            if foreign && ending.status() != TaskStatus::Queued {
                return Err(Refusal::Foreign { task: task.id.clone(), attempt: *attempt });
            }
            Ok(())
        }
        EventKind::VerdictReached { task, attempt, verdict } => judge(run, task, *attempt, verdict),
        EventKind::RetryPlanned { task, .. } => task_move(run, task, TaskStatus::Waiting).map(drop),
        EventKind::TaskEnded { task, end, .. } => task_end(run, task, *end),
        EventKind::TaskReopened { task } => {
            task_move(run, task, TaskStatus::Queued).and_then(|task| {
                if task.status.is_terminal() {
                    Ok(())
                } else {
                    Err(moved(task, TaskStatus::Queued))
                }
            })
        }
    }
}

fn run_move(run: &Run, to: RunStatus) -> Result<(), Refusal> {
    if run.status.may_become(to) { Ok(()) } else { Err(Refusal::RunMove { from: run.status, to }) }
}

fn running(run: &Run) -> Result<(), Refusal> {
    match run.status {
        RunStatus::Running => Ok(()),
        status if status.is_terminal() => Err(Refusal::RunOver { status }),
        from => Err(Refusal::RunMove { from, to: RunStatus::Running }),
    }
}

fn find<'a>(run: &'a Run, id: &TaskId) -> Result<&'a Task, Refusal> {
    running(run)?;
    run.task(id).ok_or_else(|| Refusal::NoTask(id.clone()))
}

fn moved(task: &Task, to: TaskStatus) -> Refusal {
    Refusal::TaskMove { task: task.id.clone(), from: task.status, to }
}

fn task_move<'a>(run: &'a Run, id: &TaskId, to: TaskStatus) -> Result<&'a Task, Refusal> {
    let task = find(run, id)?;
    if task.status.may_become(to) { Ok(task) } else { Err(moved(task, to)) }
}

/// The token under which the open attempt was started.
fn open_attempt(task: &Task, attempt: u32) -> Result<Option<Token>, Refusal> {
    match task.open() {
        Some(open) if open.number == attempt => Ok(Some(open.token)),
        Some(_) | None => Err(Refusal::WrongAttempt { task: task.id.clone(), attempt }),
    }
}

fn start(run: &Run, id: &TaskId, attempt: u32) -> Result<(), Refusal> {
    let task = task_move(run, id, TaskStatus::Running)?;
    if attempt != task.next_attempt() {
        return Err(Refusal::WrongAttempt { task: id.clone(), attempt });
    }
    ready(run, task)
}

fn ready(run: &Run, task: &Task) -> Result<(), Refusal> {
    let waits = task
        .needs
        .iter()
        .find(|need| run.task(need).is_none_or(|need| need.status != TaskStatus::Completed));
    match waits {
        Some(needs) => Err(Refusal::NotReady { task: task.id.clone(), needs: needs.clone() }),
        None => Ok(()),
    }
}

/// Whether its newest result is there and no check failed on it.
fn counts(task: &Task) -> bool {
    task.last().is_some_and(|last| {
        last.ending == Some(Ending::Finished)
            && last.verdict.as_ref().is_some_and(|v| v.result != Judgement::Failed)
            && last.work.as_ref().is_some_and(|work| work.commit.is_some())
    })
}

fn judge(run: &Run, id: &TaskId, attempt: u32, verdict: &Verdict) -> Result<(), Refusal> {
    let task = find(run, id)?;
    if task.status != TaskStatus::Verifying {
        return Err(moved(task, TaskStatus::Verifying));
    }
    let last = task.last().filter(|last| last.number == attempt && last.verdict.is_none());
    let last = last.ok_or_else(|| Refusal::WrongAttempt { task: id.clone(), attempt })?;
    let tree = last.work.as_ref().and_then(|work| work.tree.as_ref());
    if tree == Some(&verdict.tree) && verdict.is_founded() {
        Ok(())
    } else {
        Err(Refusal::Unfounded(id.clone()))
    }
}

fn task_end(run: &Run, id: &TaskId, end: TaskEnd) -> Result<(), Refusal> {
    let task = task_move(run, id, end.status())?;
    if end == TaskEnd::Completed && !counts(task) {
        return Err(Refusal::NoResult(id.clone()));
    }
    Ok(())
}

fn run_end(run: &Run, end: RunEnd) -> Result<(), Refusal> {
    run_move(run, end.status())?;
    all_over(run)?;
    match end {
        RunEnd::Completed => {
            if let Some(task) = run.unfinished() {
                return Err(Refusal::Unfinished(task.id.clone()));
            }
            let whole = run.result.as_ref().is_some_and(|result| result.left.is_empty());
            if whole { Ok(()) } else { Err(Refusal::NoRunResult) }
        }
        RunEnd::Blocked | RunEnd::Failed | RunEnd::Cancelled => Ok(()),
    }
}

fn all_over(run: &Run) -> Result<(), Refusal> {
    match run.tasks.iter().find(|task| !task.status.is_terminal()) {
        Some(task) => Err(Refusal::Unfinished(task.id.clone())),
        None => Ok(()),
    }
}

fn plan(run: &Run, outline: &Outline) -> Result<(), Refusal> {
    // Reopening leads to the same status, but a plan is made once: a second one
    // would drop the tasks and their attempts.
    if run.status != RunStatus::Planning {
        return Err(Refusal::RunMove { from: run.status, to: RunStatus::Running });
    }
    match outline.fault() {
        Some(task) => Err(Refusal::BadPlan(task.clone())),
        None if outline.tasks.is_empty() => Err(Refusal::EmptyPlan),
        None => Ok(()),
    }
}

/// Behind a task whose result counts but which is not completed, so that nothing
/// has begun that must wait for the new tasks; or in place of one that could
/// start and never did.
fn revise(run: &Run, id: &TaskId, tasks: &[OutlineTask], why: &str) -> Result<(), Refusal> {
    let task = find(run, id)?;
    let revised = run.tasks.iter().any(|other| other.planned_by.as_ref() == Some(id));
    let ripe = match task.status {
        TaskStatus::Verifying => counts(task) && !revised,
        _ => true,
    };
    if task.status == TaskStatus::Queued {
        ready(run, task)?;
    }
    match revision::tasks(run, id, tasks, why) {
        Ok(_) if ripe => Ok(()),
        Ok(_) | Err(Misfit::Place) => Err(Refusal::NoRevision(id.clone())),
        Err(Misfit::Graph(task)) => Err(Refusal::BadPlan(task)),
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
