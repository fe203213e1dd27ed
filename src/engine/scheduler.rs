//! Which tasks may start, which never will, which results count: pure functions
//! of a run's state.

use std::collections::BTreeSet;

use crate::domain::id::TaskId;
use crate::domain::run::Run;
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::Timestamp;

/// The tasks that could start now, in the order of the workflow.
#[must_use]
pub fn ready<'a>(run: &'a Run, busy: &BTreeSet<TaskId>, now: Timestamp) -> Vec<&'a Task> {
    run.tasks
        .iter()
        .filter(|task| !busy.contains(&task.id) && is_due(task, now) && needs_met(run, task))
        .collect()
}

fn is_due(task: &Task, now: Timestamp) -> bool {
    match task.status {
        TaskStatus::Queued => true,
        TaskStatus::Waiting => task.not_before.is_none_or(|at| at <= now),
        TaskStatus::Running
        | TaskStatus::Verifying
        | TaskStatus::Completed
        | TaskStatus::Failed
        | TaskStatus::Cancelled
        | TaskStatus::Skipped
        | TaskStatus::NeedsAttention => false,
    }
}

fn needs_met(run: &Run, task: &Task) -> bool {
    task.needs
        .iter()
        .all(|need| run.task(need).is_some_and(|need| need.status == TaskStatus::Completed))
}

/// A task that can't start any more, and the one that it waits for in vain.
#[must_use]
pub fn hopeless(run: &Run) -> Option<(&Task, &Task)> {
    run.tasks.iter().find_map(|task| {
        if !matches!(task.status, TaskStatus::Queued | TaskStatus::Waiting) {
            return None;
        }
        let dead = task
            .needs
            .iter()
            .filter_map(|need| run.task(need))
            .find(|need| need.status.is_terminal() && need.status != TaskStatus::Completed);
        dead.map(|dead| (task, dead))
    })
}

/// When the next waiting task falls due.
#[must_use]
pub fn next_due(run: &Run, now: Timestamp) -> Option<Timestamp> {
    run.tasks
        .iter()
        .filter(|task| task.status == TaskStatus::Waiting)
        .filter_map(|task| task.not_before)
        .filter(|at| *at > now)
        .min()
}

/// The completed tasks whose results no other completed task has built upon:
/// together they hold everything that completed.
#[must_use]
pub fn results(run: &Run) -> Vec<TaskId> {
    let done: Vec<&Task> =
        run.tasks.iter().filter(|task| task.status == TaskStatus::Completed).collect();
    let built_upon = |id: &TaskId| done.iter().any(|task| task.needs.contains(id));
    done.iter().filter(|task| !built_upon(&task.id)).map(|task| task.id.clone()).collect()
}
