//! The exact next command for where a run stands. Ids are slugs, so every
//! command can be pasted as it is.

use crate::domain::id::{RunId, TaskId};
use crate::domain::lease::Life;
use crate::domain::run::{Run, RunStatus};
use crate::domain::task::{Task, TaskStatus};

/// The ref that names a run's result.
#[must_use]
pub fn result_ref(run: &RunId) -> String {
    format!("refs/crew/results/{run}")
}

/// Commands that make sense for this run, the best first; never empty.
#[must_use]
pub fn commands(run: &Run, life: Life) -> Vec<String> {
    let id = &run.id;
    match run.status {
        RunStatus::Queued | RunStatus::Planning | RunStatus::Running => going(run, life),
        RunStatus::Completed => landing(run),
        RunStatus::Blocked => {
            let mut all = troubled(run, TaskStatus::NeedsAttention);
            all.extend(left_out(run));
            all.extend(landing(run));
            all
        }
        RunStatus::Failed => {
            let mut all = troubled(run, TaskStatus::Failed);
            if all.is_empty() {
                all.push(format!("git crew log {id}"));
                all.push(format!("git crew retry {id}"));
            }
            all
        }
        RunStatus::Cancelled => vec![format!("git crew retry {id}")],
    }
}

fn going(run: &Run, life: Life) -> Vec<String> {
    let id = &run.id;
    if run.lease.held.is_none() || life == Life::Dead {
        return vec![format!("git crew resume {id}"), format!("git crew cancel {id}")];
    }
    vec![format!("git crew wait {id}"), format!("git crew cancel {id}")]
}

fn landing(run: &Run) -> Vec<String> {
    if run.result.is_none() {
        return vec![format!("git crew log {}", run.id)];
    }
    vec![format!("git crew diff {}", run.id), format!("git merge {}", result_ref(&run.id))]
}

fn troubled(run: &Run, status: TaskStatus) -> Vec<String> {
    let Some(task) = run.tasks.iter().find(|task| task.status == status) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    if !task.attempts.is_empty() {
        all.push(look(&run.id, task));
    }
    all.push(format!("git crew retry {} {}", run.id, task.id));
    all
}

fn look(run: &RunId, task: &Task) -> String {
    format!("git crew log {run} {} --output", task.id)
}

fn left_out(run: &Run) -> Option<String> {
    let left: &TaskId = &run.result.as_ref()?.left.first()?.task;
    Some(format!("git crew diff {} {left}", run.id))
}
