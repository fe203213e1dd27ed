//! From a policy's answer to the event that says it, and the line that tells
//! people how a run ended.

use crate::domain::attempt::{Ending, FailureClass};
use crate::domain::event::{EventKind, Unmerged};
use crate::domain::id::TaskId;
use crate::domain::plan::{Plan, PlannedTask};
use crate::domain::policy::{self, Next, Outcome, Terms};
use crate::domain::run::{Run, RunEnd};
use crate::domain::task::{Task, TaskEnd, TaskStatus};

use super::core::Moment;
use super::io::Stop;

/// The agent whose turn the next attempt of a task is.
#[must_use]
pub fn player(plan: &Plan, run: &Run, id: &TaskId) -> Option<String> {
    let planned = plan.task(id)?;
    let history = run.task(id).map(Outcome::history).unwrap_or_default();
    policy::player(&planned.players(), &history).map(str::to_owned)
}

/// What follows the attempts that a task has had.
#[must_use]
pub fn next(planned: &PlannedTask, task: &Task, moment: Moment) -> EventKind {
    let history = Outcome::history(task);
    let id = task.id.clone();
    let over = |end, why| EventKind::TaskEnded { task: id.clone(), end, why };
    let players = planned.players();
    let terms = Terms { retries: planned.retries, players: &players };
    match policy::after_attempt(terms, &history, moment.now, moment.jitter) {
        Next::Complete { verified: true } => {
            over(TaskEnd::Completed, "every check passed".to_owned())
        }
        Next::Complete { verified: false } => {
            let why = if planned.plan_checks.is_empty() {
                "unverified: the step has no check"
            } else {
                "unverified: only its plan's own checks passed"
            };
            over(TaskEnd::Completed, why.to_owned())
        }
        Next::Retry { not_before, why } => EventKind::RetryPlanned { task: id, not_before, why },
        Next::Fail { why } => over(TaskEnd::Failed, why),
        Next::NeedsAttention { why } => over(TaskEnd::NeedsAttention, login(task).unwrap_or(why)),
        Next::Cancel => over(TaskEnd::Cancelled, "cancelled".to_owned()),
    }
}

/// What a person has to do for a task whose agent lacks a login: its attempt
/// says so, with the command.
fn login(task: &Task) -> Option<String> {
    match task.last()?.ending.as_ref()? {
        Ending::Failed { class: FailureClass::Auth, why } => Some(why.clone()),
        Ending::Failed { .. } | Ending::Finished | Ending::Interrupted | Ending::Cancelled => None,
    }
}

/// Why a run ended as it did, in one line.
#[must_use]
pub fn summary(run: &Run, end: RunEnd, left: &[Unmerged], stop: Option<&Stop>) -> String {
    if let Some(Stop::Cancel(why) | Stop::Fail(why) | Stop::Lost(why)) = stop {
        return why.clone();
    }
    let named = |status: TaskStatus| -> Vec<String> {
        run.tasks.iter().filter(|t| t.status == status).map(|t| format!("'{}'", t.id)).collect()
    };
    match end {
        RunEnd::Completed if run.verified() => "every task completed and is verified".to_owned(),
        RunEnd::Completed => {
            let made = || run.tasks.iter().filter(|task| !run.is_void(task));
            let open = made().filter(|task| !task.verified).count();
            format!("every task completed, {open} of {} unverified", made().count())
        }
        RunEnd::Failed => format!("{} failed", named(TaskStatus::Failed).join(", ")),
        RunEnd::Cancelled => "cancelled".to_owned(),
        RunEnd::Blocked if left.is_empty() => {
            format!("{} needs a decision", named(TaskStatus::NeedsAttention).join(", "))
        }
        RunEnd::Blocked => {
            let tasks: Vec<String> =
                left.iter().map(|unmerged| format!("'{}'", unmerged.task)).collect();
            format!("the result of {} conflicts with what is merged", tasks.join(", "))
        }
    }
}

/// Whether an attempt's end is the whole run's: where an agent that nothing kept
/// in has changed the user's repository, no other is started.
#[must_use]
pub fn stops(ending: &Ending) -> Option<Stop> {
    match ending {
        Ending::Failed { class: FailureClass::RepositoryChanged, why } => {
            Some(Stop::Fail(why.clone()))
        }
        Ending::Failed { .. } | Ending::Finished | Ending::Interrupted | Ending::Cancelled => None,
    }
}

/// How a run ends that was stopped before its time: a person has to look where
/// [`stops`] was the reason.
#[must_use]
pub fn stopped(run: &Run) -> RunEnd {
    let last = run.tasks.iter().filter_map(|task| task.last()?.ending.as_ref());
    if last.into_iter().any(|ending| stops(ending).is_some()) {
        RunEnd::Blocked
    } else {
        RunEnd::Failed
    }
}
